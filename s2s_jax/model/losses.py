"""Masked sums and counts; the division happens once, at the end."""

from __future__ import annotations

from typing import NamedTuple

import optax
from jaxtyping import Array, Bool, Float, Int, Scalar


class Sums(NamedTuple):
    """Totals over real target tokens; they add up over batches and devices."""

    loss: Scalar | float
    correct: Scalar | float
    tokens: Scalar | float


def cross_entropy(
    logits: Float[Array, "batch time vocab"],
    targets: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
) -> Scalar:
    """In nats, summed over real target tokens; arguments as in `token_sums`."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return (losses * mask).sum()


def token_sums(
    logits: Float[Array, "batch time vocab"],
    targets: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
) -> Sums:
    """Cross-entropy in nats and right answers, summed over real target tokens.

    Args:
      logits: of every token.
      targets: ids.
      mask: true on real tokens; the rest has no weight.
    """
    correct = logits.argmax(-1) == targets
    return Sums(cross_entropy(logits, targets, mask), (correct & mask).sum(), mask.sum())
