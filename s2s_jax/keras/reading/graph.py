"""Encoder-decoder models, recognised by how their layers are joined; names do not matter.

A stack of LSTMs reads the source, each in one direction or both. A second stack starts from the
states that the first ends with, may attend to its outputs, and has a softmax on top. In front of
each stack stand one-hot vectors, `Masking` over them, or an `Embedding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from s2s_jax.keras.reading.heads import Attention, attention
from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.keras.reading.sides import (
    Side,
    Start,
    check_lstms,
    check_mask,
    goes_backwards,
    side,
    starts,
)
from s2s_jax.keras.reading.walking import LSTMS, directions, only, require, require_last_axis
from s2s_jax.runtime.files import shown

_FEEDERS = ("InputLayer", "Masking", "Embedding")
_RECURRENT_ACTIVATIONS = ("sigmoid", "hard_sigmoid", "")  # The last where the file does not tell.


class Structure(NamedTuple):
    """The layers of a model, by their names in its graph."""

    encoder: Side
    decoder: Side
    starts: tuple[tuple[Start, Start], ...]
    """What the h and the c of each of the decoder's LSTMs start from."""
    attention: Attention | None
    attends_embedding: bool
    """Whether what is attended to is the encoder's outputs with its embeddings beside them."""
    residual: bool
    """Whether every LSTM above the first is added to the one below it."""
    readout: str
    """A linear layer below the output layer, or empty."""
    output: str
    units: int
    bidirectional: bool
    backwards: bool
    """Whether the encoder reads what it is given from the last to the first."""
    recurrent_activation: str
    """By Keras's name, which has changed its meaning; empty where the file does not tell."""


class _Stack(NamedTuple):
    """LSTMs from the top down, and what stands between them."""

    lstms: tuple[str, ...] = ()
    residual: tuple[bool, ...] = ()
    """Of each but the lowest: whether it is added to what it reads."""
    attention: Attention | None = None
    above: int = 0
    """How many of the LSTMs stand above the attention."""
    values: Reference | None = None
    """The encoder's outputs that it attends to."""
    beside: str = ""
    """The Embedding that it attends to beside them, or empty."""


def recognise(graph: Graph) -> Structure:
    """The structure of a whole model.

    Raises:
      UserError: for any other model, naming what was expected and what was found.
    """
    output, readout, top = _output(graph)
    decoder = _stack(graph, top, attends=True)
    encoder = _encoder(graph, decoder)
    added = {*encoder.residual, *decoder.residual}
    if len(added) > 1:
        refuse("each LSTM above the first added to the one below it, or none", "some")
    if decoder.attention and decoder.above != (len(decoder.lstms) - 1) * (added == {True}):
        refuse(
            "attention above the decoder's top LSTM, or above its first one where layers are "
            "added to those below",
            f"{decoder.above} LSTMs above it",
        )
    sides = [side(graph, stack.lstms) for stack in (encoder, decoder)]
    both = [graph.layers[name] for side in sides for name in side.lstms]
    backwards = goes_backwards(graph, sides[0], "attention" * bool(decoder.attention))
    check_lstms(both[1:] if backwards else both)
    for name in sides[0].lstms:
        check_mask(graph, graph.layers[name], sides[0])
    if sides[0].masked and decoder.attention and not decoder.attention.masked:
        refuse("Attention, which skips padding as the encoder does", "Dot, which does not")
    if decoder.beside and (backwards or decoder.beside != sides[0].embedding):
        refuse(
            "attention to the Embedding that the encoder reads", str(graph.layers[decoder.beside])
        )
    units, bidirectional = _units(graph, *sides)
    return Structure(
        encoder=sides[0],
        decoder=sides[1],
        starts=starts(graph, sides[0].lstms, sides[1].lstms, bidirectional),
        attention=decoder.attention,
        attends_embedding=bool(decoder.beside),
        residual=added != {False},
        readout=readout,
        output=output,
        units=units,
        bidirectional=bidirectional,
        backwards=backwards,
        recurrent_activation=_recurrent_activation(both),
    )


def _output(graph: Graph) -> tuple[str, str, Reference]:
    """The output layer, a linear layer below it or an empty name, and what the lower reads."""
    top, wanted = graph.outputs, ("softmax", "linear")
    if top and graph.at(top[0]).kind in ("Activation", "Softmax"):
        require(graph.at(top[0]), {"activation": "softmax", "axis": -1})
        top, wanted = graph.at(top[0]).inputs, ("linear",)
    output = only(graph, top, "Dense", "one output, a Dense layer's")
    if output.settings.get("activation", "linear") not in wanted:
        require(output, {"activation": wanted[0]})
    require(output, {})
    below, readout = output.inputs, ""
    if below and graph.at(below[0]).kind == "Dense":
        layer = graph.at(below[0])
        if layer.settings.get("activation", "linear") == "linear":
            readout, below = below[0].layer, layer.inputs
    if len(below) != 1:
        refuse("an LSTM or attention below the output layer", f"{len(below)} tensors")
    return top[0].layer, readout, below[0]


