"""Run folders as the code of earlier commits left them, and what that code made of them."""

import json
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
FOLDER = TESTS / "runs" / "old_runs"
SAFELY: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
"""For `extractall`; Python knows filters from 3.11.4 on."""
OLD_RUNS = ("character", "words", "keras", "unhashed")


class OldRun(NamedTuple):
    """A copy of an old run.

    Attributes:
      folder: the run folder; a test may change it.
      data: the file that it was trained with.
      expected: "texts" and "answers"; after one more epoch "epochs", "step", "history" and
        "resumed_answers".
      arrays: parameters and optimizer state after that epoch, by item and name.
    """

    folder: Path
    data: Path
    expected: dict
    arrays: dict[str, np.ndarray]


def open_old_run(name: str, folder: Path) -> OldRun:
    """Unpacks one of `OLD_RUNS` under `folder`."""
    with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
        archive.extractall(folder, **SAFELY)
    run = folder / name
    with np.load(run / "expected.npz") as file:
        arrays = dict(file)
    data = TESTS / "keras" / "fixture" if name == "keras" else FOLDER
    expected = json.loads((run / "expected.json").read_text(encoding="utf-8"))
    return OldRun(run, data / "pairs.txt", expected, arrays)
