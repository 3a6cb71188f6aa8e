"""What stands between the lowest LSTM of the encoder or the decoder and its input."""

from __future__ import annotations

from typing import NamedTuple

from s2s_jax.keras.reading.layers import Graph, Layer, refuse
from s2s_jax.keras.reading.walking import only, require


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
