"""The decoder: an LSTM that writes a sentence, all at once in training or one token at a time."""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from s2s_jax.model.gate_inputs import GateInputs
from s2s_jax.model.recurrence import Carry, LSTMCell, product, unroll

Memory = tuple[()]
"""What the decoder can look up in the source at every step: nothing, without attention."""


def _project(
    dtype: DTypeLike, x: Float[Array, "*rows x"], kernel: Float[Array, "x y"], *_: Any, **__: Any
) -> Float[Array, "*rows y"]:
    """`product` in the form that `nn.Dense` takes for `jax.lax.dot_general`."""
    return product("...x,xy->...y", x, kernel, dtype)


class Decoder(nn.Module):
    """Writes a sentence, starting from a carry; the attributes are those of `GateInputs`."""

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: DTypeLike = jnp.float32
    recurrent_activation: str = "sigmoid"

    def setup(self) -> None:
        self.inputs = GateInputs(self.vocab_size, self.features, self.embedding_dim, self.dtype)
        self.cell = LSTMCell(self.features, self.dtype, self.recurrent_activation)
        self.output = nn.Dense(
            self.vocab_size,
            kernel_init=nn.initializers.glorot_uniform(),
            dot_general=functools.partial(_project, self.dtype),
            name="output",
        )

    def __call__(
        self, carry: Carry, memory: Memory, tokens: Int[Array, "batch time"]
    ) -> Float[Array, "batch time vocab"]:
        """Logits of all steps at once."""
        del memory
        _, hidden = unroll(self.cell, carry, self.inputs(tokens.T))
        return self.output(hidden).swapaxes(0, 1)

    def step(
        self, carry: Carry, memory: Memory, tokens: Int[Array, " batch"]
    ) -> tuple[Carry, Float[Array, "batch vocab"]]:
        """One step: the next carry, and the logits of the next token."""
        del memory
        carry, hidden = self.cell(carry, self.inputs(tokens))
        return carry, self.output(hidden)
