"""The tutorial's models, recognised by the shapes of their weights: for files of weights alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from s2s_jax.keras.reading.layers import Graph, Layer, Reference, refuse
from s2s_jax.runtime.files import shown

_REMEDY = "give the JSON of the architecture (model.to_json()) beside these weights"
_WITHOUT_WEIGHTS = ("InputLayer", "Masking")


def recognise_weights(kinds: Mapping[str, str], weights: Mapping[str, list[np.ndarray]]) -> Graph:
    """The model that weights fit, without a configuration.

    Layers, of which `kinds` gives the class, stand in the order of the model, where the encoder
    comes first; where only the other order fits the output layer, that one.

    Raises:
      UserError: if the weights are not those of the tutorial's model or of one half of it.
    """
    found: dict[str, list[str]] = {"LSTM": [], "Dense": [], "Embedding": [], "Masking": []}
    for name, kind in kinds.items():
        kind = {"TimeDistributed": "Dense", "CuDNNLSTM": "LSTM"}.get(kind, kind)
        if kind not in (*found, *_WITHOUT_WEIGHTS):
            refuse(
                "weights of LSTM, Embedding and Dense layers alone",
                f"{shown(kind, 40)} {shown(name, 40)!r}",
                _REMEDY,
            )
        found.setdefault(kind, []).append(name)
    lstms, dense, embeddings = found["LSTM"], found["Dense"], found["Embedding"]
    if (len(lstms), len(dense)) not in ((2, 1), (1, 1), (1, 0)):
        refuse(
            "weights of two LSTMs and a Dense layer",
            f"{len(lstms)} LSTMs and {len(dense)} Dense layers",
            _REMEDY,
        )
    if len(embeddings) not in (0, len(lstms)):
        refuse(
            "an Embedding before every LSTM or none",
            f"{len(embeddings)} Embeddings for {len(lstms)} LSTMs",
            _REMEDY,
        )

    # Only a Masking layer masks one-hot vectors; of an Embedding the weights do not tell.
    masked = len(found["Masking"])
    feeders = embeddings or [*found["Masking"], *[""] * (len(lstms) - masked)]
    sides = list(zip(lstms, feeders, strict=False))
    if dense:
        symbols = [len(weights[feeder if embeddings else lstm][0]) for lstm, feeder in sides]
        vocabulary = weights[dense[0]][0].shape[1]
        if symbols[-1] != vocabulary and symbols[0] == vocabulary:
            sides.reverse()
    return _graph(sides, dense, kinds, weights)


def _graph(
    sides: Sequence[tuple[str, str]],
    dense: Sequence[str],
    kinds: Mapping[str, str],
    weights: Mapping[str, list[np.ndarray]],
) -> Graph:
    """The tutorial's model, or a half of it, of these LSTMs and what stands before each."""
    layers: dict[str, Layer] = {}

    def add(name: str, kind: str, *inputs: Reference, **settings: Any) -> Reference:
        """Adds a layer and refers to its output."""
        layers[name] = Layer(name, kind, kinds.get(name, kind), settings, inputs)
        return Reference(name, 0)

    states: list[Reference] = []
    if dense and len(sides) == 1:
        states = [add(f"state {name}", "InputLayer") for name in "hc"]
    inputs, outputs = list(states), Reference("", 0)
    for number, (lstm, feeder) in enumerate(sides):
        below = add(f"input {number}", "InputLayer")
        inputs.insert(number, below)
        if feeder:
            masking = kinds[feeder] == "Masking"
            below = add(feeder, kinds[feeder], below, **({} if masking else {"mask_zero": None}))
        # A CuDNNLSTM has no other gates; otherwise the weights do not tell.
        gates = "sigmoid" if "CuDNNLSTM" in kinds.values() else ""
        units = weights[lstm][1].shape[0]
        outputs = add(lstm, "LSTM", below, *states, units=units, recurrent_activation=gates)
        states = [Reference(lstm, 1), Reference(lstm, 2)]
    if not dense:
        return Graph(layers, tuple(inputs), tuple(states))
    written = add(dense[0], "Dense", outputs)
    return Graph(layers, tuple(inputs), (written, *(states if len(sides) == 1 else ())))
