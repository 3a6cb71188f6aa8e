"""A run's state saved, and on the device again.

Saving survives a full disk: training goes on, and what could not be saved is kept.
"""

from __future__ import annotations

import contextlib
import math
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from s2s_jax.config import RunConfig
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.pictures.presentation import withdraw
from s2s_jax.runs.checkpointing import restore_params, restore_state, save_step
from s2s_jax.runs.folder import (
    EVALUATION,
    TEST,
    VALIDATION,
    all_steps,
    clean_steps,
    holds_run,
    write_metrics,
)
from s2s_jax.runs.steps import prune_steps, restore_newest, set_aside
from s2s_jax.runtime.devices import is_main, together
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import TrainingState, dropout_key, make_state

_PAUSE = 5  # Seconds between two attempts at the end of a run.


class _Step(NamedTuple):
    """What `save_step` saves; the arrays are copies, which training does not overwrite."""

    params: Any
    opt_state: Any
    record: dict[str, Any]
    val_loss: float | None
    average: Any
    val_error: float | None

    @property
    def rank(self) -> tuple[float, float]:
        """What the best step has the least of, as `checkpointing.read_rank` has it."""
        if self.val_loss is None:
            return math.inf, math.inf
        return self.val_error or 0.0, self.val_loss


class Saver:
    """Saves the steps of a run; a `loop.Save`.

    A step that cannot be saved is named in a `RunWarning` and waits for the next attempt. Of those
    that wait, the best and the newest are kept.

    Attributes:
      failure: why the last step could not be saved, or None.
    """

    def __init__(self, folder: Path) -> None:
        self.failure: str | None = None
        self._folder = folder
        self._waiting: list[_Step] = []

    def __call__(self, state: TrainingState, progress: TrainingProgress) -> None:
        """Saves the steps that wait, then this one."""
        arrays = jax.device_get((state.params, state.opt_state, state.average))
        params, opt_state, average = jax.tree.map(np.array, arrays)
        is_judged = progress.history and progress.batch == 0  # At the end of an epoch alone.
        figures = progress.history[-1] if is_judged else {}
        loss, error = figures.get("val_loss"), figures.get("val_error")
        record = progress.to_record()
        self._waiting.append(_Step(params, opt_state, record, loss, average, error))
        if self._try():
            return
        warnings.warn(
            RunWarning(
                f"step {progress.step} could not be saved in {self._folder} ({self.failure}); "
                "training goes on and saves it with the next one."
            ),
            stacklevel=2,
        )
        best = min(self._waiting, key=lambda step: step.rank)
        self._waiting = [s for s in self._waiting if s is best or s is self._waiting[-1]]

    def finish(self, should_stop: Callable[[], bool]) -> None:
        """Waits at the end of a run until its last step is saved or the user interrupts.

        Raises:
          UserError: when the user interrupts before it is saved.
        """
        if self.failure is not None and not should_stop():
            message = "the run is over and waits until it can be saved; Ctrl-C gives up."
            warnings.warn(RunWarning(f"{message} ({self.failure})"), stacklevel=2)
        while self._waiting and not self._try():
            if should_stop():
                raise UserError(
                    f"step {self._waiting[-1].record['step']} could not be saved in {self._folder} "
                    f"({self.failure}); resume from the one before with `resume`."
                )
            time.sleep(_PAUSE)

    def _try(self) -> bool:
        """Saves the steps that wait, oldest first; returns whether none is left."""
        self.failure = None
        try:
            while self._waiting:
                step = self._waiting[0]
                save_step(self._folder, *step)
                prune_steps(self._folder)
                write_metrics(self._folder, step.record["history"])
                for name in (EVALUATION, VALIDATION, TEST):  # They are of an earlier step.
                    (self._folder / name).unlink(missing_ok=True)
                withdraw(self._folder)
                del self._waiting[0]
        # Tensorstore raises ValueError, RuntimeError, ... when a disk is full.
        except Exception as error:
            self.failure = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            # The half-written step takes the room that the next attempt needs.
            with contextlib.suppress(OSError):
                clean_steps(self._folder)
        return self.failure is None


def restore_together(
    folder: Path, model: Seq2Seq, config: RunConfig
) -> tuple[TrainingState, TrainingProgress] | None:
    """The latest whole step, in every process; None before the first was saved."""
    restored = None
    with together():
        # First the one that sets damaged steps aside, then those that only read.
        if is_main():
            clean_steps(folder)
            restored = _restore(folder, model, config)
    with together():
        if not holds_run(folder):
            raise UserError(
                f"process {jax.process_index()} does not find {folder}, which process 0 has; "
                "`out` must lie on a file system that all processes share."
            )
        if not is_main():
            restored = _restore(folder, model, config)
        if restored is None and config.started_from:
            raise UserError(
                f"{folder} was interrupted before it had the weights of {config.started_from}; "
                "start again with `overwrite`."
            )
    return restored


def _restore(
    folder: Path, model: Seq2Seq, config: RunConfig
) -> tuple[TrainingState, TrainingProgress] | None:
    """The latest whole step of a run, on the device; None before the first was saved."""
    if not all_steps(folder):
        return None
    # Shapes only: a config that asks for more than its files hold must not take the memory.
    like = jax.eval_shape(lambda: make_state(model, config.train))

    def read(step: int) -> tuple[Any, dict[str, Any]]:
        """Parameters, optimizer state and average of a step, and its record."""
        params, opt_state, record = restore_state(folder, step, like.params, like.opt_state)
        average = like.average and restore_params(folder, step, like.average)
        return (params, opt_state, average), record

    step, (arrays, record) = restore_newest(folder, "latest", read)
    if is_main():
        # They are damaged, and training must be able to save these steps again.
        set_aside(folder, {n for n in all_steps(folder) if n > step})
    progress = TrainingProgress.from_record(record)
    params, opt_state, average = jax.device_put(arrays)
    state = like.replace(
        params=params,
        opt_state=opt_state,
        average=average,
        step=jnp.int32(progress.step),
        key=dropout_key(model, config.train),
    )
    return state, progress
