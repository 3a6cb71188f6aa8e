"""Files of Keras -> one model, whatever it was saved as.

That is the whole training model, or the encoder and the decoder that decode with it; each as a
model, or as weights alone, with or without the configuration that `model.to_json()` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.files import is_architecture, read_architecture
from s2s_jax.keras.reading.graph import Side
from s2s_jax.keras.reading.parts import Part, read_part
from s2s_jax.keras.weights import Weights


class KerasModel(NamedTuple):
    """What was read; `optimizer` is in lower case and empty where the files have none."""

    encoder: Side
    decoder: Side
    units: int
    recurrent_activation: str
    """By its name in `ModelConfig`."""
    weights: Weights
    optimizer: str
    learning_rate: float
    dropout: bool


def read_model(paths: Sequence[Path], recurrent_activation: str = "") -> KerasModel:
    """Reads one model from its files.

    Args:
      paths: the whole model, or its encoder and its decoder; each may have the JSON of its
        architecture beside it, in the same order.
      recurrent_activation: of the gates, where the files do not tell.

    Raises:
      UserError: if h5py is missing, a file is damaged or forged, its model is another one than
        the tutorial's, or a half is missing.
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
    return _join(
        [
            read_part(path, config, recurrent_activation)
            for path, config in zip(files, configs, strict=True)
        ]
    )


def _join(parts: list[Part]) -> KerasModel:
    """One model from a whole one, or from an encoder and a decoder."""
    parts = sorted(parts, key=lambda part: part.encoder is None)
    first, last = parts[0], parts[-1]
    if [part.kind for part in parts] not in (["whole model"], ["encoder", "decoder"]):
        raise UserError(_what_is_wrong(parts))
    sides = [(part.structure.units, part.recurrent_activation) for part in (first, last)]
    if sides[0] != sides[1]:
        found = " and ".join(f"{units} units with {gates} gates" for units, gates in sides)
        raise UserError(
            f"an encoder and a decoder of one model were expected; found {found} in {first.path} "
            f"and {last.path}: name two files that were saved together."
        )
    encoder, decoder = first.structure.encoder, last.structure.decoder
    assert encoder and decoder and first.encoder and last.decoder and last.output  # By their kind.
    return KerasModel(
        encoder,
        decoder,
        *sides[0],
        Weights(first.encoder, last.decoder, *last.output),
        first.optimizer or last.optimizer,
        first.learning_rate or last.learning_rate,
        first.dropout or last.dropout,
    )


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
