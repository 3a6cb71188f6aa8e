"""The steps of a run: which there are, which is meant, and which to fall back on.

The step of the best validation loss and the two latest are kept, so that there is one to fall
back on when another is damaged.
"""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import jax
import orbax.checkpoint as ocp

from s2s_jax.errors import RunWarning, UserError
from s2s_jax.runs.checkpointing import read_val_loss
from s2s_jax.runs.folder import STEP_NAME, STEPS

_LATEST = 2  # Steps kept beside the best.
_Restored = TypeVar("_Restored")


@contextlib.contextmanager
def open_steps(folder: Path, *, writable: bool = False) -> Iterator[ocp.CheckpointManager]:
    """Orbax's manager of a run's steps; only the trainer asks for a writable one.

    Raises:
      UserError: when there is no step to read.
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
    )
    steps = (folder / STEPS).absolute()
    if not writable and not steps.is_dir():
        raise UserError(f"{folder} holds no finished step yet; let train.py reach its first save.")
    if writable:
        steps.mkdir(parents=True, exist_ok=True)
        clean_steps(folder)
    with ocp.CheckpointManager(steps, options=options) as manager:
        if not writable and manager.latest_step() is None:
            raise UserError(
                f"{folder} holds no finished step yet; let train.py reach its first save."
            )
        yield manager


def clean_steps(folder: Path) -> None:
    """Removes what a save or a deletion that was broken off has left."""
    for path in (folder / STEPS).glob("*"):
        if STEP_NAME.fullmatch(path.name) and not path.name.isdecimal():
            shutil.rmtree(path, ignore_errors=True)


def find_step(manager: ocp.CheckpointManager, which: str | int) -> int:
    """The number of the step that "best", "latest" or a number asks for.

    "best" is the latest where training had no validation part. A damaged step is not the best;
    a `RunWarning` names it.

    Raises:
      UserError: when there is no such step.
    """
    steps = manager.all_steps()
    if which == "latest":
        return manager.latest_step()
    if which == "best":
        best, failures = _best_step(manager)
        if best is None:
            return manager.latest_step()
        for failure in failures:
            _warn(f"{failure} Step {best} is the best of the others.")
        return best
    if str(which) not in map(str, steps):
        kept = ", ".join(map(str, sorted(steps)))
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
        except UserError as error:
            if not _is_there(manager, step):
                manager.reload()
                return restore_newest(manager, which, restore)
            failures.append(str(error))
            continue
        for failure in failures:
            _warn(f"{failure} Step {step} is used in its place.")
        return step, restored
    raise UserError(f"{failures[0]} No other step is whole; take a copy of the run.")


def prune_steps(manager: ocp.CheckpointManager) -> None:
    """Deletes all but the best step and the two latest."""
    best, failures = _best_step(manager)
    for failure in failures:
        _warn(f"{failure} It is not taken for the best.")
    steps = sorted(manager.all_steps())
    drop_steps(manager, set(steps) - {*steps[-_LATEST:], best})


def drop_steps(manager: ocp.CheckpointManager, steps: set[int]) -> None:
    """Deletes steps; broken off at any moment, each is there whole or not at all."""
    folder = Path(manager.directory)
    for step in steps:
        removed = (folder / str(step)).rename(folder / f"{step}.removed")
        shutil.rmtree(removed)
    manager.reload()


def _best_step(manager: ocp.CheckpointManager) -> tuple[int | None, list[str]]:
    """The step of the least validation loss, the earliest of several; and what is damaged."""
    losses, failures = {}, []
    for step in sorted(manager.all_steps()):
        try:
            loss = read_val_loss(manager, step)
        except UserError as error:
            if _is_there(manager, step):
                failures.append(str(error))
        else:
            if loss is not None:
                losses[step] = loss
    return min(losses, key=losses.get, default=None), failures


def _is_there(manager: ocp.CheckpointManager, step: int) -> bool:
    """False for a step that a training process has just replaced by a newer one."""
    return (Path(manager.directory) / str(step)).exists()


def _warn(message: str) -> None:
    warnings.warn(RunWarning(message), stacklevel=3)
