"""Which sentences a run was trained on, without their text: a file of hashes.

training_sources.bin    SHA-256 of what follows, then the hashes of the distinct source
                        sentences, 8 bytes each, little-endian and ascending
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.runs.folder import TRAINING_SOURCES
from s2s_jax.runtime.files import replacing

_HASH = np.dtype("<u8")
_DIGEST_SIZE = 32


def hashes(sentences: Iterable[str]) -> np.ndarray:
    """A number for each sentence, uint64 `[sentences]`; chance makes two alike in 2**64."""
    digests = (
        hashlib.blake2b(sentence.encode(), digest_size=_HASH.itemsize).digest()
        for sentence in sentences
    )
    return np.frombuffer(b"".join(digests), _HASH)


def write_training_sources(
    folder: Path, sources: Iterable[str], earlier: np.ndarray | None = None
) -> None:
    """Writes (or replaces) the file of a run folder, whole or not at all.

    Args:
      folder: of the run.
      sources: that it is trained on.
      earlier: what `read_training_sources` says of the run that it started from, if it did.
    """
    found = hashes(sources)
    found = found if earlier is None else np.concatenate((found, earlier))
    content = np.unique(found).astype(_HASH).tobytes()
    with replacing(folder / TRAINING_SOURCES) as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)


def read_training_sources(folder: Path) -> np.ndarray | None:
    """The hashes, uint64 ascending; None where the run does not say what it was trained on.

    Raises:
      UserError: when the file is damaged.
    """
    path = folder / TRAINING_SOURCES
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    digest, content = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != digest or len(content) % _HASH.itemsize:
        raise UserError(
            f"{path} is damaged; take a copy of the run, or delete the file to judge without "
            "knowing which sentences were trained on."
        )
    return np.frombuffer(content, _HASH)


def trained_on(training_sources: np.ndarray, sentences: Sequence[str]) -> np.ndarray:
    """Whether each sentence is among those of `read_training_sources`, bool `[sentences]`."""
    return np.isin(hashes(sentences), training_sources)
