"""Attention: what a decoder looks up in the source at every step.

Global attention of Luong et al. (2015), with the score that they call general and without input
feeding, so that the queries of all time steps are known at once in training:

    score(h_t, s) = h_t W_a s           s: the encoder's output at a source position
    a_t = softmax(score over the real positions)
    c_t = sum over positions of a_t s
    attentional vector: tanh(W_c [c_t; h_t] + b)
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
    """What attention reads of encoded sources.

    Attributes:
      keys: W_a s of every position.
      values: s of every position.
      mask: true on real positions.
    """

    keys: Float[Array, "sources source_time units"]
    values: Float[Array, "sources source_time encoded"]
    mask: Bool[Array, "sources source_time"]


Memory = Source | tuple[()]
"""What the decoder can look up in the source at every step: nothing, without attention."""


class LuongAttention(nn.Module):
    """Queries -> attentional vectors.

    The weights of each query are sown as the intermediate `weights`, `[sources, queries,
    source_time]`.

    Attributes:
      features: of the attentional vectors; None leaves them [c_t; h_t].
      dtype: of the matrix products; everything else is float32.
    """

    features: int | None
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        if self.features is not None:
            self.mix = dense(self.features, self.dtype)

    def __call__(
        self, queries: Float[Array, "sources queries units"], memory: Source
    ) -> Float[Array, "sources queries features"]:
        """The attentional vector of each query: those of a source share its row of memory."""
        scores = product("bqf,bsf->bqs", queries, memory.keys, self.dtype)
        weights = jax.nn.softmax(jnp.where(memory.mask[:, None], scores, _NEVER))
        self.sow("intermediates", "weights", weights)
        contexts = product("bqs,bse->bqe", weights, memory.values, self.dtype)
        both = jnp.concatenate((contexts, queries), axis=-1)
        return both if self.features is None else jnp.tanh(self.mix(both))
