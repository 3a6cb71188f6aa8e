"""A Keras model's configuration -> its layers, and how they are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_KNOWN = (
    "InputLayer", "Embedding", "Masking", "LSTM", "Bidirectional", "Attention",
    "MultiHeadAttention", "Dot", "Concatenate", "Add", "Average", "Dense", "Activation", "Softmax",
)  # fmt: skip
_TRAINING_ONLY = (
    "Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout",
    "ActivityRegularization",
)  # fmt: skip
"""Layers that do nothing outside training."""
_IN_TIME_DISTRIBUTED = ("Dense", "Activation", "Dropout")
"""Layers that do at every step what they do without `TimeDistributed`."""
# Keras 3 writes the masks of layers down as operations on what these layers read.
_OPERATIONS = (
    "NotEqual", "Any", "LogicalOr", "LogicalAnd", "ExpandDims", "ZerosLike", "ConvertToTensor",
)  # fmt: skip

_REMEDY = "train a model here on the same data instead (train.py --data FILE)"


class Reference(NamedTuple):
    """One of the tensors that a layer gives; an LSTM's are its outputs, h and c."""

    layer: str
    tensor: int


class Layer(NamedTuple):
    """A layer as it is called at one place of a model.

    `inputs` are in the order of the call: the sequence, then the initial states. `constants` are
    the numbers among the arguments, `flags` the named arguments that are true. `stored_as` is the
    class whose weights the file holds: not always the layer's own.
    """

    name: str
    kind: str
    stored_as: str
    settings: Mapping[str, Any]
    inputs: tuple[Reference, ...] = ()
    mask: tuple[Reference, ...] = ()
    constants: tuple[float, ...] = ()
    flags: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.kind} {shown(self.name, 40)!r}"


class Graph(NamedTuple):
    """A functional model.

    `layers` are by a name for each call: a layer that is called again has another one there.
    """

    layers: dict[str, Layer]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]

    def at(self, reference: Reference) -> Layer:
        """The layer that gives a tensor."""
        return self.layers[reference.layer]


