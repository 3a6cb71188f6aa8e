"""Attention between a decoder's LSTM and what stands above it.

    scores = h_t . (W_a s), softmax over the source, context = the sum of s so weighted;
    above it stands [context; h_t], or a tanh layer that reads it.

`Attention` of Keras, or `Dot`, a softmax and `Dot`, as people wrote it before there was one; or
`MultiHeadAttention`, each of whose heads has its own part of h_t, of W_a s and of s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.keras.reading.walking import only, require, require_last_axis
from s2s_jax.runtime.files import shown

_LAYER = {
    "Attention": {"score_mode": "dot"},
    "MultiHeadAttention": {"use_bias": False, "use_gate": False, "sliding_window": None},
}
_AXES = ([2, 2], [-1, -1], 2, -1), ([2, 1], [-1, 1])  # Of the first Dot and of the second.


class Attention(NamedTuple):
    """Names of layers in the graph; empty where there is no such layer."""

    several: str
    """The layer of several heads, which has W_a in it."""
    heads: int
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
    require_last_axis(concat, 2)
    contexts = [graph.at(r).kind in _CONTEXTS for r in concat.inputs]
    if sorted(contexts) != [False, True]:
        found = ", ".join(str(graph.at(r)) for r in concat.inputs)
        refuse(f"a context and the decoder's outputs in {concat}", shown(found, 120))
    first = contexts[0]
    context, outputs = concat.inputs if first else concat.inputs[::-1]
    head = graph.at(context)
    queries, values, keys = _CONTEXTS[head.kind](graph, head)
    several = head.kind == "MultiHeadAttention"
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
            several=context.layer if several else "",
            heads=head.settings["num_heads"] if several else 1,
            keys=projected[0].layer if projected else "",
            on_queries=on_queries,
            scale=context.layer if head.settings.get("use_scale") else "",
            mix=mix,
            context_first=first,
            masked=head.kind != "Dot",
        ),
        queries,
        values,
    )


def _of_layer(graph: Graph, head: Layer) -> tuple[Reference, Reference, Reference]:
    """Queries, values and keys of Keras's layers."""
    require(head, _LAYER[head.kind])
    if head.settings.get("attention_axes") not in (None, 1, [1], (1,)):
        refuse(f"attention over time in {head}", shown(head.settings["attention_axes"], 40))
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


def keys_of_heads(layer: Layer, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """W_a `[found, units]` of a `MultiHeadAttention`, with the scale of its scores.

    The arrays are its projections of queries `[units, heads, x]`, of keys and of values `[found,
    heads, x]`, and of the contexts `[heads, x, found]`.

    Raises:
      UserError: unless each head reads its own part of the queries and finds its own of the values.
    """
    read, looked_up, values, joined = arrays
    units, heads, _ = read.shape
    found, numbers = len(values), np.arange(heads)
    for width in (units, found):
        if width % heads:
            refuse(f"a number of heads that divides {width} in {layer}", f"{heads}")

    def own(width: int) -> np.ndarray:
        """Whether a row is in the part of a head, `[width, heads, 1]`."""
        return (np.arange(width)[:, None] // (width // heads) == numbers)[..., None]

    handed_on = np.einsum("fhx,hxg->fhg", values, joined)
    if (read * ~own(units)).any() or (handed_on != own(found) * np.eye(found)[:, None]).any():
        refuse(f"heads in {layer} with a part each of queries and values", "mixtures of them")
    parts = read.reshape(heads, -1, heads, read.shape[2])[numbers, :, numbers]
    kernel = np.einsum("fhx,hux->fhu", looked_up, parts / np.float32(math.sqrt(read.shape[2])))
    return np.ascontiguousarray(kernel.reshape(found, units))


_CONTEXTS = {"Attention": _of_layer, "MultiHeadAttention": _of_layer, "Dot": _of_dots}
"""What gives a context, and how its inputs are found."""
