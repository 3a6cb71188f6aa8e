"""What the LSTMs of the encoder and of the decoder start with: their input, and the states.

The decoder's states are those that the encoder's LSTMs end with, joined somehow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.keras.reading.walking import LSTMS, directions, only, require, require_last_axis
from s2s_jax.runtime.files import shown

MERGES = ("Concatenate", "Add", "Average")
_LSTM = {
    "activation": "tanh",
    "use_bias": True,
    "go_backwards": False,
    "stateful": False,
    "time_major": False,
}


class Side(NamedTuple):
    """Encoder or decoder: the names of its layers, and whether it skips padded inputs."""

    lstms: tuple[str, ...]
    """From the lowest to the top one."""
    embedding: str | None
    masked: bool | None
    """None where the file does not tell."""


class Start(NamedTuple):
    """An h or a c; zeros if `ends` is empty."""

    ends: tuple[Reference, ...]
    merge: str = MERGES[0]
    """How these are joined: one of `MERGES`."""
    dense: str = ""
    """The linear layer that reads them joined, or empty."""


def side(graph: Graph, lstms: tuple[str, ...]) -> Side:
    """LSTMs, given from the top down, with what stands between the lowest and the input."""
    lstm = graph.layers[lstms[-1]]
    reference = lstm.inputs[0]
    feeder, embedding, masked = graph.at(reference), None, False
    if feeder.kind == "Embedding":
        require(feeder, {})
        embedding, masked = reference.layer, feeder.settings.get("mask_zero", False)
    elif feeder.kind == "Masking":
        require(feeder, {"mask_value": 0.0})
        masked = True
    if feeder.kind != "InputLayer":
        only(graph, feeder.inputs, "InputLayer", f"an input before {feeder}")
    return Side(lstms[::-1], embedding, masked)


def check_mask(graph: Graph, lstm: Layer, side: Side) -> None:
    """Refuses a mask, where Keras wrote it down, of anything but zeros in the encoder's input."""
    lowest = graph.layers[side.lstms[0]]
    feeder = graph.at(lowest.inputs[0])
    source = feeder.inputs if feeder.inputs else lowest.inputs[:1]
    open_, seen = list(lstm.mask), set()
    while open_:
        reference = open_.pop()
        if reference in seen:
            continue
        seen.add(reference)
        operation = graph.at(reference)
        if operation.kind == "NotEqual" and side.masked is not False and operation.inputs == source:
            if operation.constants != (0,):
                refuse("the mask of what is not 0", f"{operation.constants}")
        elif operation.kind in ("Any", "LogicalOr", "LogicalAnd") and operation.inputs:
            require(operation, {"axis": -1, "keepdims": False})
            open_ += operation.inputs
        else:
            refuse(f"in {lstm} the mask of the encoder's input", str(operation))


def check_lstms(lstms: Sequence[Layer], backwards: bool = False) -> None:
    """Refuses an LSTM that computes something else, or reads in the other direction."""
    for layer in lstms:
        for settings in directions(layer):
            require(layer, {**_LSTM, "go_backwards": backwards}, settings)


def goes_backwards(graph: Graph, encoder: Side, attended: str) -> bool:
    """Whether the encoder reads what it is given from the last to the first, as sources can here.

    That is so if its lowest LSTM does: what that gives is in the order of its reading, and the
    others follow it. `attended` says what attends to its outputs, or is empty.

    Raises:
      UserError: where Keras's masks, which are not turned around, or embeddings would not fit.
    """
    lowest = graph.layers[encoder.lstms[0]]
    if lowest.kind != "LSTM" or not lowest.settings.get("go_backwards", False):
        return False
    check_lstms([lowest], backwards=True)
    if encoder.masked is not False and (attended or len(encoder.lstms) > 1):
        refuse(
            "no mask behind an LSTM with go_backwards, since Keras does not turn it around",
            f"{attended or graph.layers[encoder.lstms[1]]} above {lowest}",
        )
    return True


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
        plain = tuple(Start((Reference(encoder[-1], i),)) for i in (1, 2))
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
        return Start(()), Start(())
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
        joined: list[Reference] = []
        for end in ends:
            inner = graph.at(end)
            if inner.kind == merge:
                require_last_axis(inner, 1)
            joined += inner.inputs if inner.kind == merge else (end,)
        ends = tuple(joined)
    for end in ends:
        if graph.at(end).kind not in LSTMS or end.tensor == 0:
            refuse("the states of the encoder's LSTMs", f"tensor {end.tensor} of {graph.at(end)}")
    return Start(ends, merge, dense)
