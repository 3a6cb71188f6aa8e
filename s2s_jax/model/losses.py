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


def cross_entropy(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> jax.Array:
    """In nats, summed over real target tokens; arguments as in `token_sums`."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return (losses * mask).sum()


def token_sums(logits: jax.Array, targets: jax.Array, mask: jax.Array) -> Sums:
    """Cross-entropy in nats and right answers, summed over real target tokens.

    Args:
      logits: `[batch, time, vocab]`.
      targets: ids `[batch, time]`.
      mask: true on real tokens `[batch, time]`; the rest counts nowhere.
    """
    correct = logits.argmax(-1) == targets
    return Sums(cross_entropy(logits, targets, mask), (correct & mask).sum(), mask.sum())
