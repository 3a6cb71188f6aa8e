"""Masked sums and counts; the division happens once, at the end."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Scalar

from s2s_jax.data.vocabulary import Vocabulary


class Sums(NamedTuple):
    """Totals over real target tokens; they add up over batches and devices."""

    loss: Scalar | float
    correct: Scalar | float
    tokens: Scalar | float


def cross_entropy(
    logits: Float[Array, "batch time vocab"],
    targets: Int[Array | np.ndarray, "batch time"],
    mask: Bool[Array | np.ndarray, "batch time"],
    smoothing: float = 0.0,
) -> Scalar:
    """In nats, summed over real target tokens; arguments as in `token_sums`.

    With `smoothing`, this share of the wanted probability is spread evenly over the vocabulary, and
    the rest is the target's (label smoothing; Szegedy et al. 2016, section 7).
    """
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    if smoothing:
        # Against q instead of the target's one-hot p: sum((p - q) * logits) more.
        wanted = jnp.take_along_axis(logits, targets[..., None], -1)[..., 0]
        losses += smoothing * (wanted - logits.mean(-1))
    return (losses * mask).sum()


def token_sums(
    logits: Float[Array, "batch time vocab"],
    targets: Int[Array | np.ndarray, "batch time"],
    mask: Bool[Array | np.ndarray, "batch time"],
) -> Sums:
    """Cross-entropy in nats and correct predictions, summed over real target tokens.

    Args:
      logits: of every token.
      targets: ids; `<unk>` stands for a symbol that is not in the vocabulary.
      mask: true on real tokens; the rest has no weight.
    """
    given = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    # The greatest logit costs less than its place: the loss needs it, too. Decoding never writes
    # <unk>, so a prediction of it is not a right answer.
    correct = (given == logits.max(-1)) & (targets != Vocabulary.unk_id) & mask
    return Sums(cross_entropy(logits, targets, mask), correct.sum(), mask.sum())
