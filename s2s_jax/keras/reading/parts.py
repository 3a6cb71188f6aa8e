"""What one file of Keras holds: a whole model, its encoder, or its decoder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.activations import recurrent_activation
from s2s_jax.keras.reading.files import Opened, opened
from s2s_jax.keras.reading.graph import Side, Structure, recognise
from s2s_jax.keras.reading.layers import uses_dropout
from s2s_jax.keras.reading.layouts import COUNTS, ArchiveLayout, LegacyLayout, Reader, text
from s2s_jax.keras.reading.shapes import recognise_weights
from s2s_jax.keras.weights import LSTMWeights
from s2s_jax.runtime.files import shown


class Part(NamedTuple):
    """What one file holds; in half a model, what belongs to the other half is None."""

    path: Path
    structure: Structure
    recurrent_activation: str
    """By its name in `ModelConfig`."""
    encoder: LSTMWeights | None
    decoder: LSTMWeights | None
    output: tuple[np.ndarray, np.ndarray] | None
    """Kernel and bias."""
    optimizer: str
    learning_rate: float
    dropout: bool
    """Whether it was trained with dropout, as far as the file tells."""

    @property
    def kind(self) -> str:
        if self.encoder and self.decoder:
            return "whole model"
        return "encoder" if self.encoder else "decoder"


def read_part(path: Path, architecture: Any, asked: str) -> Part:
    """Reads one file.

    Args:
      path: `.h5` or `.keras`.
      architecture: what `model.to_json()` gave, if it was kept; None otherwise.
      asked: the recurrent activation, where the user says it.

    Raises:
      UserError: if the file is damaged or forged, or holds another model than the tutorial's.
    """
    with opened(path) as found:
        config = found.config if architecture is None else architecture
        archived = ArchiveLayout.fits(found.file)
        layout = ArchiveLayout(found.file) if archived else LegacyLayout(found.file)
        structure = None if config is None else recognise(config)
        kinds = structure.kinds if structure else layout.kinds()
        reader = Reader(found.file, found.size, layout.names(kinds))
        for layer, names in reader.names.items():
            if len(names) != COUNTS[kinds[layer]]:
                raise UserError(
                    f"expected {COUNTS[kinds[layer]]} weights of {shown(layer)}; found "
                    f"{len(names)}."
                )
        structure = structure or recognise_weights(kinds, reader)
        activation = recurrent_activation(
            structure.recurrent_activation, _version(found, config, archived), asked
        )
        return Part(
            path,
            structure,
            activation,
            *_weights(reader, structure),
            *_optimizer(found, config),
            config is not None and uses_dropout(config),
        )


def _version(found: Opened, config: Any, archived: bool) -> str:
    """Of the Keras that wrote a file; empty where nothing tells."""
    places = (found.file, found.file.get("model_weights", found.file))
    said = [found.version, *(text(place.attrs.get("keras_version", "")) for place in places)]
    if config is not None:
        # Keras 3 leaves its version out of model.to_json(), but names its own modules.
        own = str(config.get("module", "")).startswith("keras.src.models")
        said += [str(config.get("keras_version", "")), "3.0" if own else ""]
    elif archived:
        said.append("3.0")  # Or TensorFlow 2, with the same default.
    return next(filter(None, said), "")


def _optimizer(found: Opened, config: Any) -> tuple[str, float]:
    """The optimizer's class, as one name whoever wrote it, and its rate; empty and 0 without."""
    training = json.loads(found.file.attrs.get("training_config", "{}"))
    values = training.get("optimizer_config")
    if values is None and config is not None:
        values = (config.get("compile_config") or {}).get("optimizer")
    name, rate = "", 0.0
    if isinstance(values, Mapping):
        name = str(values.get("class_name", ""))
        settings = values.get("config", {})
        rate = settings.get("learning_rate", settings.get("lr", 0.0))  # Of Keras before 2.3.
    elif "optimizer/vars" in found.file:
        group = found.file["optimizer/vars"]
        name = text(group.attrs.get("name", ""))
        numbers = [item for item in group.values() if item.shape == ()]
        rate = next((float(x[()]) for x in numbers if x.dtype == np.float32), 0.0)
    # "Custom>RMSprop", "rm_sprop", "adam_1": one name, whatever wrote it.
    name = re.sub(r"(.*>|_\d+$|_)", "", name).lower()
    return name, rate if isinstance(rate, float) and 0 < rate < 1e3 else 0.0


def _weights(
    reader: Reader, structure: Structure
) -> tuple[LSTMWeights | None, LSTMWeights | None, tuple[np.ndarray, np.ndarray] | None]:
    """Reads the weights that the structure asks for, each against the shape it must have."""
    units = structure.units
    sides = (structure.encoder, structure.decoder)
    encoder, decoder = (
        side and _lstm_weights(reader, side, units, structure.kinds[side.lstm]) for side in sides
    )
    if decoder is None:
        return encoder, None, None
    kernel = reader.array(structure.output, 0, (units, decoder.vocab_size))
    return encoder, decoder, (kernel, reader.array(structure.output, 1, (decoder.vocab_size,)))


def _lstm_weights(reader: Reader, side: Side, units: int, stored_as: str) -> LSTMWeights:
    embedding = None
    if side.embedding is not None:
        embedding = reader.array(side.embedding, 0, (None, None))
    width = None if embedding is None else embedding.shape[1]
    cudnn = stored_as == "CuDNNLSTM"
    kernel = reader.array(side.lstm, 0, (width, 4 * units))
    recurrent_kernel = reader.array(side.lstm, 1, (units, 4 * units))
    bias = reader.array(side.lstm, 2, (8 * units if cudnn else 4 * units,))
    if cudnn:
        kernel, recurrent_kernel = _from_cudnn(kernel), _from_cudnn(recurrent_kernel)
        bias = bias[: 4 * units] + bias[4 * units :]
    return LSTMWeights(embedding, kernel, recurrent_kernel, bias)


def _from_cudnn(array: np.ndarray) -> np.ndarray:
    """Weights `[inputs, 4 * units]` of a CuDNNLSTM, which has `[units, inputs]` of each gate."""
    size = len(array)
    gates = [gate.reshape(-1, size).T for gate in np.split(array, 4, axis=1)]
    return np.ascontiguousarray(np.concatenate(gates, axis=1))
