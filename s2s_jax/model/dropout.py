"""Dropout whose draws belong to a row, wherever the row is computed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

RowKeys = Key[Array, " batch"]
"""A random key for each row of a batch."""


def dropout(
    x: Float[Array, "*time batch features"], rate: float, keys: RowKeys | None, site: int
) -> Float[Array, "*time batch features"]:
    """Zeroes a share of `x` and scales the rest, so that sums stay as they are in the mean.

    Srivastava et al. (2014). What is dropped of a row depends on its key and on the site alone:
    not on the other rows, and not on the device that computes it.

    Args:
      x: what some layer reads.
      rate: the share that is dropped, below 1.
      keys: for the draws; None, as outside training, drops nothing.
      site: a number for each place in a model that drops something.
    """
    if keys is None or not rate:
        return x
    time, _, features = x.shape

    def kept(key: Key[Array, ""]) -> jax.Array:
        return jax.random.bernoulli(jax.random.fold_in(key, site), 1 - rate, (time, features))

    return jnp.where(jax.vmap(kept, out_axes=1)(keys), x / (1 - rate), 0)
