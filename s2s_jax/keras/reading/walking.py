"""One step from a tensor to the layer that gives it, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.runtime.files import shown

LSTMS = ("LSTM", "Bidirectional")


def only(graph: Graph, references: Sequence[Reference], kind: str, expected: str) -> Layer:
    """The layer of this kind whose first tensor the first reference names."""
    if not references:
        refuse(expected, "nothing")
    layer = graph.at(references[0])
    if layer.kind != kind or references[0].tensor:
        refuse(expected, f"tensor {references[0].tensor} of {layer}")
    return layer


def require(
    layer: Layer, wanted: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> None:
    """Refuses a layer whose settings, or those of a layer inside it, are not these.

    A setting that is missing is right.
    """
    settings = layer.settings if settings is None else settings
    for key, value in wanted.items():
        found = settings.get(key, value)
        if found != value:
            refuse(f"{key} {value!r} in {layer}", shown(found, 80))
    dtype = settings.get("dtype", "float32")
    if isinstance(dtype, Mapping):
        dtype = dtype.get("config", {}).get("name")
    if dtype != "float32":
        refuse(f"float32 in {layer}", shown(dtype, 80))


def require_last_axis(layer: Layer, last: int) -> None:
    """Refuses a layer that joins tensors along another axis than their last, counted from 0."""
    axis = layer.settings.get("axis", -1)
    if axis not in (-1, last):
        refuse(f"axis -1 in {layer}", shown(axis, 40))


def directions(lstm: Layer) -> list[Mapping[str, Any]]:
    """The settings of an LSTM, or of both in a `Bidirectional`."""
    if lstm.kind == "LSTM":
        return [lstm.settings]
    require(lstm, {"merge_mode": "concat"})
    inner = [lstm.settings.get(key) for key in ("layer", "backward_layer")]
    for one in filter(None, inner):
        kind = one.get("class_name") if isinstance(one, Mapping) else None
        if kind not in ("LSTM", "CuDNNLSTM"):
            refuse(f"an LSTM in {lstm}", shown(kind, 40))
    forward, backward = ((one or {}).get("config", {}) for one in inner)
    # The second is the first with go_backwards turned, unless someone gave another.
    backward = {**(backward or forward), "go_backwards": not backward.get("go_backwards", True)}
    return [forward, backward]


def wrapped_kind(lstm: Layer) -> str:
    """The class whose weights the file holds for an LSTM, or for each one in a `Bidirectional`."""
    if lstm.kind == "LSTM":
        return lstm.stored_as
    return lstm.settings["layer"]["class_name"]
