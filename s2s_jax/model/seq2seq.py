"""Encoder, decoder, and the one set of parameters that three views share.

`Seq2Seq.__call__` trains (teacher forcing), `Seq2Seq.encode` reads a sentence, and
`Seq2Seq.decode_step` writes one token of the answer. All three are methods of one module over
one tree of parameters, so what was trained is what decodes (Sutskever et al. 2014).
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from s2s_jax.config import ModelConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.model.recurrence import Carry, LSTMCell, product, unroll

Memory = tuple[()]
"""What the decoder may look up of the source at every step; nothing, without attention."""


def _bias_init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype) -> jax.Array:
    """Zeros, but ones for the forget gate, so that early training remembers."""
    del key
    features = shape[0] // 4
    return jnp.zeros(shape, dtype).at[features : 2 * features].set(1)


def _project(dtype: Any, x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
    """What `nn.Dense` takes for `jax.lax.dot_general`; it always asks for the same product."""
    return product("...x,xy->...y", x, kernel, dtype)


class GateInputs(nn.Module):
    """What tokens contribute to an LSTM's gates: x W + b.

    With `embedding_dim` 0 the tokens are one-hot vectors, and a one-hot vector times W is a row
    of W: the row is looked up, and no one-hot array is ever built.
    """

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: Any = jnp.float32
    zero_pad: bool = False
    """Whether `<pad>` is an all-zero vector; else no `<pad>` is ever read."""

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """Ids `[...]` -> `[..., 4 * features]`."""
        rows = self.embedding_dim or self.vocab_size
        kernel = self.param(
            "kernel", nn.initializers.glorot_uniform(), (rows, 4 * self.features), jnp.float32
        )
        bias = self.param("bias", _bias_init, (4 * self.features,), jnp.float32)
        if self.embedding_dim:
            embed = nn.Embed(self.vocab_size, self.embedding_dim, name="embedding")
            return product("...e,eg->...g", embed(tokens), kernel, self.dtype) + bias
        if self.zero_pad:
            kernel = kernel.at[Vocabulary.pad_id].set(0)  # And no gradient gets there.
        return (kernel + bias).at[tokens].get(mode="promise_in_bounds")


class Encoder(nn.Module):
    """Reads a sentence into an LSTM's carry."""

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: Any = jnp.float32
    zero_pad: bool = False
    recurrent_activation: str = "sigmoid"

    def setup(self) -> None:
        self.inputs = GateInputs(
            self.vocab_size, self.features, self.embedding_dim, self.dtype, self.zero_pad
        )
        self.cell = LSTMCell(self.features, self.dtype, self.recurrent_activation)

    def __call__(self, tokens: jax.Array, mask: jax.Array) -> Carry:
        """Ids and mask `[batch, time]` -> `(c, h)` after each row's last real token.

        The scan runs over the padding too, and each row's carry is then taken from its own
        last step: cheaper than a mask inside the loop, and padding cannot reach the result.
        A row without tokens keeps the initial carry, zeros.
        """
        inputs = self.inputs(tokens.T)
        initial = self.cell.initialize_carry(jax.random.key(0), inputs.shape[1:])
        carries = unroll(self.cell, initial, inputs)
        lengths = mask.sum(axis=1)
        rows = jnp.arange(tokens.shape[0])
        last = jnp.maximum(lengths - 1, 0)

        def at_end(sequence: jax.Array) -> jax.Array:
            return jnp.where(lengths[:, None] > 0, sequence[last, rows], 0)

        c, h = carries
        return at_end(c), at_end(h)


class Decoder(nn.Module):
    """Writes a sentence, one token after another, from a carry."""

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: Any = jnp.float32
    recurrent_activation: str = "sigmoid"

    def setup(self) -> None:
        """Makes the layers that both methods share."""
        self.inputs = GateInputs(self.vocab_size, self.features, self.embedding_dim, self.dtype)
        self.cell = LSTMCell(self.features, self.dtype, self.recurrent_activation)
        self.output = nn.Dense(
            self.vocab_size,
            kernel_init=nn.initializers.glorot_uniform(),
            dot_general=functools.partial(_project, self.dtype),
            name="output",
        )

    def __call__(self, carry: Carry, memory: Memory, tokens: jax.Array) -> jax.Array:
        """All steps at once: ids `[batch, time]` -> logits `[batch, time, vocab]`."""
        del memory
        _, hidden = unroll(self.cell, carry, self.inputs(tokens.T))
        return self.output(hidden).swapaxes(0, 1)

    def step(self, carry: Carry, memory: Memory, tokens: jax.Array) -> tuple[Carry, jax.Array]:
        """One step: ids `[rows]` -> carry, logits `[rows, vocab]`."""
        del memory
        carry, hidden = self.cell(carry, self.inputs(tokens))
        return carry, self.output(hidden)


class Seq2Seq(nn.Module):
    """The model: an encoder whose final carry starts the decoder.

    Attributes:
      config: its sizes.
      dtype: what matrix products are computed in; parameters, sums and all else are float32.
    """

    config: ModelConfig
    dtype: Any = jnp.float32

    def setup(self) -> None:
        config = self.config
        sizes = (config.latent_dim, config.embedding_dim)
        zero_pad = config.source_length > 0
        activation = config.recurrent_activation
        self.encoder = Encoder(config.source_vocab_size, *sizes, self.dtype, zero_pad, activation)
        self.decoder = Decoder(config.target_vocab_size, *sizes, self.dtype, activation)

    def __call__(
        self, source: jax.Array, source_mask: jax.Array, target_inputs: jax.Array
    ) -> jax.Array:
        """Teacher-forced training: the decoder reads the reference, shifted right.

        Args:
          source: ids `[batch, source_time]`.
          source_mask: true on real tokens, `[batch, source_time]`.
          target_inputs: `<bos>` and the reference's ids `[batch, target_time]`.

        Returns:
          Logits of the next token `[batch, target_time, target_vocab]`.
        """
        return self.decoder(*self.encode(source, source_mask), target_inputs)

    def encode(self, source: jax.Array, source_mask: jax.Array) -> tuple[Carry, Memory]:
        """Ids and mask `[batch, time]` -> the decoder's first carry, and what it may look up."""
        return self.encoder(source, source_mask), ()

    def decode_step(
        self, carry: Carry, memory: Memory, tokens: jax.Array
    ) -> tuple[Carry, jax.Array]:
        """Last tokens `[rows]` -> carry, logits of the next `[rows, vocab]`; a `StepFn`."""
        return self.decoder.step(carry, memory, tokens)


@functools.lru_cache(maxsize=8)
def param_shapes(config: ModelConfig) -> Any:
    """The parameters of a model as shapes, without computing any."""
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    mask = jax.ShapeDtypeStruct((1, 1), bool)
    return jax.eval_shape(Seq2Seq(config).init, jax.random.key(0), tokens, mask, tokens)["params"]
