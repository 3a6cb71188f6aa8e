"""A Keras model's configuration -> the tutorial's structure, recognised by how layers are joined.

Two LSTMs, the second started by the first's states, and a softmax over the second's outputs; in
front of each LSTM one-hot vectors, `Masking` over them, or an `Embedding`. Names do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_LSTM = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "go_backwards": False,
    "stateful": False,
}
_DENSE = {"activation": "softmax", "use_bias": True}
# Keras 3 writes the mask of a layer down as operations on what that layer reads.
_MASK_KINDS = ("NotEqual", "Any")
_KINDS = ("InputLayer", "Embedding", "Masking", "LSTM", "Dense", *_MASK_KINDS)


class Reference(NamedTuple):
    """One of the tensors that a layer gives; an LSTM's are its outputs, h and c."""

    layer: str
    tensor: int


class Layer(NamedTuple):
    """A layer as the configuration has it.

    `inputs` are in the order of the call: the sequence, then the initial states. `constants` are
    the numbers among the arguments.
    """

    name: str
    kind: str
    settings: Mapping[str, Any]
    inputs: tuple[Reference, ...]
    mask: tuple[Reference, ...]
    constants: tuple[float, ...]


class Side(NamedTuple):
    """Encoder or decoder: the names of its layers, and whether it skips padded inputs."""

    lstm: str
    embedding: str | None
    masked: bool


class Structure(NamedTuple):
    """The tutorial's model: names of layers, and the units of both LSTMs."""

    encoder: Side
    decoder: Side
    output: str
    units: int
    kinds: dict[str, str]
    """The class of every layer by its name, in the order of the configuration."""


def recognise(config: Any) -> Structure:
    """The structure of a model, from what Keras writes as `model_config` or `config.json`.

    Raises:
      UserError: for any other model, naming what was expected and what was found.
    """
    layers, outputs = _parse(config)
    output = _only(outputs, layers, "Dense", "one output, a Dense layer's")
    _require(output, _DENSE)
    decoder = _only(output.inputs, layers, "LSTM", "a Dense layer over an LSTM's outputs")
    _require(decoder, {**_LSTM, "return_sequences": True})
    if len(decoder.inputs) != 3:
        _refuse("a second LSTM with two initial states", f"{len(decoder.inputs) - 1} of them")
    states = decoder.inputs[1:]
    encoder = _only(states[:1], layers, "LSTM", "a second LSTM started by the first one", tensor=1)
    if states != (Reference(encoder.name, 1), Reference(encoder.name, 2)):
        _refuse("the first LSTM's states h and c, in this order", shown(states, 80))
    _require(encoder, _LSTM)
    if len(encoder.inputs) != 1 or encoder.name == decoder.name:
        _refuse("a first LSTM that starts from zeros", "one with initial states")
    used = {output.name, decoder.name, encoder.name}
    sides = [_side(lstm, layers, used) for lstm in (encoder, decoder)]
    if unused := [layer for layer in layers.values() if layer.name not in used]:
        _refuse("two LSTMs and a Dense layer", f"also {unused[0].kind} {unused[0].name!r}")
    units = encoder.settings.get("units")
    if not isinstance(units, int) or units < 1 or decoder.settings.get("units") != units:
        found = f"{shown(units, 20)} and {shown(decoder.settings.get('units'), 20)}"
        _refuse("two LSTMs of as many units", found)
    kinds = {layer.name: layer.kind for layer in layers.values()}
    return Structure(*sides, output.name, units, kinds)


def _side(lstm: Layer, layers: Mapping[str, Layer], used: set[str]) -> Side:
    """What stands between an LSTM and its input; adds the names of those layers to `used`."""
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
        _refuse("one-hot vectors or an Embedding before each LSTM", f"{layer.kind} {layer.name!r}")
    used.add(layer.name)
    reference = lstm.mask
    for kind in _MASK_KINDS[::-1] if feeder.kind == "Masking" else _MASK_KINDS[:1]:
        if reference:
            operation = _only(reference, layers, kind, f"the mask of {feeder.kind}")
            _require(operation, {"axis": -1, "keepdims": False})
            used.add(operation.name)
            reference = operation.inputs
            if kind == "NotEqual" and (operation.constants != (0,) or not masked):
                _refuse("the mask of what is not 0", f"{operation.constants}")
    if lstm.mask and reference != (Reference(layer.name, 0),):
        _refuse(f"the mask of the input {layer.name!r}", shown(reference, 80))
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
        _refuse(expected, "nothing")
    layer = layers[references[0].layer]
    if layer.kind != kind or references[0].tensor != tensor:
        _refuse(expected, f"tensor {references[0].tensor} of {layer.kind} {layer.name!r}")
    return layer


