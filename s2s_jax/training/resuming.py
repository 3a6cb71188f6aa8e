"""The state that a run was saved with, on the device again."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp

from s2s_jax.config import RunConfig
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.checkpointing import restore_state
from s2s_jax.runs.folder import all_steps, clean_steps, holds_run
from s2s_jax.runs.steps import restore_newest, set_aside
from s2s_jax.runtime.devices import is_main, together
from s2s_jax.training.progress import TrainingProgress
from s2s_jax.training.step import TrainingState, dropout_key, make_state


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
                "--out must lie on a file system that all processes share."
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
    step, (params, opt_state, record) = restore_newest(
        folder, "latest", lambda n: restore_state(folder, n, like.params, like.opt_state)
    )
    if is_main():
        # They are damaged, and training must be able to save these steps again.
        set_aside(folder, {n for n in all_steps(folder) if n > step})
    progress = TrainingProgress.from_record(record)
    params, opt_state = jax.device_put((params, opt_state))
    state = like.replace(
        params=params,
        opt_state=opt_state,
        step=jnp.int32(progress.step),
        key=dropout_key(model, config.train),
    )
    return state, progress
