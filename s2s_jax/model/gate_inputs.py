"""What the layer below contributes to the gates of an LSTM, for all time steps at once."""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from s2s_jax.model.dropout import LAST_SITE, RowKeys, dropout
from s2s_jax.model.recurrence import product


class GateInputs(nn.Module):
    """What tokens contribute to an LSTM's gates: x W + b.

    With `embedding_dim` 0 the tokens are one-hot vectors, and a one-hot vector times W is a row
    of W: the row is looked up, and no one-hot array is ever built.
    """

    vocab_size: int
    features: int  # Units of the LSTM.
    embedding_dim: int = 0  # Of the token embeddings; 0 for one-hot vectors.
    dtype: DTypeLike = jnp.float32  # Of the matrix products; everything else is float32.
    dropout: float = 0.0  # Share of the inputs that is dropped in training.
    token_dropout: float = 0.0  # Share of the embeddings dropped whole (Gal & Ghahramani 2016).
    zero_id: int | None = None  # The id whose one-hot vector is all zeros, if there is one.

    def setup(self) -> None:
        rows = self.embedding_dim or self.vocab_size
        self.kernel = self.param(
            "kernel", nn.initializers.glorot_uniform(), (rows, 4 * self.features), jnp.float32
        )
        self.bias = self.param("bias", gate_bias, (4 * self.features,), jnp.float32)
        if self.embedding_dim:
            self.embedding = nn.Embed(self.vocab_size, self.embedding_dim)

    def __call__(
        self, tokens: Int[Array, "*batch"], keys: RowKeys | None = None
    ) -> Float[Array, "*batch gates"]:
        """Gate inputs of each token, `gates` being `4 * features`.

        Args:
          tokens: ids.
          keys: draw what is dropped, for tokens `[time, batch]`; None drops nothing.
        """
        if self.embedding_dim:
            return self.project(self.embed(tokens, keys))
        if keys is None or not self.dropout:
            return look_up(self.table(), tokens)
        # Of a one-hot vector all that can be dropped is the token.
        kept = dropout(jnp.ones((*tokens.shape, 1)), self.dropout, keys, 0)
        return look_up(self._rows(), tokens) * kept + self.bias

    def table(self) -> Float[Array, "vocab gates"]:
        """The gate inputs of every token, without dropout.

        Of embeddings this is a product: it pays if more tokens are looked up than there are.
        """
        if self.embedding_dim:
            return self.project(self.embedding.embedding)
        return self._rows() + self.bias

    def _rows(self) -> Float[Array, "vocab gates"]:
        """What one-hot vectors choose from."""
        if self.zero_id is None:
            return self.kernel
        return self.kernel.at[self.zero_id].set(0)  # This row then gets no gradient either.

    def embed(
        self, tokens: Int[Array, "*batch"], keys: RowKeys | None = None
    ) -> Float[Array, "*batch embedding_dim"]:
        """The embeddings of tokens; arguments as for the call."""
        vectors = self.embedding(tokens)
        if keys is not None and self.token_dropout:
            whole = jnp.ones((*tokens.shape, 1))
            vectors = vectors * dropout(whole, self.token_dropout, keys, LAST_SITE)
        return dropout(vectors, self.dropout, keys, 0)

    def project(self, vectors: Float[Array, "*batch x"]) -> Float[Array, "*batch gates"]:
        """The gate inputs of embeddings."""
        return product("...e,eg->...g", vectors, self.kernel, self.dtype) + self.bias


def look_up(
    table: Float[Array, "vocab gates"], tokens: Int[Array, "*batch"]
) -> Float[Array, "*batch gates"]:
    """The rows of tokens; their ids are not checked."""
    return table.at[tokens].get(mode="promise_in_bounds")


def dense(features: int, dtype: DTypeLike, **options: Any) -> nn.Dense:
    """A dense layer that computes its product as the recurrence does; `options` are of `nn.Dense`.

    Its kernel is Keras's, Glorot uniform.
    """
    kernel_init = nn.initializers.glorot_uniform()
    dot_general = functools.partial(_project, dtype)
    return nn.Dense(features, kernel_init=kernel_init, dot_general=dot_general, **options)


def _project(
    dtype: DTypeLike, x: Float[Array, "*rows x"], kernel: Float[Array, "x y"], *_: Any, **__: Any
) -> Float[Array, "*rows y"]:
    """`product` in the form that `nn.Dense` takes for `jax.lax.dot_general`."""
    return product("...x,xy->...y", x, kernel, dtype)


def gate_bias(
    key: Key[Array, ""], shape: tuple[int, ...], dtype: DTypeLike
) -> Float[Array, " gates"]:
    """Zeros, but ones for the forget gate, so that early training remembers."""
    del key
    features = shape[0] // 4
    return jnp.zeros(shape, dtype).at[features : 2 * features].set(1)
