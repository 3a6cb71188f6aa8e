"""Whether what is read is what was written: hashes of values, and sizes before memory is taken."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

_LEAST_DENSITY = 16  # Trained numbers hardly compress; arrays of one value would, a thousandfold.
_SMALL = 1 << 20  # Bytes that anyone may claim.


def hash_of_json(values: Any) -> str:
    """SHA-256 of plain values, whatever the order of the keys or the white space in a file."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def hashes_of_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    """SHA-256 of each array's bytes."""
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in arrays.items()
    }


def check_sizes(item: Path, wanted: Mapping[str, tuple[tuple[int, ...], Any]]) -> None:
    """Compares the arrays that orbax's files describe with those wanted, before any is read.

    A checkpoint from a stranger may claim arrays that no memory holds. What is wanted follows
    from the configuration, which may be forged as well: so the files must also be large enough
    for the arrays they claim.

    Args:
      item: the folder of a saved dictionary of arrays.
      wanted: the shape and the dtype of each array.

    Raises:
      ValueError: when the shapes differ, or the files are too small to hold such arrays.
    """
    described = ocp.StandardCheckpointHandler().metadata(item).tree
    found = {name: (tuple(array.shape), np.dtype(array.dtype)) for name, array in described.items()}
    if found != wanted:
        odd = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise ValueError(
            f"does not fit config.json: {odd[0]} is wanted as {_form(wanted.get(odd[0]))} and "
            f"found as {_form(found.get(odd[0]))}"
        )
    for name, array in described.items():
        # A chunk is unpacked whole, also where little of it belongs to the array.
        if math.prod(array.storage.chunk_shape) > max(math.prod(array.shape), 1):
            raise ValueError(f"{name} is stored in chunks larger than itself")
    claimed = sum(math.prod(shape) * dtype.itemsize for shape, dtype in found.values())
    held = sum(file.stat().st_size for file in item.rglob("*") if file.is_file())
    if claimed > _LEAST_DENSITY * held + _SMALL:
        raise ValueError(f"{held} bytes of files claim to hold arrays of {claimed} bytes")


def _form(array: tuple[tuple[int, ...], Any] | None) -> str:
    return "nothing" if array is None else f"{array[1]}{list(array[0])}"
