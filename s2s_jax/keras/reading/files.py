"""What kind of file Keras, or something else, has written; opened as plain data."""

from __future__ import annotations

import contextlib
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.layouts import text
from s2s_jax.runtime.files import shown, stand_in

_MAX_CONFIG_BYTES = 1 << 24
_MOST_UNPACKED = 16  # Times the archive's own size: weights hardly shrink, a zip bomb does.
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\3\4"


class Opened(NamedTuple):
    """An HDF5 file, and what else its archive says of it."""

    file: Any
    size: int
    """Bytes that the file, or what was unpacked of it, takes."""
    config: Any
    """Of the model; None where there is none."""
    version: str
    """Of the Keras that wrote it; empty where it is not said."""


def is_architecture(path: Path) -> bool:
    """Whether a file is what `model.to_json()` gives, not a model or weights."""
    return _start(path).startswith((b"{", b'"{'))  # The latter by json.dump of a text.


def read_architecture(path: Path) -> Any:
    """The configuration in what `model.to_json()`, or `get_config()` of a functional one, gave.

    Raises:
      UserError: if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            values = json.loads(file.read(_MAX_CONFIG_BYTES))
        values = json.loads(values) if isinstance(values, str) else values
        if isinstance(values, dict) and "output_layers" in values:
            return {"class_name": "Functional", "config": values}
        return values
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({shown(error, 120)}); save it again.") from None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """A `.h5` or `.keras` file while it is open; which of them is told by its first bytes.

    Raises:
      UserError: if h5py is missing, or the file or what the body reads of it is damaged, forged
        or something else.
    """
    try:
        import h5py
    except ImportError:
        raise UserError(
            "reading Keras's files needs h5py; install it with: pip install h5py"
        ) from None
    start = _start(path)
    if instead := stand_in(start):
        raise UserError(f"{path} is {instead}")
    if start[:8] != _HDF5 and start[:4] != _ZIP:
        raise UserError(
            f"{path} was expected to be HDF5 (.h5) or a zip (.keras), as Keras's model.save writes "
            f"them, but it begins with {start[:8]!r}; save the model with Keras as .keras."
        )
    try:
        with path.open("rb") as stream:
            size, config, version, content = path.stat().st_size, None, "", stream
            if start[:4] == _ZIP:
                config, version, weights = _unzip(stream, size)
                size, content = len(weights), io.BytesIO(weights)
            with h5py.File(content, "r") as file:
                if "model_config" in file.attrs:
                    config = json.loads(text(file.attrs["model_config"]))
                yield Opened(file, size, config, version)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    # h5py and zipfile raise OSError, KeyError, ValueError, RuntimeError, ... on damaged files.
    except Exception as error:
        reason = shown(f"{type(error).__name__}: {error}", 120)
        raise UserError(f"{path} is damaged ({reason}); save the model with Keras again.") from None


def _start(path: Path) -> bytes:
    """The first bytes of a file."""
    folder = path.parent if path.name == "saved_model.pb" else path
    if (folder / "saved_model.pb").is_file():
        raise UserError(
            f"{folder} is a SavedModel of TensorFlow, which is code; load it with the Keras that "
            "wrote it, and save it as .keras."
        )
    beside = path.with_name(f"{path.name}.index").is_file() or (path / "checkpoint").is_file()
    if beside or path.name == "checkpoint" or re.search(r"\.(index|data-\d+-of-\d+)$", path.name):
        raise UserError(
            f"{path} is a checkpoint of TensorFlow, which does not say what its layers are; load "
            "it where it was made (model.load_weights), and save the model as .keras."
        )
    if not path.is_file():
        raise UserError(f"no such file: {path}; name the .h5 or .keras file that Keras saved.")
    with path.open("rb") as file:
        return file.read(100)


def _unzip(stream: BinaryIO, size: int) -> tuple[Any, str, bytes]:
    """The configuration, Keras's version and the weights in a `.keras` file of `size` bytes."""
    with zipfile.ZipFile(stream) as archive:
        names = archive.namelist()
        if not {"config.json", "model.weights.h5"} <= set(names):
            found = shown(", ".join(names[:5]) or "nothing", 120)
            raise UserError(f"expected config.json and model.weights.h5 in it; found {found}.")

        def unpacked(name: str, most: int) -> bytes:
            """A file of the archive; raises `UserError` if it has more than `most` bytes."""
            with archive.open(name) as file:
                data = file.read(most + 1)
            if len(data) > most:
                raise UserError(f"expected {name} of at most {most} bytes; found more.")
            return data

        config = json.loads(unpacked("config.json", _MAX_CONFIG_BYTES))
        about = {}
        if "metadata.json" in names:
            about = json.loads(unpacked("metadata.json", _MAX_CONFIG_BYTES))
        weights = unpacked("model.weights.h5", _MOST_UNPACKED * size)
        return config, str(about.get("keras_version", "")), weights
