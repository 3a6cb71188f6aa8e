"""Files of Keras -> one model, whatever it was saved as.

That is the whole training model, or the encoder and the decoder that decode with it; each as a
model, or as weights alone, with or without the configuration that `model.to_json()` gives.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.files import is_architecture, read_architecture
from s2s_jax.keras.reading.graph import Structure, recognise
from s2s_jax.keras.reading.halves import is_of_decoder, join
from s2s_jax.keras.reading.layers import Layer, refuse, refuse_damaged
from s2s_jax.keras.reading.params import model_settings, read_params
from s2s_jax.keras.reading.parts import Part, read_part

_FLAG = "--recurrent-activation"


class KerasModel(NamedTuple):
    """What was read; `optimizer` is in lower case and empty where the files have none."""

    structure: Structure
    settings: dict[str, Any]
    """Of `ModelConfig`, but for the sizes of the vocabularies."""
    params: Any
    """Of a `Seq2Seq`, but that rows of symbols are in Keras's order."""
    optimizer: str
    learning_rate: float
    dropout: bool
    halves: bool
    """Whether encoder and decoder came from files of their own."""


def read_model(paths: Sequence[Path], gates: str = "") -> KerasModel:
    """Reads one model from its files.

    Args:
      paths: the whole model, or its encoder and its decoder; each may have the JSON of its
        architecture beside it, in the same order.
      gates: the recurrent activation, where the files do not tell.

    Raises:
      UserError: if h5py is missing, a file is damaged or forged, its model is none that ours can
        express, or a half is missing.
    """
    architectures = [path for path in paths if is_architecture(path)]
    files = [path for path in paths if path not in architectures]
    if not files:
        raise UserError(f"{paths[0]} is an architecture; name the file of its weights as well.")
    if len(architectures) not in (0, len(files)):
        raise UserError(
            "each file of weights was expected to have its architecture, or none; found "
            f"{len(architectures)} for {len(files)} files."
        )
    configs = [read_architecture(path) for path in architectures] or [None] * len(files)
    parts = [read_part(path, config) for path, config in zip(files, configs, strict=True)]
    parts.sort(key=lambda part: part.kind == "decoder")
    if [part.kind for part in parts] not in (["whole model"], ["encoder", "decoder"]):
        raise UserError(_what_is_wrong(parts))
    try:
        return _model(parts, gates)
    except UserError as error:
        named = " and ".join(str(part.path) for part in parts)
        raise UserError(f"{named}: {error}") from None


def _model(parts: list[Part], gates: str) -> KerasModel:
    """One model from a whole one, or from an encoder and a decoder."""
    first, last = parts[0], parts[-1]

    def arrays(name: str, layer: Layer) -> list[np.ndarray]:
        """The weights of a layer, in the file of the half that it comes from."""
        part = last if is_of_decoder(name) else first
        return part.weights.get(layer.name, [])

    try:
        graph = first.graph if first is last else join(first.graph, last.graph)
        structure = recognise(graph)
        params = read_params(graph, structure, arrays)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        refuse_damaged(error)
    named = structure.recurrent_activation
    activations = [recurrent_activation(named, part.version, gates) for part in parts]
    if activations[0] != activations[-1]:
        gates = f"gates {' and '.join(activations)}"
        refuse("an encoder and a decoder of one model", gates, "give two that were saved together")
    return KerasModel(
        structure,
        {**model_settings(structure, params), "recurrent_activation": activations[0]},
        params,
        first.optimizer or last.optimizer,
        first.learning_rate or last.learning_rate,
        first.dropout or last.dropout,
        first is not last,
    )


def recurrent_activation(named: str, version: str, asked: str) -> str:
    """The function of an LSTM's gates, by its name in `ModelConfig`.

    `hard_sigmoid` was clip(0.2 x + 0.5, 0, 1) up to Keras 2, and the default of LSTM before Keras
    2.3 (in TensorFlow before 2.0). In Keras 3 it is clip((x + 3) / 6, 0, 1).

    Args:
      named: by the file, in Keras's words; empty for weights without a configuration.
      version: of the Keras that wrote the file; empty where it is not known.
      asked: by the user, or empty.

    Raises:
      UserError: if the file does not tell and the user does not, or they contradict each other.
    """
    if asked:
        if named and (named == "sigmoid") != (asked == "sigmoid"):
            raise UserError(f"the gates of this model are {named}, so not {asked}; drop {_FLAG}.")
        return asked
    numbers = re.match(r"(\d+)\.(\d+)", version)
    number = (int(numbers[1]), int(numbers[2])) if numbers else None
    if not named:
        # TensorFlow 1.13 to 2.1 all say 2.2.4-tf, and the default changed between them.
        if number is None or (number < (2, 3) and "tf" in version):
            raise UserError(
                "weights alone do not say what gates they were trained with: add "
                f"{_FLAG} sigmoid (Keras from 2.3 on, TensorFlow 2) or "
                f"{_FLAG} keras2_hard_sigmoid (Keras before 2.3, TensorFlow 1)."
            )
        named = "sigmoid" if number >= (2, 3) else "hard_sigmoid"
    if named == "sigmoid":
        return "sigmoid"
    if number is None:
        raise UserError(
            "the gates of this model are hard_sigmoid, which is another function since Keras 3, "
            f"and the file does not say which Keras wrote it: add {_FLAG} keras2_hard_sigmoid "
            f"(before Keras 3) or {_FLAG} hard_sigmoid (Keras 3)."
        )
    return "hard_sigmoid" if number >= (3, 0) else "keras2_hard_sigmoid"


def _what_is_wrong(parts: list[Part]) -> str:
    """The message for files that do not make one model."""
    if len(parts) == 1:
        other = {"encoder": "decoder", "decoder": "encoder"}[parts[0].kind]
        return (
            f"{parts[0].path} is the {parts[0].kind} of a model, without its {other}; give both: "
            "import ENCODER DECODER."
        )
    found = ", ".join(f"{part.path} ({part.kind})" for part in parts)
    return f"one whole model, or one encoder and one decoder, were expected; found {found}."