def _stack(graph: Graph, reference: Reference, attends: bool) -> _Stack:
    """The LSTMs below a tensor, and with `attends` the attention among them."""
    found = _Stack()
    for _ in graph.layers:  # No stack is higher.
        layer = graph.at(reference)
        if attends and not found.attention and layer.kind in ("Dense", "Concatenate"):
            head, reference, values = attention(graph, reference)
            values, beside = _outputs(graph, values)
            above = len(found.lstms)
            found = found._replace(attention=head, above=above, values=values, beside=beside)
            continue
        added, name = _added(graph, reference)
        lstm = graph.layers[name]
        if not lstm.inputs:
            refuse("an input before each LSTM", f"none before {lstm}")
        found = found._replace(lstms=(*found.lstms, name))
        reference = lstm.inputs[0]
        if graph.at(reference).kind in _FEEDERS and not added:
            return found
        found = found._replace(residual=(*found.residual, added))
    refuse("one-hot vectors or an Embedding before each LSTM", str(graph.at(reference)))


def _outputs(graph: Graph, values: Reference) -> tuple[Reference, str]:
    """Of what is attended to: the encoder's outputs, and the Embedding beside them or ""."""
    layer = graph.at(values)
    if layer.kind != "Concatenate":
        return values, ""
    require_last_axis(layer, 2)
    kinds = [graph.at(each).kind for each in layer.inputs]
    if len(kinds) != 2 or kinds[1] != "Embedding":
        refuse(f"the encoder's outputs, then its embeddings, in {layer}", shown(kinds, 80))
    return layer.inputs[0], layer.inputs[1].layer


def _added(graph: Graph, reference: Reference) -> tuple[bool, str]:
    """Whether a tensor is the sum of an LSTM's outputs and of what it reads; the LSTM."""
    layer, added = graph.at(reference), False
    if layer.kind == "Add" and len(layer.inputs) == 2:
        for one, other in (layer.inputs, layer.inputs[::-1]):
            if graph.at(one).kind in LSTMS and graph.at(one).inputs[:1] == (other,):
                added, reference = True, one
    layer = graph.at(reference)
    if layer.kind not in LSTMS or reference.tensor:
        refuse("an LSTM's outputs", f"tensor {reference.tensor} of {layer}")
    return added, reference.layer


def _encoder(graph: Graph, decoder: _Stack) -> _Stack:
    """The other LSTMs: one stack, started from zeros."""
    for name in decoder.lstms:
        require(graph.layers[name], {"return_sequences": True})
        if graph.layers[name].kind != "LSTM":
            refuse("LSTMs of one direction in the decoder", str(graph.layers[name]))
    others = {
        name
        for name, layer in graph.layers.items()
        if layer.kind in LSTMS and name not in decoder.lstms
    }
    for name in others:
        if len(graph.layers[name].inputs) > 1:
            refuse("an encoder that starts from zeros", f"initial states of {graph.layers[name]}")
    if not any(graph.layers[name].inputs[1:] for name in decoder.lstms):
        found = f"{len(graph.layers[decoder.lstms[0]].inputs) - 1} of them"
        refuse("a decoder's LSTM with two initial states", found)
    tops = [decoder.values] if decoder.values else [Reference(name, 0) for name in sorted(others)]
    for stack in (_stack(graph, top, attends=False) for top in tops):
        if set(stack.lstms) == others:
            # Unless something attends to it, nothing reads what the top LSTM is added to.
            return stack if decoder.values else stack._replace(residual=stack.residual[1:])
    named = ", ".join(sorted(str(graph.layers[name]) for name in others))
    refuse("an encoder of one stack of LSTMs", shown(named or "none", 120))


def _units(graph: Graph, encoder: Side, decoder: Side) -> tuple[int, bool]:
    """Units of the decoder's LSTMs, and whether those of the encoder have two directions."""
    sizes = {
        name: [settings.get("units", 0) for settings in directions(graph.layers[name])]
        for name in (*encoder.lstms, *decoder.lstms)
    }
    numbers = [number for both in sizes.values() for number in both]
    kinds = {graph.layers[name].kind for name in encoder.lstms}
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        refuse("LSTMs with a number of units", shown(numbers, 80))
    if len(kinds) > 1:
        refuse("an encoder whose LSTMs have all one direction or all both", "both kinds")
    wide = {sum(both) for both in sizes.values()}
    if len(wide) > 1 or len({size for n in encoder.lstms for size in sizes[n]}) > 1:
        found = ", ".join(
            f"{graph.layers[name]} {' + '.join(map(str, both))}" for name, both in sizes.items()
        )
        refuse("LSTMs of as many units (both directions of one added)", shown(found, 160))
    return wide.pop(), kinds == {"Bidirectional"}


def _recurrent_activation(lstms: Sequence[Layer]) -> str:
    """The activation of the gates of all these LSTMs."""
    found = [
        settings.get("recurrent_activation", "sigmoid")
        for lstm in lstms
        for settings in directions(lstm)
    ]
    if found[0] not in _RECURRENT_ACTIVATIONS or len(set(map(str, found))) > 1:
        wanted = " or ".join(filter(None, _RECURRENT_ACTIVATIONS))
        refuse(
            f"one recurrent_activation in every LSTM, {wanted}",
            shown(" and ".join(map(str, found)), 80),
        )
    return found[0]
