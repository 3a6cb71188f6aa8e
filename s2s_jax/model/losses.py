"""Masked sums and counts; the division happens once, at the end."""

from __future__ import annotations

from typing import NamedTuple

import jax
import optax


class Sums(NamedTuple):
    """Totals over real target tokens; scalars that add up over batches and devices."""

    loss: jax.Array | float
    correct: jax.Array | float
    tokens: jax.Array | float


def token_sums(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> Sums:
    """Cross-entropy in nats and right answers, summed over real target tokens.

    Args:
      logits: `[batch, time, vocab]`.
      targets: ids `[batch, time]`.
      mask: true on real tokens `[batch, time]`; the rest counts nowhere.
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    correct = logits.argmax(-1) == targets
    return Sums((losses * mask).sum(), (correct & mask).sum(), mask.sum())
