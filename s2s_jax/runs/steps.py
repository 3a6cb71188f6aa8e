"""The steps of a run: which there are, which is meant, and which to fall back on.

The step of the best validation loss and the two latest are kept, so that there is one to fall
back on when another is damaged.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import shutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import jax
import orbax.checkpoint as ocp

from s2s_jax.errors import Damaged, RunWarning, UserError
from s2s_jax.runs.checkpointing import naming_faults, read_val_loss
from s2s_jax.runs.folder import STEP_NAME, STEPS, holds_steps
from s2s_jax.runtime.files import is_there, names_in

_LATEST = 2  # Steps kept beside the best.
_Restored = TypeVar("_Restored")


@contextlib.contextmanager
def open_steps(folder: Path, *, writable: bool = False) -> Iterator[ocp.CheckpointManager]:
    """Orbax's manager of a run's steps; only the trainer asks for a writable one.

    Raises:
      UserError: when there is no step to read, or they cannot be listed.
    """
    here = jax.process_index()
    options = ocp.CheckpointManagerOptions(
        enable_async_checkpointing=False,
        # Each process for itself: one saves what all have, and any may read.
        multiprocessing_options=ocp.options.MultiprocessingOptions(
            primary_host=here, active_processes={here}, barrier_sync_key_prefix=str(here)
        ),
        create=False,
        read_only=not writable,
        save_interval_steps=int(writable),  # What Orbax would warn of setting itself.
    )
    steps = (folder / STEPS).absolute()
    if writable:
        steps.mkdir(parents=True, exist_ok=True)
        clean_steps(folder)
    elif not holds_steps(folder):
        raise UserError(f"{folder} holds no finished step yet; let train.py reach its first save.")
    with naming_faults(str(steps)), _expecting_read_only():
        manager = ocp.CheckpointManager(steps, options=options)
    with manager:
        yield manager


@contextlib.contextmanager
def _expecting_read_only() -> Iterator[None]:
    """Inside, Orbax does not warn that a manager is as read-only as it was asked to be."""
    absl = logging.getLogger("absl")
    absl.addFilter(_is_not_about_reading)
    try:
        yield
    finally:
        absl.removeFilter(_is_not_about_reading)


def _is_not_about_reading(record: logging.LogRecord) -> bool:
    return "directory is read only" not in record.getMessage()


def clean_steps(folder: Path) -> None:
    """Removes what an interrupted save or deletion has left."""
    for name in names_in(folder / STEPS):
        if STEP_NAME.fullmatch(name) and not name.isdecimal():
            shutil.rmtree(folder / STEPS / name, ignore_errors=True)


def find_step(manager: ocp.CheckpointManager, which: str | int) -> int:
    """The number of the step that "best", "latest" or a number asks for.

    "best" is the latest where training had no validation part. A damaged step is not the best;
    a `RunWarning` names it.

    Raises:
      UserError: when there is no such step.
    """
    steps = sorted(manager.all_steps())
    if which == "best":
        best, failures = _best_step(manager)
        if best is not None:
            for failure in failures.values():
                _warn(f"{failure} Step {best} is the best of the others.")
            return best
    if which in ("best", "latest"):
        return steps[-1]
    if str(which) not in map(str, steps):
        kept = ", ".join(map(str, steps))
        raise UserError(f"--step must be best, latest or one of {kept}; got {which}.")
    return int(which)


def restore_newest(
    manager: ocp.CheckpointManager, which: str | int, restore: Callable[[int], _Restored]
) -> tuple[int, _Restored]:
    """Restores the step asked for; if it is damaged, the newest that is not.

    A `RunWarning` names each damaged step and the one that is used. A step asked for by its
    number is restored or an error.

    Args:
      manager: the steps.
      which: "best", "latest" or a number.
      restore: restores the step of a number, as `restore_params` does.

    Returns:
      The number of the step, and what `restore` returned.

    Raises:
      UserError: when every step is damaged.
    """
    first = find_step(manager, which)
    others = sorted(set(manager.all_steps()) - {first}, reverse=True)
    failures = []
    for step in [first, *(others if which in ("best", "latest") else [])]:
        try:
            restored = restore(step)
        except Damaged as error:
            if not is_there(_step(manager, step)):  # A trainer has just replaced it by another.
                manager.reload()
                return restore_newest(manager, which, restore)
            failures.append(str(error))
            continue
        for failure in failures:
            _warn(f"{failure} Step {step} is used in its place.")
        return step, restored
    raise UserError(f"{failures[0]} No other step is whole; take a copy of the run.")


def prune_steps(manager: ocp.CheckpointManager) -> None:
    """Deletes all but the best step and the two latest; sets aside those that are damaged."""
    best, failures = _best_step(manager)
    for failure in failures.values():
        _warn(f"{failure} It is not considered for the best step.")
    steps = sorted(manager.all_steps())
    spare = set(steps) - {*steps[-_LATEST:], best}
    set_aside(manager, spare & failures.keys())
    for step in spare - failures.keys():
        # Killed at any moment, the step is there whole or not at all.
        shutil.rmtree(_step(manager, step).rename(_step(manager, f"{step}.removed")))
    manager.reload()


def set_aside(manager: ocp.CheckpointManager, steps: Iterable[int]) -> None:
    """Moves damaged steps to the folder `steps-damaged`, where nothing removes them."""
    shelf = Path(f"{Path(manager.directory).resolve()}-damaged")
    for step in steps:
        shelf.mkdir(exist_ok=True)
        names = itertools.chain([f"{step}"], (f"{step}.{n}" for n in itertools.count(2)))
        place = next(shelf / name for name in names if not is_there(shelf / name))
        _step(manager, step).rename(place)
        _warn(f"Damaged step {step} is kept as {place}.")
    manager.reload()


def _best_step(manager: ocp.CheckpointManager) -> tuple[int | None, dict[int, str]]:
    """The earliest step of the least validation loss; and what is wrong with damaged ones."""
    losses: dict[int, float] = {}
    failures: dict[int, str] = {}
    for step in sorted(manager.all_steps()):
        try:
            loss = read_val_loss(manager, step)
        except Damaged as error:
            if is_there(_step(manager, step)):
                failures[step] = str(error)
        else:
            if loss is not None:
                losses[step] = loss
    return min(losses, key=lambda step: losses[step], default=None), failures


def _step(manager: ocp.CheckpointManager, name: int | str) -> Path:
    return Path(manager.directory) / str(name)


def _warn(message: str) -> None:
    warnings.warn(RunWarning(message), stacklevel=3)
