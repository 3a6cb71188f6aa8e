"""Dropout whose draws belong to a row, wherever the row is computed."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from s2s_jax.config import ModelConfig

RowKeys = UInt32[Array, "batch sites words"]
"""The data of a random key for each row of a batch, at each place that drops something."""

LAST_SITE = -1
"""Where whole tokens are dropped, if they are: after all others, whose draws stay as they are."""


def row_keys(key: Key[Array, ""], rows: int, config: ModelConfig) -> UInt32[Array, "rows 2 _ _"]:
    """The `RowKeys` of the encoder and of the decoder, side by side.

    They depend on no length. Drawn once for all shapes of a batch, they need not be compiled with
    each of them: a sixth of the time that a gradient takes to compile.

    Args:
      key: of an update.
      rows: of the batch. What a row drops depends on its place, on whatever device it is.
      config: of the model, which says how many places drop something.
    """
    of_layers = max(config.encoder_layers, config.decoder_layers + 1)
    sites = jnp.arange(of_layers + bool(config.token_dropout))
    fold = jax.vmap(jax.random.fold_in, (None, 0))
    sides = jax.vmap(fold, (0, None))(fold(key, jnp.arange(rows)), jnp.arange(2))
    return jax.random.key_data(jax.vmap(jax.vmap(fold, (0, None)), (0, None))(sides, sites))


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
      site: the place, of those that `keys` have, that `x` is read at.
    """
    if keys is None or not rate:
        return x
    time, _, features = x.shape
    draws = jnp.arange(time * features, dtype=jnp.uint32).reshape(time, 1, features)
    for word in keys[:, site].T:  # Each row's numbers depend on both words of its key.
        draws = _mixed(draws ^ word[:, None])
    return jnp.where(draws >= np.uint32(rate * 2**32), x / (1 - rate), 0)


def _mixed(words: UInt32[Array, "*x"]) -> UInt32[Array, "*x"]:
    """Each word made into one that looks random: the last part of MurmurHash3 (Appleby 2011).

    It is computed where it is used, in the same loop. JAX's own generator takes nine loops at
    each place that drops something, a sixth of the time that a gradient takes to compile.
    """
    words = (words ^ (words >> 16)) * np.uint32(0x85EBCA6B)
    words = (words ^ (words >> 13)) * np.uint32(0xC2B2AE35)
    return words ^ (words >> 16)