def _require(layer: Layer, wanted: Mapping[str, Any]) -> None:
    """Refuses a layer whose settings make it compute something else."""
    for key, value in wanted.items():
        found = layer.settings.get(key, value)
        if found != value:
            _refuse(f"{key} {value!r} in {layer.kind} {layer.name!r}", shown(found, 80))
    dtype = layer.settings.get("dtype", "float32")
    if isinstance(dtype, Mapping):
        dtype = dtype.get("config", {}).get("name")
    if dtype != "float32":
        _refuse(f"float32 in {layer.kind} {layer.name!r}", shown(dtype, 80))


def _parse(config: Any) -> tuple[dict[str, Layer], tuple[Reference, ...]]:
    """The layers by their names, and the model's outputs."""
    kind = config.get("class_name") if isinstance(config, Mapping) else None
    if kind not in ("Functional", "Model"):
        _refuse("a functional model", shown(kind, 40))
    layers: dict[str, Layer] = {}
    try:
        for values in config["config"]["layers"]:
            layer = _layer(values)
            layers[layer.name] = layer
        outputs = _references(config["config"]["output_layers"])
        named = [reference for layer in layers.values() for reference in layer.inputs + layer.mask]
        if missing := {r.layer for r in [*named, *outputs]} - set(layers):
            raise ValueError(f"no layer {missing.pop()!r}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        _refuse("the layers of a model as Keras writes them", shown(error, 80))
    return layers, outputs


def _layer(values: Mapping[str, Any]) -> Layer:
    """One layer; refused when it is not one of Keras's own that are known here."""
    kind, name, nodes = values["class_name"], values["config"]["name"], values["inbound_nodes"]
    # Of Keras 3 each layer names its module; a class registered by somebody has another one.
    module = values.get("module") or "keras.layers"
    if kind not in _KINDS or not module.startswith("keras.") or ">" in str(kind):
        known = ", ".join(_KINDS[:5])
        _refuse(f"layers of the tutorial ({known})", f"{shown(kind, 40)} {shown(name, 40)!r}")
    if len(nodes) > 1:
        _refuse("layers that are used once", f"{kind} {shown(name, 40)!r} used {len(nodes)} times")
    arguments: Any = nodes
    mask: Any = ()
    if nodes and isinstance(nodes[0], Mapping):
        mask = nodes[0]["kwargs"].get("mask")
        arguments = [nodes[0]["args"], nodes[0]["kwargs"].get("initial_state")]
    return Layer(
        name, kind, values["config"], _references(arguments), _references(mask), _numbers(arguments)
    )


def _references(value: Any) -> tuple[Reference, ...]:
    """The tensors named in the arguments of a layer, in their order.

    Keras 3 has objects of class `__keras_tensor__`; Keras 2 has lists of the layer's name, its
    node, its tensor and the other arguments.
    """
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            layer, _, tensor = value["config"]["keras_history"]
            return (Reference(layer, tensor),)
        return _references(list(value.values()))
    if not isinstance(value, list):
        return ()
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[2], int):
        return (Reference(value[0], value[2]), *_references(value[3:]))
    return tuple(reference for item in value for reference in _references(item))


def _numbers(value: Any) -> tuple[float, ...]:
    """The numbers that stand directly among the positional arguments of Keras 3."""
    if not isinstance(value, list) or not value or not isinstance(value[0], list):
        return ()
    return tuple(item for item in value[0] if isinstance(item, (int, float)))


def _refuse(expected: str, found: str) -> NoReturn:
    raise UserError(
        f"the tutorial's training model was expected, but it differs: expected {expected}; "
        f"found {found}."
    )
