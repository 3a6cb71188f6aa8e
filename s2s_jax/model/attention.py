"""Attention: what a decoder looks up in the source at every step.

Global attention of Luong et al. (2015), with the score that they call general and without input
feeding, so that the queries of all time steps are known at once in training:

    score(h_t, s) = h_t W_a s           s: what is found at a source position
    a_t = softmax(score over the real positions)
    c_t = sum over positions of a_t s
    attentional vector: tanh(W_c [c_t; h_t] + b)

What is found is the encoder's output and, with `attend_embeddings`, the token's embedding beside
it: which word stands there is then known without the recurrence having to hand it on (the shortcut
of Nguyen and Chiang 2018, https://arxiv.org/abs/1710.01329, who give it an output layer of its
own). With several heads h_t, W_a s and s are divided into as many parts, each with weights of its
own, and c_t is the contexts of all (Vaswani et al. 2017).
"""

from __future__ import annotations

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float

from s2s_jax.model.gate_inputs import dense
from s2s_jax.model.recurrence import product

_NEVER = -1e9  # The exponential of it is 0, and a row without any real position stays finite.


class Source(NamedTuple):
    """What attention reads of encoded sources."""

    keys: Float[Array, "sources heads key_part source_time"]  # W_a s of every position.
    values: Float[Array, "sources heads source_time value_part"]  # s of every position.
    mask: Bool[Array, "sources source_time"]  # True on real positions.


Memory = Source | tuple[()]
"""What the decoder can look up in the source at every step: nothing, without attention."""


class LuongAttention(nn.Module):
    """Queries -> attentional vectors.

    The weights of each query, the mean of all heads, are sown as the intermediate `weights`,
    `[sources, queries, source_time]`.
    """

    heads: int  # Into how many parts queries, keys and values are divided.
    features: int | None  # Of the attentional vectors; None leaves them [c_t; h_t].
    dtype: DTypeLike = jnp.float32  # Of the matrix products; everything else is float32.

    def setup(self) -> None:
        if self.features is not None:
            self.mix = dense(self.features, self.dtype)

    def __call__(
        self, queries: Float[Array, "sources queries units"], memory: Source
    ) -> Float[Array, "sources queries features"]:
        """The attentional vector of each query: those of a source share its row of memory."""
        parts = divided(queries, self.heads)
        scores = product("bhqf,bhfs->bhqs", parts, memory.keys, self.dtype)
        weights = jax.nn.softmax(jnp.where(memory.mask[:, None, None], scores, _NEVER))
        self.sow("intermediates", "weights", weights.mean(axis=1))
        contexts = product("bhqs,bhse->bhqe", weights, memory.values, self.dtype)
        contexts = contexts.swapaxes(1, 2)
        both = jnp.concatenate((contexts.reshape(*queries.shape[:2], -1), queries), axis=-1)
        return both if self.features is None else jnp.tanh(self.mix(both))


def remembered(
    keys: Float[Array, "sources source_time units"],
    values: Float[Array, "sources source_time found"],
    mask: Bool[Array, "sources source_time"],
    heads: int,
) -> Source:
    """What `LuongAttention` reads, laid out as its products need it, once instead of every step."""
    return Source(divided(keys, heads).swapaxes(2, 3), divided(values, heads), mask)


def divided(
    vectors: Float[Array, "sources time x"], heads: int
) -> Float[Array, "sources heads time part"]:
    """The part of each head."""
    return vectors.reshape(*vectors.shape[:2], heads, -1).swapaxes(1, 2)
