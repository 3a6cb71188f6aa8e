"""The metrics of a run's epochs, as `metrics.jsonl` has them, and which epoch was the best."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_jax.errors import UserError
from s2s_jax.runs.folder import EVALUATION, METRICS


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The metrics of each epoch; none for a run whose first has not ended.

    Raises:
      UserError: when the file cannot be read, or holds something else.
    """
    path = folder / METRICS
    try:
        history = _read(path, _parse_lines)
    except FileNotFoundError:
        return []
    for number, epoch in enumerate(history, 1):
        if not isinstance(epoch, dict) or epoch.get("epoch") != number or not _numbers(epoch):
            raise UserError(f"{path} is damaged: line {number} is not the metrics of an epoch.")
    return history


def read_evaluation(folder: Path) -> dict[str, Any]:
    """The figures of a run's answers; none before it has finished.

    Raises:
      UserError: when the file cannot be read, or holds something else.
    """
    path = folder / EVALUATION
    try:
        values = _read(path, json.loads)
    except FileNotFoundError:
        return {}
    counts = [values.get(key) for key in ("sentences", "exact")] if isinstance(values, dict) else []
    if not counts or not all(isinstance(count, int) for count in counts):
        raise UserError(f"{path} is damaged: it has no figures; take a copy of the run.")
    return values


def _read(path: Path, parse: Callable[[str], Any]) -> Any:
    """What a file holds; raises `FileNotFoundError` where there is none."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); take a copy of the run.") from None


def _parse_lines(text: str) -> list[Any]:
    # Earlier versions wrote NaN, which is not JSON.
    return [json.loads(line, parse_constant=lambda _: None) for line in text.splitlines()]


def _numbers(epoch: Mapping[str, Any]) -> bool:
    """Whether the metrics are finite numbers, or None where a figure was not; `loss` is there."""
    return "loss" in epoch and all(
        value is None or (isinstance(value, (int, float)) and abs(value) <= sys.float_info.max)
        for value in epoch.values()
    )


def best_epoch(history: Sequence[Mapping[str, Any]]) -> int:
    """The number of the best epoch, from 1, the first of equals.

    It has the least loss, that of the validation part if there is one; before the loss counts the
    error rate, where it was measured.
    """
    losses = [epoch.get("val_loss", epoch["loss"]) for epoch in history]
    ranks = [
        (epoch.get("val_error", 0.0), math.inf if loss is None else loss)
        for epoch, loss in zip(history, losses, strict=True)
    ]
    return ranks.index(min(ranks)) + 1
