"""A Keras model's configuration -> its layers, and how they are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

# Keras 3 writes the mask of a layer down as operations on what that layer reads.
MASK_KINDS = ("NotEqual", "Any")
_KINDS = ("InputLayer", "Embedding", "Masking", "LSTM", "Dense", "Dropout", *MASK_KINDS)


class Reference(NamedTuple):
    """One of the tensors that a layer gives; an LSTM's are its outputs, h and c."""

    layer: str
    tensor: int


class Layer(NamedTuple):
    """A layer as the configuration has it.

    `inputs` are in the order of the call: the sequence, then the initial states. `constants` are
    the numbers among the arguments. `stored_as` is the class whose weights the file holds: not
    always the layer's own.
    """

    name: str
    kind: str
    stored_as: str
    settings: Mapping[str, Any]
    inputs: tuple[Reference, ...]
    mask: tuple[Reference, ...]
    constants: tuple[float, ...]


def parse(config: Any) -> tuple[dict[str, Layer], tuple[Reference, ...]]:
    """The layers of a functional model by their names, and its outputs.

    Raises:
      UserError: for anything that Keras would not write, and for layers that cannot be read here.
    """
    kind = config.get("class_name") if isinstance(config, Mapping) else None
    if kind not in ("Functional", "Model"):
        refuse("a functional model", shown(kind, 40))
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
        refuse("the layers of a model as Keras writes them", shown(error, 80))
    return _without_dropout(layers, outputs)


def _without_dropout(
    layers: Mapping[str, Layer], outputs: tuple[Reference, ...]
) -> tuple[dict[str, Layer], tuple[Reference, ...]]:
    """The same model without its Dropout layers, which do nothing outside training."""

    def source(reference: Reference) -> Reference:
        for _ in layers:  # No chain is longer.
            layer = layers[reference.layer]
            if layer.kind != "Dropout":
                return reference
            if layer.inputs:
                reference = layer.inputs[0]
        refuse("an input of each Dropout layer", f"none of {shown(reference.layer, 40)!r}")

    kept = {
        name: layer._replace(inputs=tuple(map(source, layer.inputs)))
        for name, layer in layers.items()
        if layer.kind != "Dropout"
    }
    return kept, tuple(map(source, outputs))


def uses_dropout(config: Any) -> bool:
    """Whether training a model drops anything, in layers of its own or in its LSTMs."""
    settings = [layer["config"] for layer in config["config"]["layers"]]
    return any(s.get(key) for s in settings for key in ("rate", "dropout", "recurrent_dropout"))


def _layer(values: Mapping[str, Any]) -> Layer:
    """One layer; refused unless it is one of Keras's own that can be read here."""
    kind, name, nodes = values["class_name"], values["config"]["name"], values["inbound_nodes"]
    # In Keras 3 each layer names its module; a class that someone registered has another one.
    module, settings, stored_as = values.get("module") or "keras.layers", values["config"], kind
    if kind == "CuDNNLSTM":  # An LSTM of the tutorial's kind, whose weights are laid out otherwise.
        kind = "LSTM"
    if kind == "TimeDistributed":  # Of no effect on a Dense layer.
        kind, settings = settings["layer"]["class_name"], settings["layer"]["config"]
        if kind != "Dense":
            refuse_kind(f"TimeDistributed {kind}", str(name))
    if kind not in _KINDS or not module.startswith("keras.") or ">" in str(kind):
        refuse_kind(str(kind), str(name))
    if len(nodes) > 1:
        refuse("layers that are used once", f"{kind} {shown(name, 40)!r} used {len(nodes)} times")
    arguments: Any = nodes
    mask: Any = ()
    if nodes and isinstance(nodes[0], Mapping):
        mask = nodes[0]["kwargs"].get("mask")
        arguments = [nodes[0]["args"], nodes[0]["kwargs"].get("initial_state")]
    return Layer(
        name,
        kind,
        stored_as,
        settings,
        _references(arguments),
        _references(mask),
        _numbers(arguments),
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


def refuse_kind(kind: str, name: str) -> NoReturn:
    """Refuses a model for one of its layers, by name."""
    known = ", ".join(_KINDS[:5])
    refuse(f"layers of the tutorial ({known})", f"{shown(kind, 40)} {shown(name, 40)!r}")


def refuse(expected: str, found: str) -> NoReturn:
    """Refuses a model that is not the tutorial's."""
    raise UserError(
        f"the tutorial's model was expected, but this one differs: expected {expected}; found "
        f"{found}."
    )
