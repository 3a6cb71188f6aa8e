"""The tutorial's models, recognised by how their layers are joined; names do not matter.

The training model is two LSTMs, the second started by the first's states, and a softmax over the
second's outputs; in front of each LSTM one-hot vectors, `Masking` over them, or an `Embedding`.
The encoder and the decoder that the tutorial cuts out of it are the halves of this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from s2s_jax.keras.reading.layers import MASK_KINDS, Layer, Reference, parse, refuse
from s2s_jax.runtime.files import shown

_LSTM = {
    "activation": "tanh",
    "use_bias": True,
    "go_backwards": False,
    "stateful": False,
    "time_major": False,
}
_DENSE = {"activation": "softmax", "use_bias": True}
_RECURRENT_ACTIVATIONS = ("sigmoid", "hard_sigmoid")


class Side(NamedTuple):
    """Encoder or decoder: the names of its layers, and whether it skips padded inputs."""

    lstm: str
    embedding: str | None
    masked: bool | None
    """None where the file does not tell."""


class Structure(NamedTuple):
    """The layers of the tutorial's model, or of one half of it: then the other side is None."""

    encoder: Side | None
    decoder: Side | None
    output: str
    """The Dense layer; empty in an encoder."""
    units: int
    recurrent_activation: str
    """By Keras's name, which has changed its meaning; empty where the file does not tell."""
    kinds: dict[str, str]
    """The class of every layer by its name, in the order of the configuration."""


def recognise(config: Any) -> Structure:
    """The structure of a model, from what Keras writes as `model_config` or `config.json`.

    Raises:
      UserError: for any other model, naming what was expected and what was found.
    """
    layers, outputs = parse(config)
    lstms = [layer.name for layer in layers.values() if layer.kind == "LSTM"]
    if len(lstms) > 2:
        refuse("one LSTM on each side", f"{len(lstms)}: {shown(', '.join(lstms), 80)}")
    encoder, decoder, output = _main_layers(layers, outputs)
    used: set[str] = set()
    if output is not None and decoder is not None:
        _require(output, _DENSE)
        _require(decoder, {**_LSTM, "return_sequences": True})
        used.add(output.name)
        mask = output.mask
        # Of no effect on a Dense layer.
        while mask and layers[mask[0].layer].kind in MASK_KINDS and mask[0].layer not in used:
            used.add(mask[0].layer)
            mask = layers[mask[0].layer].inputs
        if encoder is None:
            expected = "a decoder whose initial states are inputs"
            for state in _initial_states(decoder):
                used.add(_only([state], layers, "InputLayer", expected).name)
    if encoder is not None:
        _require(encoder, _LSTM)
        if len(encoder.inputs) != 1:
            refuse("a first LSTM that starts from zeros", "one with initial states")
    sides = [lstm and _side(lstm, layers, used) for lstm in (encoder, decoder)]
    if unused := [layer for layer in layers.values() if layer.name not in used]:
        refuse("two LSTMs and a Dense layer", f"also {unused[0].kind} {unused[0].name!r}")
    found = [lstm for lstm in (encoder, decoder) if lstm is not None]
    kinds = {layer.name: layer.stored_as for layer in layers.values()}
    return Structure(
        encoder=sides[0],
        decoder=sides[1],
        output=output.name if output else "",
        units=_units(found),
        recurrent_activation=_recurrent_activation(found),
        kinds=kinds,
    )


def _main_layers(
    layers: Mapping[str, Layer], outputs: Sequence[Reference]
) -> tuple[Layer | None, Layer | None, Layer | None]:
    """Encoder, decoder and output layer, without those that this model does not have."""
    over = "a Dense layer over an LSTM's outputs"
    states = outputs[-2:]
    if not states or layers[states[-1].layer].kind != "LSTM":
        output = _only(outputs, layers, "Dense", "one output, a Dense layer's")
        decoder = _only(output.inputs, layers, "LSTM", over)
        return _encoder_of(decoder, layers), decoder, output
    lstm = layers[states[-1].layer]
    if states != (Reference(lstm.name, 1), Reference(lstm.name, 2)):
        refuse("an LSTM's states h and c, in this order, as the last outputs", shown(outputs, 80))
    rest = outputs[:-2]
    if rest in ((), (Reference(lstm.name, 0),)):
        return lstm, None, None
    output = _only(rest, layers, "Dense", "a Dense layer's output before the states")
    if len(rest) > 1 or _only(output.inputs, layers, "LSTM", over) != lstm:
        refuse("a decoder of one LSTM and a Dense layer", shown(outputs, 80))
    return None, lstm, output


