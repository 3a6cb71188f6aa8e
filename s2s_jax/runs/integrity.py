"""Whether what is read is what was written."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp
from etils import epath

Form = tuple[tuple[int, ...], np.dtype]
"""The shape and the dtype of an array."""


def hash_of_json(values: Any) -> str:
    """SHA-256 of plain values, regardless of key order and of white space in a file."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def hashes_of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """SHA-256 of each array's bytes."""
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in arrays.items()
    }


def forms_of(arrays: Mapping[str, Any]) -> dict[str, Form]:
    """The form of each array, or of what describes one."""
    return {name: (tuple(array.shape), np.dtype(array.dtype)) for name, array in arrays.items()}


def check_forms(item: Path, wanted: Mapping[str, Form]) -> None:
    """Compares the arrays that the files of a saved dictionary describe with those wanted.

    None is read: a stranger's checkpoint may claim arrays, or chunks of them, that no memory holds.

    Raises:
      ValueError: when they differ.
    """
    described = ocp.StandardCheckpointHandler().metadata(epath.Path(item)).tree
    found = forms_of(described)
    if found != wanted:
        odd = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise ValueError(
            f"does not fit config.json: {odd[0]} must be {_spelled(wanted.get(odd[0]))} but is "
            f"{_spelled(found.get(odd[0]))}"
        )
    for name, array in described.items():
        if math.prod(array.storage.chunk_shape) > max(math.prod(array.shape), 1):
            raise ValueError(f"{name} is stored in chunks larger than itself")


def _spelled(form: Form | None) -> str:
    return "missing" if form is None else f"{form[1]}{list(form[0])}"
