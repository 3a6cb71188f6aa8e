"""The learning rate of every update, as a share of the one that was set.

A share is worked out on the host from what a run folder holds, so that a resumed run goes on
exactly. Of a run whose epochs were raised, it is from there on the share that the longer run has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from s2s_jax.config import TrainConfig
from s2s_jax.errors import UserError

PLATEAU_EPOCHS = 2
"""Epochs without a better validation loss after which plateau halves the rate."""

_LAST = 0.01  # What cosine ends at.


def is_scheduled(config: TrainConfig) -> bool:
    """Whether the learning rate changes at all."""
    return config.schedule != "constant" or config.warmup > 0


def check_watched(config: TrainConfig, validation: bool) -> None:
    """Refuses what watches a validation part where there is none.

    Raises:
      UserError: for such a setting.
    """
    if validation:
        return
    if config.schedule == "plateau":
        raise UserError("`schedule` plateau needs a validation part.")
    if config.select == "error":
        raise UserError(
            "`select` error needs a validation part; give `validation`, a `validation_split` above "
            "0, or `select` loss."
        )


def rate_share(
    config: TrainConfig, steps: int, history: Sequence[Mapping[str, Any]], step: int
) -> float:
    """The share of the learning rate in one update.

    All rise evenly over the updates of the warm-up, which is at most half of the run. Then
    constant stays at 1; cosine falls to a hundredth in the last update (Loshchilov and Hutter
    2017, without restarts); inverse-sqrt falls with the root of the number of updates (Vaswani et
    al. 2017); and plateau is halved after every `PLATEAU_EPOCHS` epochs without a better
    validation loss.

    Args:
      config: of the run.
      steps: updates of the whole run.
      history: the metrics of each completed epoch.
      step: updates before this one.

    Returns:
      Above 0, at most 1.
    """
    warmup = min(config.warmup, steps // 2)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "cosine":
        top = max(warmup - 1, 0)
        way = (step - top) / max(steps - 1 - top, 1)
        return _LAST + (1 - _LAST) * (1 + math.cos(math.pi * min(way, 1))) / 2
    if config.schedule == "inverse-sqrt":
        return math.sqrt(max(warmup, 1) / (step + 1))
    if config.schedule == "plateau":
        return 0.5 ** _plateaus([epoch["val_loss"] for epoch in history])
    return 1.0


def _plateaus(losses: Sequence[float | None]) -> int:
    """How often `PLATEAU_EPOCHS` epochs in a row were no better than the best before them."""
    best, waited, plateaus = math.inf, 0, 0
    for loss in losses:
        waited += 1
        if loss is not None and loss < best:
            best, waited = loss, 0
        elif waited == PLATEAU_EPOCHS:
            waited, plateaus = 0, plateaus + 1
    return plateaus
