"""Data files for tests, and what is said of those that cannot be read."""

from pathlib import Path

import pytest

from s2s_jax.data.corpus import Pair, read_pairs
from s2s_jax.errors import UserError

GOOD = b"Go.\tVa !\nRun!\tCours !\nRun!\tCourez !\n"
PAIRS = [Pair("Go.", "Va !"), Pair("Run!", "Cours !"), Pair("Run!", "Courez !")]
LINES = [1, 2, 3]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def error_of(path, **options) -> str:
    with pytest.raises(UserError) as caught:
        read_pairs(path, **options)
    message = str(caught.value)
    assert message.isprintable() and ";" in message  # one line, with a remedy
    return message
