"""Data files for tests, and what is said of those that cannot be read."""

import dataclasses
from pathlib import Path

import pytest

from s2s_jax.config import EVERYTHING
from s2s_jax.data.corpus import Corpus, Pair, read_pairs
from s2s_jax.errors import UserError

GOOD = b"Go.\tVa !\nRun!\tCours !\nRun!\tCourez !\n"
PAIRS = [Pair("Go.", "Va !"), Pair("Run!", "Cours !"), Pair("Run!", "Courez !")]
LINES = [1, 2, 3]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def read(path, **options) -> Corpus:
    """All pairs of some data, or those that the options of `Reading` leave."""
    return read_pairs(path, dataclasses.replace(EVERYTHING, **options))


def error_of(path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(path, **options)
    message = str(caught.value)
    assert message.isprintable() and ";" in message  # one line, with a remedy
    return message
