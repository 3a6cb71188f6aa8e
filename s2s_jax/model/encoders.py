"""The encoder: an LSTM that reads a sentence."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from s2s_jax.model.gate_inputs import GateInputs
from s2s_jax.model.recurrence import Carry, LSTMCell, unroll


class Encoder(nn.Module):
    """Reads a sentence into an LSTM's carry; the attributes are those of `GateInputs`."""

    vocab_size: int
    features: int
    embedding_dim: int = 0
    dtype: DTypeLike = jnp.float32
    recurrent_activation: str = "sigmoid"
    zero_id: int | None = None

    def setup(self) -> None:
        self.inputs = GateInputs(
            self.vocab_size, self.features, self.embedding_dim, self.dtype, self.zero_id
        )
        self.cell = LSTMCell(self.features, self.dtype, self.recurrent_activation)

    def __call__(self, tokens: Int[Array, "batch time"], mask: Bool[Array, "batch time"]) -> Carry:
        """The `(c, h)` after each row's last real token; zeros for a row without tokens.

        The scan runs over the padding too, and each row's carry is then taken from its own last
        step. That is cheaper than a mask inside the loop, and padding cannot reach the result.
        """
        inputs = self.inputs(tokens.T)
        initial = self.cell.initialize_carry(jax.random.key(0), inputs.shape[1:])
        carries = unroll(self.cell, initial, inputs)
        lengths = mask.sum(axis=1)
        rows = jnp.arange(tokens.shape[0])
        last = jnp.maximum(lengths - 1, 0)

        def at_end(sequence: Float[Array, "time batch features"]) -> Float[Array, "batch features"]:
            return jnp.where(lengths[:, None] > 0, sequence[last, rows], 0)

        c, h = carries
        return at_end(c), at_end(h)
