"""Attention between a decoder's LSTM and what stands above it.

    scores = h_t . (W_a s), softmax over the source, context = the sum of s so weighted;
    above it stands [context; h_t], or a tanh layer that reads it.

`Attention` of Keras, or `Dot`, a softmax and `Dot`, as people wrote it before there was one.
"""

from __future__ import annotations

from typing import NamedTuple

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.keras.reading.walking import only, require
from s2s_jax.runtime.files import shown

_AXES = ([2, 2], [-1, -1], 2, -1), ([2, 1], [-1, 1])  # Of the first Dot and of the second.


class Attention(NamedTuple):
    """Names of layers in the graph; empty where there is no such layer."""

    keys: str
    """The Dense layer W_a."""
    on_queries: bool
    """It reads h_t instead: then W_a is its transpose."""
    scale: str
    """The Attention layer, if it scales its scores."""
    mix: str
    """The tanh layer above."""
    context_first: bool
    masked: bool
    """Whether it skips what the encoder skips."""


def attention(graph: Graph, top: Reference) -> tuple[Attention, Reference, Reference]:
    """The attention that gives a tensor, and its queries h_t and values s.

    Raises:
      UserError: for any other layers in its place.
    """
    layer, mix, joined = graph.at(top), "", (top,)
    if layer.kind == "Dense":
        require(layer, {"activation": "tanh"})
        mix, joined = top.layer, layer.inputs
    concat = only(graph, joined, "Concatenate", "the context and the decoder's outputs in one")
    if concat.settings.get("axis", -1) not in (-1, 2):
        refuse(f"axis -1 in {concat}", shown(concat.settings["axis"], 40))
    contexts = [graph.at(r).kind in ("Attention", "Dot") for r in concat.inputs]
    if sorted(contexts) != [False, True]:
        found = ", ".join(str(graph.at(r)) for r in concat.inputs)
        refuse(f"a context and the decoder's outputs in {concat}", shown(found, 120))
    first = contexts[0]
    context, outputs = concat.inputs if first else concat.inputs[::-1]
    head = graph.at(context)
    queries, values, keys = (_of_layer if head.kind == "Attention" else _of_dots)(graph, head)
    projected = [r for r in (queries, keys) if graph.at(r).kind == "Dense"]
    on_queries = queries in projected
    if len(projected) > 1:
        refuse(f"one projection of the scores in {head}", "two")
    for reference in projected:
        layer = graph.at(reference)
        # A bias of the keys adds the same to all scores, one of the queries does not.
        require(layer, {"activation": "linear", **({"use_bias": False} if on_queries else {})})
        queries, keys = (
            layer.inputs[0] if r == reference and layer.inputs else r for r in (queries, keys)
        )
    if queries != outputs or keys != values:
        refuse(f"the decoder's outputs and the encoder's in {head}", "other tensors")
    return (
        Attention(
            keys=projected[0].layer if projected else "",
            on_queries=on_queries,
            scale=context.layer if head.settings.get("use_scale") else "",
            mix=mix,
            context_first=first,
            masked=head.kind == "Attention",
        ),
        queries,
        values,
    )


def _of_layer(graph: Graph, head: Layer) -> tuple[Reference, Reference, Reference]:
    """Queries, values and keys of Keras's layer."""
    require(head, {"score_mode": "dot"})
    if head.flags & {"use_causal_mask"} or head.settings.get("causal"):
        refuse(f"no causal mask in {head}", "one")
    if len(head.inputs) not in (2, 3):
        refuse(f"[query, value] or [query, value, key] in {head}", f"{len(head.inputs)} tensors")
    queries, values, *keys = head.inputs
    return queries, values, keys[0] if keys else values


def _of_dots(graph: Graph, head: Layer) -> tuple[Reference, Reference, Reference]:
    """Queries, values and keys of two products with a softmax between them."""
    softmax = graph.at(head.inputs[0])
    if softmax.kind not in ("Activation", "Softmax"):
        refuse(f"a softmax below {head}", str(softmax))
    require(softmax, {"activation": "softmax", "axis": -1})
    scores = only(graph, softmax.inputs, "Dot", f"Dot below {softmax}")
    for dot, axes in ((scores, _AXES[0]), (head, _AXES[1])):
        require(dot, {"normalize": False})
        if dot.settings.get("axes") not in axes or len(dot.inputs) != 2:
            refuse(f"axes {axes[0]} in {dot}", shown(dot.settings.get("axes"), 40))
    queries, keys = scores.inputs
    return queries, head.inputs[1], keys
