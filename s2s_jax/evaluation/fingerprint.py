"""Which sentences a run was trained on, without their text: a file of hashes.

training_sources.bin    SHA-256 of what follows, then the hashes of the distinct source
                        sentences, 8 bytes each, little-endian and ascending
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt64

from s2s_jax.errors import UserError
from s2s_jax.runs.folder import TRAINING_SOURCES
from s2s_jax.runtime.files import read_if_there, replacing

_HASH = np.dtype("<u8")
_DIGEST_SIZE = 32


def hashes(sentences: Iterable[str]) -> UInt64[np.ndarray, " sentences"]:
    """A number for each sentence; two sentences share one with a chance of 1 in 2**64."""
    digests = (
        hashlib.blake2b(sentence.encode(), digest_size=_HASH.itemsize).digest()
        for sentence in sentences
    )
    return np.frombuffer(b"".join(digests), _HASH)


def write_training_sources(
    folder: Path, sources: Iterable[str], earlier: UInt64[np.ndarray, " earlier"] | None = None
) -> None:
    """Writes the file of a run folder, or replaces it, as a whole or not at all.

    `earlier` is from `read_training_sources` of the run that this one started from, if any.
    """
    found = hashes(sources)
    found = found if earlier is None else np.concatenate((found, earlier))
    content = np.unique(found).astype(_HASH).tobytes()
    with replacing(folder / TRAINING_SOURCES) as temporary:
        temporary.write_bytes(hashlib.sha256(content).digest() + content)


def read_training_sources(folder: Path) -> UInt64[np.ndarray, " sources"] | None:
    """The hashes, ascending; None if the run has no record of what it was trained on.

    Raises:
      UserError: if the file is damaged, or cannot be read.
    """
    path = folder / TRAINING_SOURCES
    content = read_if_there(path)
    if content is None:
        return None
    digest, content = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    if hashlib.sha256(content).digest() != digest or len(content) % _HASH.itemsize:
        raise UserError(
            f"{path} is damaged; restore it from a copy of the run, or delete it to evaluate "
            "without knowing which sentences were trained on."
        )
    return np.frombuffer(content, _HASH)


def sources_of(folders: Sequence[Path]) -> UInt64[np.ndarray, " sources"] | None:
    """The hashes of what any of these runs was trained on; None if one has no record, or for none.

    Raises:
      UserError: if a file is damaged.
    """
    found = [read_training_sources(folder) for folder in folders]
    known = [hashes for hashes in found if hashes is not None]
    return np.concatenate(known) if known and len(known) == len(found) else None


def trained_on(
    training_sources: UInt64[np.ndarray, " sources"], sentences: Sequence[str]
) -> Bool[np.ndarray, " sentences"]:
    """Whether each sentence is among those of `read_training_sources`."""
    return np.isin(hashes(sentences), training_sources)
