"""What stands between the lowest LSTM of the encoder or the decoder and its input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from s2s_jax.keras.reading.layers import Graph, Layer, refuse
from s2s_jax.keras.reading.walking import directions, only, require

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
