"""What a decoder's LSTM starts from: states that the encoder's LSTMs end with, joined somehow."""

from __future__ import annotations

from typing import NamedTuple

from s2s_jax.keras.reading.layers import Graph, Reference, refuse
from s2s_jax.keras.reading.walking import LSTMS, require, require_last_axis
from s2s_jax.runtime.files import shown

MERGES = ("Concatenate", "Add", "Average")


class Start(NamedTuple):
    """An h or a c; zeros if `ends` is empty."""

    ends: tuple[Reference, ...]
    merge: str
    """How these are joined: one of `MERGES`."""
    dense: str
    """The linear layer that reads them joined, or empty."""


_ZEROS = Start((), MERGES[0], "")


def starts(
    graph: Graph, encoder: tuple[str, ...], decoder: tuple[str, ...], bidirectional: bool
) -> tuple[tuple[Start, Start], ...]:
    """What the h and the c of each of the decoder's LSTMs start from.

    Raises:
      UserError: for anything but states of the encoder, and for more than the states of its top
        LSTM where our model has no layer between (see `ModelConfig.has_bridge`).
    """
    found = tuple(_starts(graph, graph.layers[name].inputs[1:]) for name in decoder)
    for end in (end for both in found for start in both for end in start.ends):
        if end.layer not in encoder:
            refuse("the states of the encoder's LSTMs", f"those of {graph.at(end)}")
    if len(decoder) == 1 and not bidirectional:
        plain = tuple(Start((Reference(encoder[-1], i),), MERGES[0], "") for i in (1, 2))
        if found[0] != plain:
            named = found[0][0].dense or found[0][0].ends[0].layer
            refuse(
                f"the states of {graph.layers[encoder[-1]]} as they are before a decoder of one "
                "LSTM",
                str(graph.layers[named]),
            )
    return found


def _starts(graph: Graph, given: tuple[Reference, ...]) -> tuple[Start, Start]:
    if not given:
        return _ZEROS, _ZEROS
    if len(given) != 2:
        refuse("a decoder's LSTM with two initial states", f"{len(given)} of them")
    h, c = (_start(graph, reference) for reference in given)
    # The tensors of an LSTM are its outputs, h and c; a Bidirectional has two of h and c.
    orders = [{(end.tensor - 1) % 2 for end in start.ends} for start in (h, c)]
    if orders != [{0}, {1}]:
        found = ", ".join(f"tensor {r.tensor} of {graph.at(r)}" for r in (*h.ends, *c.ends))
        refuse("the encoder's states h and c, in this order, before the decoder", shown(found, 120))
    return h, c


def _start(graph: Graph, reference: Reference) -> Start:
    layer, dense, merge, ends = graph.at(reference), "", MERGES[0], (reference,)
    if layer.kind == "Dense" and layer.inputs:
        require(layer, {"activation": "linear"})
        dense, ends = reference.layer, layer.inputs
        layer = graph.at(ends[0])
    if layer.kind in MERGES:
        require_last_axis(layer, 1)
        merge, ends = layer.kind, layer.inputs
    if merge == "Concatenate":  # Of several layers, those of both directions may be joined before.
        joined = [graph.at(end).inputs if graph.at(end).kind == merge else (end,) for end in ends]
        ends = tuple(end for some in joined for end in some)
    for end in ends:
        if graph.at(end).kind not in LSTMS or end.tensor == 0:
            refuse("the states of the encoder's LSTMs", f"tensor {end.tensor} of {graph.at(end)}")
    return Start(ends, merge, dense)
