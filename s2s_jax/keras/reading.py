"""Files of Keras -> structure and weights, read as plain data and checked before they are held.

`model.save("s2s.h5")` is one HDF5 file with the configuration as an attribute;
`model.save("s2s.keras")` is a zip of `config.json` and an HDF5 file.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.keras.graph import Side, Structure, recognise
from s2s_jax.keras.weights import LSTMWeights, Weights
from s2s_jax.runtime.files import shown

_MAX_CONFIG_BYTES = 1 << 24
_MOST_UNPACKED = 16  # Times the archive's own size: weights hardly shrink, a zip bomb does.
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\3\4"
_GROUPS = ("layers", "_layer_checkpoint_dependencies")  # Of Keras 3 and of tf.keras 2.12.


class KerasModel(NamedTuple):
    """What a file holds; `optimizer` is in lower case and empty where the file has none."""

    structure: Structure
    weights: Weights
    optimizer: str
    learning_rate: float


class _Reader(NamedTuple):
    """An open HDF5 file, and the names under which each layer's weights stand in it."""

    file: Any
    size: int  # Bytes of the file: no array can be larger.
    names: Mapping[str, list[str]]

    def array(self, layer: str, number: int, shape: tuple[int | None, ...]) -> np.ndarray:
        """One weight of a layer, float32; None in `shape` takes any size."""
        name = self.names[layer][number]
        dataset = _member(self.file, name)
        found = (getattr(dataset, "dtype", None), getattr(dataset, "shape", ()))
        fits = found[0] == np.float32 and len(found[1]) == len(shape)
        if not fits or any(w not in (None, n) for w, n in zip(shape, found[1], strict=True)):
            sizes = ", ".join("any" if n is None else str(n) for n in shape)
            raise UserError(
                f"{shown(name)} was expected to be float32 ({sizes}); found {found[0]} {found[1]}."
            )
        # Keras stores arrays as they are; one that fills itself in on reading may be of any size.
        stored = dataset.id.get_storage_size()
        if stored != dataset.nbytes or stored > self.size or dataset.external:
            raise UserError(
                f"{shown(name)} was expected to take {dataset.nbytes} bytes in the file; found "
                f"{stored} of {self.size}; save the model with Keras again."
            )
        return dataset[()]


def read_model(path: Path) -> KerasModel:
    """Reads a `.h5` or `.keras` file; which of them is told by its first bytes.

    Raises:
      UserError: when h5py is missing, the file is damaged or forged, or its model is another one
        than the tutorial's.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(
            "reading Keras's files needs h5py; install it with: pip install h5py "
            '(or this project as ".[keras]").'
        ) from None
    if not path.is_file():
        raise UserError(f"no such file: {path}; name the .h5 or .keras file that Keras saved.")
    try:
        with path.open("rb") as stream:
            start, size = stream.read(8), path.stat().st_size
            stream.seek(0)
            if start == _HDF5:
                with h5py.File(stream, "r") as file:
                    return _from_h5(file, size)
            if start[:4] == _ZIP:
                config, weights = _unzip(stream, size)
                with h5py.File(io.BytesIO(weights), "r") as file:
                    return _from_archive(file, len(weights), config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    # h5py and zipfile raise OSError, KeyError, ValueError, RuntimeError, ... on damaged files.
    except Exception as error:
        reason = shown(f"{type(error).__name__}: {error}", 120)
        raise UserError(f"{path} is damaged ({reason}); save the model with Keras again.") from None
    raise UserError(
        f"{path} was expected to be HDF5 (.h5) or a zip (.keras), as Keras's model.save writes "
        f"them, but it begins with {start!r}; save the model with Keras as .keras."
    )


def _unzip(stream: BinaryIO, size: int) -> tuple[Any, bytes]:
    """The configuration and the weights in a `.keras` file of `size` bytes."""
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        if not {"config.json", "model.weights.h5"} <= set(names):
            found = shown(", ".join(names[:5]) or "nothing", 120)
            raise UserError(f"expected config.json and model.weights.h5 in it; found {found}.")

        def member(name: str, most: int) -> bytes:
            with archive.open(name) as file:
                data = file.read(most + 1)
            if len(data) > most:
                raise UserError(f"expected {name} of at most {most} bytes; found more.")
            return data

        config = json.loads(member("config.json", _MAX_CONFIG_BYTES))
        return config, member("model.weights.h5", _MOST_UNPACKED * size)


def _from_h5(file: Any, size: int) -> KerasModel:
    """The legacy format: weights are named by attributes of their layer's group."""
    if "model_config" not in file.attrs:
        raise UserError(
            "expected a whole model; found weights alone: save it with model.save(...), not with "
            "save_weights."
        )
    structure = recognise(json.loads(file.attrs["model_config"]))
    training = json.loads(file.attrs.get("training_config", "{}"))
    optimizer, rate = _optimizer(training.get("optimizer_config"))
    names = {
        layer: [
            f"model_weights/{layer}/{_text(name)}"
            for name in _member(file, f"model_weights/{layer}").attrs["weight_names"]
        ]
        for layer in structure.kinds
        if structure.kinds[layer] in _COUNTS
    }
    return _model(_Reader(file, size, names), structure, optimizer, rate)