def parse(config: Any) -> Graph:
    """A functional model, without layers that do nothing outside training.

    Raises:
      UserError: for anything that Keras would not write, and for layers that cannot be read here.
    """
    kind = config.get("class_name") if isinstance(config, Mapping) else None
    if kind not in ("Functional", "Model"):
        refuse("a functional model", shown(kind, 40))
    layers: dict[str, Layer] = {}
    try:
        for values in config["config"]["layers"]:
            layers.update(_calls(values))
        inputs, outputs = (
            _references(config["config"][key]) for key in ("input_layers", "output_layers")
        )
        named = [reference for layer in layers.values() for reference in layer.inputs + layer.mask]
        if missing := {r.layer for r in [*named, *inputs, *outputs]} - set(layers):
            raise ValueError(f"no layer {missing.pop()!r}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        refuse_damaged(error)
    return _without_dropout(Graph(layers, inputs, outputs))


def _without_dropout(graph: Graph) -> Graph:
    """The same model without layers that do nothing outside training."""

    def source(reference: Reference) -> Reference:
        """What stands before such layers; raises `UserError` if they lead back to themselves."""
        for _ in graph.layers:  # No chain is longer.
            layer = graph.at(reference)
            if layer.kind not in _TRAINING_ONLY:
                return reference
            if layer.inputs:
                reference = layer.inputs[0]
        refuse("an input of each Dropout layer", f"none of {shown(reference.layer, 40)!r}")

    kept = {
        name: layer._replace(inputs=tuple(map(source, layer.inputs)))
        for name, layer in graph.layers.items()
        if layer.kind not in _TRAINING_ONLY
    }
    return Graph(kept, graph.inputs, tuple(map(source, graph.outputs)))


def uses_dropout(config: Any) -> bool:
    """Whether training a model drops anything, in layers of its own or in its LSTMs."""
    settings = [layer["config"] for layer in config["config"]["layers"]]
    settings += [s["layer"]["config"] for s in settings if isinstance(s.get("layer"), Mapping)]
    keys = ("rate", "stddev", "dropout", "recurrent_dropout")
    return any(s.get(key) for s in settings for key in keys)


def _calls(values: Mapping[str, Any]) -> dict[str, Layer]:
    """A layer at each of its places; refused unless it can be read here."""
    kind, name, nodes = values["class_name"], str(values["config"]["name"]), values["inbound_nodes"]
    # In Keras 3 each layer names its module; a class that someone registered has another one.
    module, settings, stored_as = values.get("module") or "keras.layers", values["config"], kind
    if kind == "CuDNNLSTM":  # An LSTM of the tutorial's kind, whose weights are laid out otherwise.
        kind = "LSTM"
    if kind == "TimeDistributed":
        kind, settings = settings["layer"]["class_name"], settings["layer"]["config"]
        if kind not in _IN_TIME_DISTRIBUTED:
            refuse_kind(f"TimeDistributed {kind}", name)
    known = kind in (*_KNOWN, *_TRAINING_ONLY, *_OPERATIONS)
    if not known or not module.startswith("keras.") or ">" in str(kind):
        refuse_kind(str(kind), name)
    calls, places = {}, list[Any](nodes or [[]])
    for number, node in enumerate(places):
        arguments: Any = node
        mask, flags = None, {}
        if isinstance(node, Mapping):
            mask, flags = node["kwargs"].get("mask"), node["kwargs"]
            arguments = [node["args"], node["kwargs"].get("initial_state")]
        elif node and isinstance(node[0], list):
            flags = next((item for item in node[0][3:] if isinstance(item, Mapping)), {})
        calls[_call_name(name, number)] = Layer(
            name, kind, stored_as, settings, _references(arguments), _references(mask),
            _numbers(arguments), frozenset(key for key, value in flags.items() if value is True),
        )  # fmt: skip
    return calls


def _call_name(layer: str, node: int) -> str:
    return layer if node == 0 else f"{layer} (call {node + 1})"


def _references(value: Any) -> tuple[Reference, ...]:
    """The tensors named in the arguments of a layer, in their order.

    Keras 3 has objects of class `__keras_tensor__`; Keras 2 has lists of the layer's name, its
    node, its tensor and the other arguments.
    """
    if isinstance(value, Mapping):
        if value.get("class_name") == "__keras_tensor__":
            layer, node, tensor = value["config"]["keras_history"]
            return (Reference(_call_name(layer, node), tensor),)
        return _references(list(value.values()))
    if not isinstance(value, list):
        return ()
    if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[2], int):
        return (Reference(_call_name(value[0], value[1]), value[2]), *_references(value[3:]))
    return tuple(reference for item in value for reference in _references(item))


def _numbers(value: Any) -> tuple[float, ...]:
    """The numbers that stand directly among the positional arguments of Keras 3."""
    if not isinstance(value, list) or not value or not isinstance(value[0], list):
        return ()
    return tuple(item for item in value[0] if isinstance(item, (int, float)))


def refuse_kind(kind: str, name: str) -> NoReturn:
    """Refuses a model for one of its layers, by name."""
    if kind in ("Functional", "Model", "Sequential"):
        refuse(
            "no models inside a model",
            f"{kind} {shown(name, 40)!r}",
            "where they are an encoder and a decoder, save each by itself and import both",
        )
    refuse(f"no layers but {', '.join(_KNOWN)}", f"{shown(kind, 40)} {shown(name, 40)!r}")


def refuse_damaged(error: Exception) -> NoReturn:
    """Refuses a model for what its configuration or its arrays led to."""
    again = "save the model with Keras again"
    refuse("the layers of a model as Keras writes them", shown(error, 80), again)


def refuse(expected: str, found: str, remedy: str = _REMEDY) -> NoReturn:
    """Refuses a model of another kind."""
    raise UserError(f"this model cannot be imported: expected {expected}; found {found}; {remedy}.")
