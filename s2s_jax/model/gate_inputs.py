"""What tokens contribute to the gates of an LSTM, for all time steps at once."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from s2s_jax.model.recurrence import product


class GateInputs(nn.Module):
    """What tokens contribute to an LSTM's gates: x W + b.

    With `embedding_dim` 0 the tokens are one-hot vectors, and a one-hot vector times W is a row
    of W: the row is looked up, and no one-hot array is ever built.

    Attributes:
      vocab_size: number of ids.
      features: units of the LSTM.
      embedding_dim: size of the token embeddings; 0 for one-hot vectors.
      dtype: of the matrix products; everything else is float32.
      zero_id: the id whose one-hot vector is all zeros, if there is one.
    """

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: DTypeLike = jnp.float32
    zero_id: int | None = None

    @nn.compact
    def __call__(self, tokens: Int[Array, "*batch"]) -> Float[Array, "*batch gates"]:
        """Gate inputs of each token, `gates` being `4 * features`."""
        rows = self.embedding_dim or self.vocab_size
        kernel = self.param(
            "kernel", nn.initializers.glorot_uniform(), (rows, 4 * self.features), jnp.float32
        )
        bias = self.param("bias", _bias_init, (4 * self.features,), jnp.float32)
        if self.embedding_dim:
            embed = nn.Embed(self.vocab_size, self.embedding_dim, name="embedding")
            return product("...e,eg->...g", embed(tokens), kernel, self.dtype) + bias
        if self.zero_id is not None:
            kernel = kernel.at[self.zero_id].set(0)  # This row then gets no gradient either.
        return (kernel + bias).at[tokens].get(mode="promise_in_bounds")


def _bias_init(key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike) -> jax.Array:
    """Zeros, but ones for the forget gate, so that early training remembers."""
    del key
    features = shape[0] // 4
    return jnp.zeros(shape, dtype).at[features : 2 * features].set(1)
