"""The steps of a run: which there are, which is meant, and which to fall back on.

The best step, by `read_rank`, and the two latest are kept, so that there is one to fall
back on when another is damaged.
"""

from __future__ import annotations

import itertools
import shutil
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from s2s_jax.errors import Damaged, RunWarning, UserError
from s2s_jax.runs.checkpointing import read_rank, step_path
from s2s_jax.runs.folder import STEPS, all_steps
from s2s_jax.runtime.files import is_there

_LATEST = 2  # Steps kept beside the best.
_Restored = TypeVar("_Restored")


def find_step(folder: Path, which: str | int) -> int:
    """The number of the step that "best", "latest" or a number asks for.

    "best" is the latest where training had no validation part. A damaged step is not the best;
    a `RunWarning` names it.

    Raises:
      UserError: when there is no such step.
    """
    steps = all_steps(folder)
    if not steps:
        raise UserError(f"{folder} holds no finished step yet; let train.py reach its first save.")
    if which == "best":
        best, failures = _best_step(folder)
        if best is not None:
            for failure in failures.values():
                _warn(f"{failure} Step {best} is the best of the others.")
            return best
    if which in ("best", "latest"):
        return steps[-1]
    if str(which) not in map(str, steps):
        kept = ", ".join(map(str, steps))
        raise UserError(f"`step` must be best, latest or one of {kept}; got {which}.")
    return int(which)


def restore_newest(
    folder: Path, which: str | int, restore: Callable[[int], _Restored]
) -> tuple[int, _Restored]:
    """The number of the step asked for, and what `restore` makes of it.

    If "best" or "latest" is damaged, it is the newest step that is not; a `RunWarning` names each
    damaged step and the one that is used.

    Raises:
      UserError: when every step is damaged.
    """
    first = find_step(folder, which)
    others = sorted(set(all_steps(folder)) - {first}, reverse=True)
    failures = []
    for step in [first, *(others if which in ("best", "latest") else [])]:
        try:
            restored = restore(step)
        except Damaged as error:
            if not is_there(step_path(folder, step)):  # A trainer has just replaced it by another.
                return restore_newest(folder, which, restore)
            failures.append(str(error))
            continue
        for failure in failures:
            _warn(f"{failure} Step {step} is used in its place.")
        return step, restored
    raise UserError(f"{failures[0]} No other step is whole; take a copy of the run.")


def prune_steps(folder: Path) -> None:
    """Deletes all but the best step and the two latest; sets aside those that are damaged."""
    best, failures = _best_step(folder)
    for failure in failures.values():
        _warn(f"{failure} It is not considered for the best step.")
    steps = all_steps(folder)
    spare = set(steps) - {*steps[-_LATEST:], best}
    set_aside(folder, spare & failures.keys())
    for step in spare - failures.keys():
        # Killed at any moment, the step is there whole or not at all.
        shutil.rmtree(step_path(folder, step).rename(step_path(folder, f"{step}.removed")))


def set_aside(folder: Path, steps: Iterable[int]) -> None:
    """Moves damaged steps to the folder `steps-damaged`, where nothing removes them."""
    shelf = Path(f"{(folder / STEPS).resolve()}-damaged")
    for step in steps:
        shelf.mkdir(exist_ok=True)
        names = itertools.chain([f"{step}"], (f"{step}.{n}" for n in itertools.count(2)))
        place = next(shelf / name for name in names if not is_there(shelf / name))
        step_path(folder, step).rename(place)
        _warn(f"Damaged step {step} is kept as {place}.")


def _best_step(folder: Path) -> tuple[int | None, dict[int, str]]:
    """The earliest step of the least `read_rank`; and what is wrong with damaged ones."""
    ranks: dict[int, tuple[float, float]] = {}
    failures: dict[int, str] = {}
    for step in all_steps(folder):
        try:
            rank = read_rank(folder, step)
        except Damaged as error:
            if is_there(step_path(folder, step)):
                failures[step] = str(error)
        else:
            if rank is not None:
                ranks[step] = rank
    return min(ranks, key=lambda step: ranks[step], default=None), failures


def _warn(message: str) -> None:
    warnings.warn(RunWarning(message), stacklevel=3)
