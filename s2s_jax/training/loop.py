"""Teacher-forced training: one epoch, all epochs."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import jax
import numpy as np
from flax.training.train_state import TrainState
from jax.sharding import Mesh

from s2s_jax.config import TrainConfig
from s2s_jax.data.batching import (
    Bucket,
    Examples,
    batch_rows,
    choose_buckets,
    epoch_batches,
    num_batches,
)
from s2s_jax.model.losses import Sums
from s2s_jax.runtime.parallel import place, share
from s2s_jax.training.progress import TrainingProgress
from s2s_jax.training.step import compiled_steps

MOST_SKIPPED = 5
"""So many updates in a row that are not finite end a run: what follows would be no better."""

_IN_FLIGHT = 8  # Steps handed to the device before the host waits for their sums.


class NotFinite(Exception):
    """Too many updates in a row were skipped; the state before them is saved.

    Attributes:
      step: the last of them.
      rows: the pairs of its batch, as indices into the training examples.
    """

    def __init__(self, step: int, rows: np.ndarray) -> None:
        super().__init__(f"{MOST_SKIPPED} updates up to step {step} were not finite")
        self.step, self.rows = step, rows


class Listener(Protocol):
    """Who is told how training goes, and may end it."""

    def on_step(self, progress: TrainingProgress) -> None:
        """Some batches of an epoch are done."""

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """An epoch is done and saved."""

    def should_stop(self) -> bool:
        """Whether to stop at the next step (Ctrl-C, SIGTERM)."""


Save = Callable[[TrainState, TrainingProgress, float | None], None]
"""Keeps a state; the third argument is the validation loss at the end of an epoch."""


def _add(sums: Sums, pending: Iterable[Sums]) -> Sums:
    """Adds up in double precision on the host: a long epoch overflows float32's 24 bits."""
    for batch_sums in jax.device_get(list(pending)):
        sums = Sums(*(float(total) + float(x) for total, x in zip(sums, batch_sums, strict=True)))
    return sums


def validation_sums(
    state: TrainState,
    examples: Examples,
    buckets: Sequence[Bucket],
    batch_size: int,
    mesh: Mesh | None = None,
) -> Sums:
    """Totals over all real target tokens of `examples`."""
    _, step = compiled_steps(mesh)
    batches = epoch_batches(examples, buckets, batch_size, share=share(batch_size, mesh))
    return _add(Sums(0.0, 0.0, 0.0), [step(state, place(batch, mesh)) for batch in batches])


def _advanced(progress: TrainingProgress, done: Sequence[Sums], seconds: float) -> TrainingProgress:
    """TrainingProgress after some more batches of an epoch, with the sums of each."""
    skipped = [batch_sums.tokens == 0 for batch_sums in done]
    in_row = progress.skipped_in_row
    for one in skipped:
        in_row = in_row + 1 if one else 0
    return dataclasses.replace(
        progress,
        step=progress.step + len(done),
        batch=progress.batch + len(done),
        sums=_add(progress.sums, done),
        skipped=progress.skipped + sum(map(int, skipped)),
        skipped_in_row=in_row,
        seconds=seconds,
    )