def _from_archive(file: Any, size: int, config: Any) -> KerasModel:
    """Today's format: a layer is named by its class and its turn, whatever its own name."""
    structure = recognise(config)
    turns: Counter[str] = Counter()
    names = {}
    root = next((group for group in _GROUPS if group in file), _GROUPS[0])
    for layer, kind in structure.kinds.items():
        if kind not in _COUNTS:
            continue
        key = kind.lower() + (f"_{turns[kind]}" if turns[kind] else "")
        turns[kind] += 1
        group = _member(file, f"{root}/{key}/vars")
        if _text(group.attrs.get("name", layer)) != layer:
            found = shown(_text(group.attrs["name"]), 40)
            raise UserError(f"expected the weights of {shown(layer, 40)!r} in {key}, not {found}.")
        inside = f"{root}/{key}/cell/vars" if kind == "LSTM" else f"{root}/{key}/vars"
        names[layer] = [f"{inside}/{i}" for i in range(len(_member(file, inside)))]
    optimizer, rate = _optimizer(config.get("compile_config", {}).get("optimizer"))
    if not optimizer and "optimizer/vars" in file:
        optimizer = _text(file["optimizer/vars"].attrs.get("name", ""))
        numbers = [item for item in file["optimizer/vars"].values() if item.shape == ()]
        rate = next((float(x[()]) for x in numbers if x.dtype == np.float32), 0.0)
    return _model(_Reader(file, size, names), structure, optimizer, rate)


def _optimizer(values: Any) -> tuple[str, Any]:
    """Class and learning rate from an optimizer's configuration, if there is one."""
    values = values or {}
    return str(values.get("class_name", "")), values.get("config", {}).get("learning_rate", 0.0)


_COUNTS = {"Embedding": 1, "LSTM": 3, "Dense": 2}
"""How many weights a layer has."""


def _model(reader: _Reader, structure: Structure, optimizer: str, rate: Any) -> KerasModel:
    """Reads the weights that the structure asks for, each against the shape it must have."""
    for layer, names in reader.names.items():
        wanted = _COUNTS[structure.kinds[layer]]
        if len(names) != wanted:
            raise UserError(f"expected {wanted} weights of {shown(layer)}; found {len(names)}.")
    units = structure.units
    encoder = _lstm_weights(reader, structure.encoder, units)
    decoder = _lstm_weights(reader, structure.decoder, units)
    target = decoder.kernel if decoder.embedding is None else decoder.embedding
    kernel = reader.array(structure.output, 0, (units, len(target)))
    bias = reader.array(structure.output, 1, (len(target),))
    # "Custom>RMSprop", "rm_sprop", "adam_1": one name, whatever wrote it.
    name = re.sub(r"(.*>|_\d+$|_)", "", optimizer).lower()
    rate = rate if isinstance(rate, float) and 0 < rate < 1e3 else 0.0
    return KerasModel(structure, Weights(encoder, decoder, kernel, bias), name, rate)


def _lstm_weights(reader: _Reader, side: Side, units: int) -> LSTMWeights:
    embedding = None
    if side.embedding is not None:
        embedding = reader.array(side.embedding, 0, (None, None))
    width = None if embedding is None else embedding.shape[1]
    return LSTMWeights(
        embedding,
        reader.array(side.lstm, 0, (width, 4 * units)),
        reader.array(side.lstm, 1, (units, 4 * units)),
        reader.array(side.lstm, 2, (4 * units,)),
    )


def _member(group: Any, path: str) -> Any:
    """What a path names inside the file itself: links that lead elsewhere are not followed."""
    import h5py

    for name in _parts(path):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise UserError(f"expected {shown(path)} in the file; found none.")
        group = group[name]
    return group


def _parts(path: str) -> Iterator[str]:
    return (part for part in path.split("/") if part not in ("", "."))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
