"""The loss of a state on pairs that it does not learn from."""

from __future__ import annotations

from collections import deque

import jax
from jax.sharding import Mesh

from s2s_jax.data.batching import Batches
from s2s_jax.model.losses import Sums
from s2s_jax.runtime.parallel import place, share
from s2s_jax.training.fitting.progress import add_sums
from s2s_jax.training.fitting.state import TrainingState
from s2s_jax.training.fitting.step import Steps, compiled_steps

IN_FLIGHT = 8
"""Batches that the device may be busy with before the host reads the oldest's sums."""


def validation_sums(
    state: TrainingState, batches: Batches, mesh: Mesh | None = None, steps: Steps | None = None
) -> Sums:
    """Totals over all real target tokens of `batches`; `steps` as in `train_epoch`."""
    step = (steps or compiled_steps(mesh)).evaluate
    total, in_flight = Sums(0.0, 0.0, 0.0), deque[Sums]()
    for batch in batches.epoch(share=share(batches.batch_size, mesh)):
        in_flight.append(step(state, place(batch, mesh)))
        if len(in_flight) == IN_FLIGHT:
            total = add_sums(total, jax.device_get(in_flight.popleft()))
    for sums in in_flight:
        total = add_sums(total, jax.device_get(sums))
    return total


def mean_loss(state: TrainingState, batches: Batches) -> float:
    """Nats per real target token of `batches`, on one device."""
    sums = validation_sums(state, batches)
    return float(sums.loss / sums.tokens)