def train_epoch(
    state: TrainState,
    progress: TrainingProgress,
    examples: Examples,
    buckets: Sequence[Bucket],
    config: TrainConfig,
    save: Save,
    listener: Listener,
    mesh: Mesh | None = None,
) -> tuple[TrainState, TrainingProgress, bool]:
    """Trains the rest of one epoch.

    The order of the batches follows from the seed and the epoch alone, so that an epoch broken
    off is gone on with where it stopped.

    Returns:
      The state, how far it came, and whether the epoch is complete.

    Raises:
      NotFinite: when `MOST_SKIPPED` updates in a row were not finite.
    """
    seed = [config.seed, progress.epoch]
    start, pending = time.perf_counter() - progress.seconds, []

    def advance() -> TrainingProgress:
        # Reading the sums waits for the steps behind them.
        done = jax.device_get(pending)
        pending.clear()
        reached = _advanced(progress, done, time.perf_counter() - start)
        if reached.skipped_in_row >= MOST_SKIPPED:
            save(state, reached, None)
            rng = np.random.default_rng(seed)
            rows = batch_rows(examples, buckets, config.batch_size, rng)[reached.batch - 1]
            raise NotFinite(reached.step, rows)
        return reached

    step, _ = compiled_steps(mesh)
    total, rows = num_batches(examples, config.batch_size), share(config.batch_size, mesh)
    mean_tokens = np.float32(examples.lengths()[:, 1].sum() / total)
    rng = np.random.default_rng(seed)
    for batch in epoch_batches(examples, buckets, config.batch_size, rng, progress.batch, rows):
        state, sums = step(state, place(batch, mesh), mean_tokens)
        pending.append(sums)
        # After the last batch the epoch is complete, and is judged and saved as such.
        if progress.batch + len(pending) == total:
            break
        if listener.should_stop():
            return state, advance(), False
        due = config.save_every and (progress.step + len(pending)) % config.save_every == 0
        if due or len(pending) == _IN_FLIGHT:
            progress = advance()
            listener.on_step(progress)
        if due:
            save(state, progress, None)
    return state, advance(), True


def epoch_metrics(progress: TrainingProgress, validation: Sums | None) -> dict[str, Any]:
    """One line of `metrics.jsonl` from an epoch's totals."""
    loss, correct, tokens = progress.sums
    known = tokens or math.nan  # Of an epoch whose every update was skipped nothing is known.
    metrics = {"epoch": progress.epoch + 1, "loss": loss / known, "accuracy": correct / known}
    if validation is not None:
        metrics["val_loss"] = validation.loss / validation.tokens
        metrics["val_accuracy"] = validation.correct / validation.tokens
    if progress.skipped:
        metrics["skipped_updates"] = progress.skipped
    metrics["seconds"] = round(progress.seconds, 3)
    metrics["target_tokens_per_second"] = round(tokens / progress.seconds, 1)
    return metrics


def _out_of_patience(history: Sequence[dict[str, Any]], patience: int) -> bool:
    losses = [epoch.get("val_loss", epoch["loss"]) for epoch in history]
    if not patience or not losses:
        return False
    return len(losses) - 1 - losses.index(min(losses)) >= patience


def fit(
    state: TrainState,
    progress: TrainingProgress,
    training: Examples,
    validation: Examples,
    config: TrainConfig,
    *,
    save: Save,
    listener: Listener,
    mesh: Mesh | None = None,
) -> tuple[TrainState, TrainingProgress]:
    """Trains until `config.epochs` are completed, patience runs out, or the listener stops it.

    Args:
      state: parameters and optimizer state to go on from.
      progress: how far they have come.
      training: the pairs to learn.
      validation: the pairs to judge by; may be empty.
      config: epochs, batch size, patience and seed.
      save: called after every epoch and every `config.save_every` steps, and when the listener
        stops training.
      listener: is told how it goes.
      mesh: the devices that share each batch, the state on all of them; None for one device.

    Returns:
      The last state and how far it has come.

    Raises:
      NotFinite: when `MOST_SKIPPED` updates in a row were not finite.
    """
    buckets = choose_buckets(training.lengths())
    validation_buckets = []
    if validation.sources:
        # Judging is quick next to training: a few more padded positions beat more compilations.
        validation_buckets = choose_buckets(validation.lengths(), max_buckets=3)
    while progress.epoch < config.epochs:
        if _out_of_patience(progress.history, config.patience):
            break
        state, progress, complete = train_epoch(
            state, progress, training, buckets, config, save, listener, mesh
        )
        if not complete:
            save(state, progress, None)
            break
        sums = None
        if validation.sources:
            sums = validation_sums(state, validation, validation_buckets, config.batch_size, mesh)
        metrics = epoch_metrics(progress, sums)
        progress = TrainingProgress(
            progress.step,
            progress.epoch + 1,
            skipped_in_row=progress.skipped_in_row,
            history=(*progress.history, metrics),
        )
        val_loss = metrics.get("val_loss")
        # NaN compares as neither better nor worse; as a loss it is the worst there is.
        save(state, progress, math.inf if val_loss != val_loss else val_loss)
        listener.on_epoch(metrics)
        if listener.should_stop():
            break
    return state, progress