def _encoder_of(decoder: Layer, layers: Mapping[str, Layer]) -> Layer:
    """The LSTM whose states start the decoder's."""
    states = _initial_states(decoder)
    encoder = _only(states[:1], layers, "LSTM", "a second LSTM started by the first one", tensor=1)
    if states != (Reference(encoder.name, 1), Reference(encoder.name, 2)):
        refuse("the first LSTM's states h and c, in this order", shown(states, 80))
    return encoder


def _initial_states(decoder: Layer) -> tuple[Reference, ...]:
    if len(decoder.inputs) != 3:
        refuse("a second LSTM with two initial states", f"{len(decoder.inputs) - 1} of them")
    return decoder.inputs[1:]


def _units(lstms: Sequence[Layer]) -> int:
    """The units of all these LSTMs."""
    units = lstms[0].settings.get("units")
    if not isinstance(units, int) or units < 1 or units != lstms[-1].settings.get("units"):
        found = " and ".join(shown(lstm.settings.get("units"), 20) for lstm in lstms)
        refuse("two LSTMs of as many units", found)
    return units


def _recurrent_activation(lstms: Sequence[Layer]) -> str:
    """The activation of the gates of all these LSTMs."""
    found = [lstm.settings.get("recurrent_activation", "sigmoid") for lstm in lstms]
    if found[0] not in _RECURRENT_ACTIVATIONS or found[0] != found[-1]:
        refuse(
            f"one recurrent_activation in every LSTM, {' or '.join(_RECURRENT_ACTIVATIONS)}",
            " and ".join(shown(name, 40) for name in found),
        )
    return found[0]


def _side(lstm: Layer, layers: Mapping[str, Layer], used: set[str]) -> Side:
    """What stands between an LSTM and its input; adds the names of all these layers to `used`."""
    used.add(lstm.name)
    if not lstm.inputs:
        refuse("an input before each LSTM", f"none before {lstm.name!r}")
    feeder = layer = layers[lstm.inputs[0].layer]
    embedding, masked = None, False
    if feeder.kind == "Embedding":
        embedding, masked = feeder.name, bool(feeder.settings.get("mask_zero"))
    elif feeder.kind == "Masking":
        _require(feeder, {"mask_value": 0.0})
        masked = True
    if feeder.kind != "InputLayer":
        used.add(feeder.name)
        layer = _only(feeder.inputs, layers, "InputLayer", f"an input before {feeder.kind}")
    if layer.kind != "InputLayer" or lstm.inputs[0].tensor:
        refuse("one-hot vectors or an Embedding before each LSTM", f"{layer.kind} {layer.name!r}")
    used.add(layer.name)
    reference = lstm.mask
    for kind in MASK_KINDS[::-1] if feeder.kind == "Masking" else MASK_KINDS[:1]:
        if reference:
            operation = _only(reference, layers, kind, f"the mask of {feeder.kind}")
            _require(operation, {"axis": -1, "keepdims": False})
            used.add(operation.name)
            reference = operation.inputs
            if kind == "NotEqual" and (operation.constants != (0,) or not masked):
                refuse("the mask of what is not 0", f"{operation.constants}")
    if lstm.mask and reference != (Reference(layer.name, 0),):
        refuse(f"the mask of the input {layer.name!r}", shown(reference, 80))
    return Side(lstm.name, embedding, masked)


def _only(
    references: Sequence[Reference],
    layers: Mapping[str, Layer],
    kind: str,
    expected: str,
    tensor: int = 0,
) -> Layer:
    """The layer of this kind that the first reference names, checked."""
    if not references:
        refuse(expected, "nothing")
    layer = layers[references[0].layer]
    if layer.kind != kind or references[0].tensor != tensor:
        refuse(expected, f"tensor {references[0].tensor} of {layer.kind} {layer.name!r}")
    return layer


def _require(layer: Layer, wanted: Mapping[str, Any]) -> None:
    """Refuses a layer whose settings make it compute something else."""
    for key, value in wanted.items():
        found = layer.settings.get(key, value)
        if found != value:
            refuse(f"{key} {value!r} in {layer.kind} {layer.name!r}", shown(found, 80))
    dtype = layer.settings.get("dtype", "float32")
    if isinstance(dtype, Mapping):
        dtype = dtype.get("config", {}).get("name")
    if dtype != "float32":
        refuse(f"float32 in {layer.kind} {layer.name!r}", shown(dtype, 80))
