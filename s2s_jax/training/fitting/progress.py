"""How far a run has come, and the figures of its epochs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Self

import jax

from s2s_jax.config import RunConfig, TrainConfig
from s2s_jax.model.losses import Sums
from s2s_jax.runs.history import best_epoch

_LEARNED = 10  # Epochs in a row without a mistake: one alone may be luck.


@dataclasses.dataclass(frozen=True)
class TrainingProgress:
    """How far a run has come; with the seed, all that the order of the batches depends on."""

    step: int = 0  # Optimizer steps done.
    epoch: int = 0  # Epochs completed.
    batch: int = 0  # Batches done of the epoch after that (0 at an epoch's end).
    sums: Sums = Sums(0.0, 0.0, 0.0)  # Loss, right answers and tokens of those batches.
    skipped: int = 0  # Those whose loss or gradient was not finite, and which changed nothing.
    skipped_in_row: int = 0  # How many of the latest were skipped, counted across epochs.
    seconds: float = 0.0  # Training time of those batches.
    history: tuple[dict[str, Any], ...] = ()  # The metrics of each epoch, as in `metrics.jsonl`.
    patience_from: int = 0  # Patience counts from the end of this epoch on.

    def after_epoch(self, metrics: dict[str, Any]) -> Self:
        """The progress at the end of this epoch, whose metrics these are."""
        return type(self)(
            step=self.step,
            epoch=self.epoch + 1,
            skipped_in_row=self.skipped_in_row,
            history=(*self.history, metrics),
            patience_from=self.patience_from,
        )

    def to_record(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self) | {"sums": [float(x) for x in self.sums]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_record`."""
        # Earlier versions wrote NaN, which is not JSON.
        history = tuple(
            {key: value if math.isfinite(value or 0) else None for key, value in epoch.items()}
            for epoch in record["history"]
        )
        values = {"sums": Sums(*record["sums"]), "history": history}
        return cls(**{**record, **values})


def add_sums(total: Sums, sums: Sums) -> Sums:
    """Adds in double precision on the host: a long epoch overflows float32's 24 bits."""
    return Sums(*(float(x) + float(y) for x, y in zip(total, sums, strict=True)))


def _mean(total: jax.Array | float, count: jax.Array | float) -> float | None:
    """None where nothing is known: JSON has no NaN."""
    mean = float(total / count) if count else math.nan
    return mean if math.isfinite(mean) else None


def epoch_metrics(
    progress: TrainingProgress,
    validation: Sums | None,
    characters: tuple[float, float] = (0, 0),
    error: float | None = None,
) -> dict[str, Any]:
    """One line of `metrics.jsonl` from an epoch's totals.

    Losses are in nats per target token, and in nats per character as well, by which runs with
    different units compare. A figure that is not finite is None.

    Args:
      progress: at the end of the epoch.
      validation: the totals of the validation part, if there is one.
      characters: per token, in the training and in the validation part; 0 where unknown.
      error: the share of wrong answers to the validation part, where the best epoch is the one of
        the least.
    """
    metrics: dict[str, Any] = {"epoch": progress.epoch + 1}
    parts = {"": progress.sums} if validation is None else {"": progress.sums, "val_": validation}
    for (prefix, sums), per_token in zip(parts.items(), characters, strict=False):
        metrics[f"{prefix}loss"] = _mean(sums.loss, sums.tokens)
        metrics[f"{prefix}accuracy"] = _mean(sums.correct, sums.tokens)
        if per_token:
            metrics[f"{prefix}nats_per_character"] = _mean(sums.loss, sums.tokens * per_token)
    if error is not None:
        metrics["val_error"] = error
    if progress.skipped:
        metrics["skipped_updates"] = progress.skipped
    metrics["seconds"] = round(progress.seconds, 3)
    metrics["target_tokens_per_second"] = round(progress.sums.tokens / progress.seconds, 1)
    return metrics


def out_of_patience(progress: TrainingProgress, patience: int) -> bool:
    """Whether the last `patience` epochs brought no better loss; with 0 it never runs out.

    Without a validation part the loss of memorized pairs keeps falling: there patience also
    runs out after a few epochs in which every token was right.
    """
    if not patience or not progress.history:
        return False
    few = min(patience, _LEARNED)
    last = progress.history[progress.patience_from :][-few:]
    if len(last) == few and all(
        "val_loss" not in epoch and epoch["accuracy"] == 1 for epoch in last
    ):
        return True
    return progress.epoch - max(best_epoch(progress.history), progress.patience_from) >= patience


def without_errors(progress: TrainingProgress) -> bool:
    """Whether the last two epochs answered all of the validation part right; one may be luck."""
    last = progress.history[progress.patience_from :][-2:]
    return len(last) == 2 and all(epoch.get("val_error") == 0 for epoch in last)


def is_over(progress: TrainingProgress, config: TrainConfig) -> bool:
    """Whether there is no epoch left to train."""
    return (
        progress.epoch >= config.epochs
        or out_of_patience(progress, config.patience)
        or without_errors(progress)
    )


def with_more(
    more: int | None, config: RunConfig, progress: TrainingProgress
) -> tuple[RunConfig, TrainingProgress]:
    """Plans as many more epochs as were asked for, if any; patience counts anew from here."""
    if more is None:
        return config, progress
    train = dataclasses.replace(config.train, epochs=progress.epoch + more)
    progress = dataclasses.replace(progress, patience_from=progress.epoch)
    return dataclasses.replace(config, train=train), progress
