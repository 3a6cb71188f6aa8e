"""Teacher-forced training: one epoch, all epochs."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from s2s_jax.config import TrainConfig
from s2s_jax.data.batching import Batches
from s2s_jax.model.losses import Sums
from s2s_jax.runtime.parallel import place, share
from s2s_jax.training.fitting.ahead import compiled_ahead
from s2s_jax.training.fitting.progress import TrainingProgress, add_sums, epoch_metrics, is_over
from s2s_jax.training.fitting.schedules import is_scheduled, rate_share
from s2s_jax.training.fitting.state import TrainingState
from s2s_jax.training.fitting.step import Steps, compiled_steps
from s2s_jax.training.fitting.validation import IN_FLIGHT, validation_sums

MOST_SKIPPED = 5
"""So many updates in a row that are not finite end a run: what follows would be no better."""


class NotFinite(Exception):
    """Too many updates in a row were skipped; the state is saved, and they did not change it.

    Attributes:
      step: the last of them.
      rows: the pairs of its batch, as indices into the training examples.
    """

    def __init__(self, step: int, rows: np.ndarray) -> None:
        super().__init__(f"{MOST_SKIPPED} updates up to step {step} were not finite")
        self.step, self.rows = step, rows


Save = Callable[[TrainingState, TrainingProgress], None]
"""Keeps a state, and how far it has come."""

OnStep = Callable[[TrainingProgress], object]
"""Is told of each batch that is done; the device may be some batches ahead."""

OnEpoch = Callable[[dict[str, Any]], object]
"""Is told the metrics of each epoch, which is saved by then."""


def _advanced(progress: TrainingProgress, sums: Sums, started: float) -> TrainingProgress:
    """The progress after one more batch with these sums, in an epoch begun at `started`."""
    sums = jax.device_get(sums)  # Waits until the device has computed them.
    skipped = bool(sums.tokens == 0)
    return dataclasses.replace(
        progress,
        step=progress.step + 1,
        batch=progress.batch + 1,
        sums=add_sums(progress.sums, sums),
        skipped=progress.skipped + skipped,
        skipped_in_row=progress.skipped_in_row + 1 if skipped else 0,
        seconds=time.perf_counter() - started,
    )


def train_epoch(
    state: TrainingState,
    progress: TrainingProgress,
    batches: Batches,
    *,
    save: Save,
    save_every: int = 0,
    rate: Callable[[int], float] | None = None,
    on_step: OnStep = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    mesh: Mesh | None = None,
    steps: Steps | None = None,
) -> tuple[TrainingState, TrainingProgress, bool]:
    """Trains the rest of one epoch.

    The sums of a batch are read while later ones run, so that the device does not wait for the
    host. What is saved or returned has none in flight. `rate` gives the share of the learning rate
    after so many updates; None stands for all of it. `steps` are those of the mesh by default.

    Returns:
      The state, how far it came, and whether the epoch is complete.

    Raises:
      NotFinite: when `MOST_SKIPPED` updates in a row were not finite.
    """
    started, diverged = time.perf_counter() - progress.seconds, None
    in_flight = deque[Sums]()

    def read(leave: int = 0) -> None:
        """Counts the batches in flight but the last `leave`; raises `NotFinite`."""
        nonlocal progress, diverged
        while len(in_flight) > leave:
            progress = _advanced(progress, in_flight.popleft(), started)
            if progress.skipped_in_row >= MOST_SKIPPED:
                diverged, leave = progress, 0
            on_step(progress)
        if diverged is not None:
            save(state, progress)
            rows = batches.rows(diverged.epoch)[diverged.batch - 1]
            raise NotFinite(diverged.step, rows)

    steps = steps or compiled_steps(mesh)
    mean_tokens = np.float32(batches.tokens(progress.epoch) / len(batches))
    rows = share(batches.batch_size, mesh)
    for batch in batches.epoch(progress.epoch, progress.batch, rows):
        scale = None if rate is None else np.float32(rate(progress.step + len(in_flight)))
        state, sums = steps.train(state, place(batch, mesh), mean_tokens, scale)
        in_flight.append(sums)
        # After the last batch the epoch is complete, and is judged and saved as such.
        if progress.batch + len(in_flight) == len(batches):
            break
        if should_stop():
            read()
            return state, progress, False
        due = save_every and (progress.step + len(in_flight)) % save_every == 0
        read(leave=0 if due else IN_FLIGHT - 1)
        if due:
            save(state, progress)
    read()
    return state, progress, True


def fit(
    state: TrainingState,
    progress: TrainingProgress,
    training: Batches,
    validation: Batches,
    config: TrainConfig,
    *,
    save: Save,
    on_step: OnStep = lambda progress: None,
    on_epoch: Sequence[OnEpoch] = (),
    should_stop: Callable[[], bool] = lambda: False,
    mesh: Mesh | None = None,
    error_of: Callable[[TrainingState], float] | None = None,
) -> tuple[TrainingState, TrainingProgress]:
    """Trains until `is_over` or `should_stop` says so.

    Args:
      state, progress: what to start from, and how far it has come.
      training, validation: the pairs to learn, and those to judge by, which may be none.
      config: epochs, patience, and how often to save.
      save: called after every epoch, every `config.save_every` steps, and when training is
        stopped.
      on_step, on_epoch: are told how it goes.
      should_stop: asked after every batch and every epoch (Ctrl-C, SIGTERM).
      mesh: the devices that share each batch, the state on all of them; None for one device.
      error_of: the error rate that the best epoch has the least of; None where the loss counts.

    Returns:
      The last state and how far it has come.

    Raises:
      NotFinite: when `MOST_SKIPPED` updates in a row were not finite.
    """
    steps, parts = compiled_steps(mesh), []
    if not is_over(progress, config):
        parts.append((steps.gradient, training, progress.epoch, progress.batch))
        parts.append((steps.evaluate, validation, 0, 0))
    with compiled_ahead(steps, state, parts, mesh) as steps:
        while not is_over(progress, config):
            share_at = functools.partial(
                rate_share, config, config.epochs * len(training), progress.history
            )
            rate = share_at if is_scheduled(config) else None
            state, progress, complete = train_epoch(
                state, progress, training, save=save, save_every=config.save_every, rate=rate,
                on_step=on_step, should_stop=should_stop, mesh=mesh, steps=steps,
            )  # fmt: skip
            if not complete:
                save(state, progress)
                break
            sums = validation_sums(state, validation, mesh, steps) if validation else None
            per_token = training.characters_per_token(progress.epoch)
            characters = (per_token, validation.characters_per_token())
            error = None if error_of is None else error_of(state)
            metrics = epoch_metrics(progress, sums, characters, error)
            metrics["learning_rate"] = config.learning_rate * share_at(progress.step - 1)
            progress = progress.after_epoch(metrics)
            save(state, progress)
            for tell in on_epoch:
                tell(dict(metrics))
            if should_stop():
                break
    return state, progress
