"""The metrics of a run's epochs, as `metrics.jsonl` has them, and which epoch was the best."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_jax.errors import UserError
from s2s_jax.runs.folder import EVALUATION, METRICS, parsed
from s2s_jax.runtime.files import read_if_there


def read_history(folder: Path) -> list[dict[str, Any]]:
    """The metrics of each epoch; none for a run whose first has not ended.

    Raises:
      UserError: when the file cannot be read, or holds something else.
    """
    path = folder / METRICS
    content = read_if_there(path)
    if content is None:
        return []
    history = parsed(path, content, _parse_lines)
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
    content = read_if_there(path)
    if content is None:
        return {}
    values = parsed(path, content)
    counts = [values.get(key) for key in ("sentences", "exact")] if isinstance(values, dict) else []
    if not counts or not all(isinstance(count, int) for count in counts):
        raise UserError(f"{path} is damaged: it has no figures; take a copy of the run.")
    return values


def _parse_lines(content: bytes) -> list[Any]:
    # Earlier versions wrote NaN, which is not JSON.
    return [json.loads(line, parse_constant=lambda _: None) for line in content.splitlines()]


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
