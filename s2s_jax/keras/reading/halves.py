"""The encoder and the decoder that people cut out of a model -> the model again."""

from __future__ import annotations

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.keras.reading.sides import MERGES
from s2s_jax.keras.reading.walking import LSTMS

_DECODER = "decoder: "  # Before the names of its layers, which may be those of the encoder.


def kind_of(graph: Graph) -> str:
    """Whether a graph is an "encoder", a "decoder" or a "whole model".

    An encoder gives states of LSTMs; in a decoder those that an LSTM starts from are inputs.
    """
    given = [r for layer in graph.layers.values() if layer.kind in LSTMS for r in layer.inputs[1:]]
    if any(graph.at(_origin(graph, reference)).kind == "InputLayer" for reference in given):
        return "decoder"
    states = [_origin(graph, reference) for reference in graph.outputs[-1:]]
    if states and graph.at(states[0]).kind in LSTMS and states[0].tensor and not given:
        return "encoder"
    return "whole model"


def _origin(graph: Graph, reference: Reference) -> Reference:
    """The state from which the encoder or the decoder may have made a tensor."""
    for _ in graph.layers:
        layer = graph.at(reference)
        if layer.kind not in (*MERGES, "Dense") or not layer.inputs:
            break
        reference = layer.inputs[0]
    return reference


def join(encoder: Graph, decoder: Graph) -> Graph:
    """The whole model: what the encoder gives in the place of the decoder's other inputs.

    Both are in the order in which a decode loop hands them on: sequences, and then states.
    """
    renamed = _renamed(decoder)
    given = {True: [], False: []}
    for reference in encoder.outputs:
        given[_is_sequence(encoder, reference)].append(reference)
    taken = {True: [], False: []}
    for reference in renamed.inputs:
        if not _reads_tokens(renamed, reference):
            taken[_is_attended(renamed, reference)].append(reference)
    if len(given[False]) != len(taken[False]) or len(given[True]) < len(taken[True]):
        refuse(
            f"{len(taken[False])} states and {len(taken[True])} sequences from the encoder",
            f"{len(given[False])} and {len(given[True])}",
            "give the encoder and the decoder of one model",
        )
    _check_states(renamed, taken[False])
    places = {
        place: reference
        for kind in (True, False)
        for place, reference in zip(taken[kind], given[kind], strict=False)
    }
    layers = {
        name: layer._replace(inputs=tuple(places.get(r, r) for r in layer.inputs))
        for name, layer in renamed.layers.items()
        if Reference(name, 0) not in places
    }
    return Graph({**encoder.layers, **layers}, encoder.inputs, renamed.outputs[:1])


def is_of_decoder(name: str) -> bool:
    """Whether a layer of a joined model comes from the decoder."""
    return name.startswith(_DECODER)


def _renamed(graph: Graph) -> Graph:
    """The same model with other names for its layers in the graph."""

    def new(references: tuple[Reference, ...]) -> tuple[Reference, ...]:
        """The references under the new names."""
        return tuple(r._replace(layer=_DECODER + r.layer) for r in references)

    layers = {
        _DECODER + name: layer._replace(inputs=new(layer.inputs), mask=new(layer.mask))
        for name, layer in graph.layers.items()
    }
    return Graph(layers, new(graph.inputs), new(graph.outputs))


def _readers(graph: Graph, reference: Reference) -> list[Layer]:
    return [layer for layer in graph.layers.values() if reference in layer.inputs]


def _reads_tokens(graph: Graph, reference: Reference) -> bool:
    """Whether an input of a decoder is its text: it is embedded, masked, or read step by step."""
    return any(
        layer.kind in ("Embedding", "Masking")
        or (layer.kind in LSTMS and layer.inputs[0] == reference)
        for layer in _readers(graph, reference)
    )


def _is_attended(graph: Graph, reference: Reference) -> bool:
    """Whether an input of a decoder is a sequence that attention reads, not a state."""
    settings = graph.at(reference).settings
    return len(settings.get("batch_shape") or settings.get("batch_input_shape") or ()) == 3


def _is_sequence(graph: Graph, reference: Reference) -> bool:
    """Whether a tensor is outputs of an LSTM, or of a layer over them, and no state of one."""
    for _ in graph.layers:
        layer = graph.at(reference)
        if layer.kind in LSTMS or not layer.inputs:
            return reference.tensor == 0
        reference = layer.inputs[0]
    return False


def _check_states(graph: Graph, given: list[Reference]) -> None:
    """Refuses a decoder that gives its states in another order than it takes them."""
    order = {}
    for name, layer in graph.layers.items():
        if layer.kind in LSTMS and len(layer.inputs) == 3:
            order |= {layer.inputs[i]: Reference(name, i) for i in (1, 2)}
    wanted = [order.get(reference) for reference in given]
    found = [r for r in graph.outputs[1:] if graph.at(r).kind in LSTMS and r.tensor]
    if found != wanted:
        refuse("a decoder that gives its states h and c in the order of its inputs", "another")
