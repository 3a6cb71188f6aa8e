"""The decoder: LSTMs that write a sentence, all at once in training or one token at a time."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from s2s_jax.config import ModelConfig
from s2s_jax.model.attention import LuongAttention, Memory
from s2s_jax.model.dropout import RowKeys, dropout
from s2s_jax.model.gate_inputs import GateInputs, dense, gate_bias, look_up
from s2s_jax.model.recurrence import Carry, LSTMCell, product, unroll


class Decoder(nn.Module):
    """Writes sentences, starting from a carry for each layer.

    The first LSTM depends on the tokens alone. Attention stands on top of it, and the LSTMs above
    read the attentional vectors and add them to their outputs (residual connections). With
    `residual` false, as in models from Keras, attention stands on top of them all.
    """

    config: ModelConfig
    dtype: DTypeLike = jnp.float32  # Of the matrix products; everything else is float32.

    def setup(self) -> None:
        config, dtype = self.config, self.dtype
        units = config.latent_dim
        tokens = (config.target_vocab_size, units, config.embedding_dim, dtype)
        self.inputs = GateInputs(*tokens, config.dropout, config.token_dropout)
        cell = (units, dtype, config.recurrent_activation)
        upper = range(1, config.decoder_layers)
        self.cell = LSTMCell(*cell)
        self.upper_inputs = [dense(4 * units, dtype, bias_init=gate_bias) for _ in upper]
        self.upper_cells = [LSTMCell(*cell) for _ in upper]
        # What the output layer reads: as wide as the embeddings where it shares them.
        width = config.embedding_dim if config.tie_embeddings else units
        self.attended = 1 if config.residual else config.decoder_layers
        mixed = config.attention == "luong" and config.attention_mix
        narrowed = mixed and self.attended == config.decoder_layers
        if config.attention == "luong":
            features = width if narrowed else units
            features = features if mixed else None
            self.attention = LuongAttention(config.attention_heads, features, dtype)
        if config.tie_embeddings:
            self.readout = None if narrowed else dense(width, dtype)
            self.tied_output = TiedOutput(config.target_vocab_size, dtype, name="output")
        else:
            self.output = dense(config.target_vocab_size, dtype)

    def __call__(
        self,
        carry: tuple[Carry, ...],
        memory: Memory,
        tokens: Int[Array, "batch time"],
        dropout_keys: RowKeys | None = None,
    ) -> Float[Array, "batch time vocab"]:
        """Logits of all steps at once."""
        rate = self.config.dropout
        _, hidden = unroll(self.cell, carry[0], self.inputs(tokens.T, dropout_keys))
        hidden = self._attend(1, hidden.swapaxes(0, 1), memory).swapaxes(0, 1)
        layers = zip(self.upper_inputs, self.upper_cells, carry[1:], strict=True)
        for site, (inputs, cell, start) in enumerate(layers, 1):
            below = dropout(hidden, rate, dropout_keys, site)
            _, above = unroll(cell, start, inputs(below))
            hidden = hidden + above if self.config.residual else above
            hidden = self._attend(site + 1, hidden.swapaxes(0, 1), memory).swapaxes(0, 1)
        hidden = dropout(hidden, rate, dropout_keys, self.config.decoder_layers)
        return self._logits(hidden.swapaxes(0, 1))

    def step(
        self, carry: tuple[Carry, ...], memory: Memory, tokens: Int[Array, " rows"]
    ) -> tuple[tuple[Carry, ...], Float[Array, "rows vocab"]]:
        """One step: the next carries, and the logits of the next token.

        With attention the rows of a source, one or several, follow each other.
        """
        table = self.get_variable("tables", "inputs")
        gates = self.inputs(tokens) if table is None else look_up(table, tokens)
        first, hidden = self.cell(carry[0], gates)
        carries = [first]
        rows = tokens.shape[0]
        sources = memory.mask.shape[0] if memory else rows

        def attend(layers: int, hidden: Float[Array, "rows x"]) -> Float[Array, "rows y"]:
            queries = hidden.reshape(sources, rows // sources, -1)
            return self._attend(layers, queries, memory).reshape(rows, -1)

        hidden = attend(1, hidden)
        layers = zip(self.upper_inputs, self.upper_cells, carry[1:], strict=True)
        for number, (inputs, cell, before) in enumerate(layers, 2):
            after, output = cell(before, inputs(hidden))
            carries.append(after)
            hidden = attend(number, hidden + output if self.config.residual else output)
        return tuple(carries), self._logits(hidden)

    def make_tables(self) -> None:
        """Puts what each token contributes to the gates into the collection `tables`."""
        self.put_variable("tables", "inputs", self.inputs.table())

    def _attend(
        self, layers: int, hidden: Float[Array, "sources queries x"], memory: Memory
    ) -> Float[Array, "sources queries y"]:
        """What stands above so many layers: attention, or their outputs as they are."""
        return self.attention(hidden, memory) if memory and layers == self.attended else hidden

    def _logits(self, hidden: Float[Array, "*rows x"]) -> Float[Array, "*rows vocab"]:
        if not self.config.tie_embeddings:
            return self.output(hidden)
        hidden = hidden if self.readout is None else self.readout(hidden)
        return self.tied_output(hidden, self.inputs.embedding.embedding)


class TiedOutput(nn.Module):
    """An output layer whose kernel is the table of embeddings (Press & Wolf 2017)."""

    vocab_size: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, hidden: Float[Array, "*rows x"], embedding: Float[Array, "vocab x"]
    ) -> Float[Array, "*rows vocab"]:
        """Logits."""
        bias = self.param("bias", nn.initializers.zeros, (self.vocab_size,), jnp.float32)
        return product("...x,vx->...v", hidden, embedding, self.dtype) + bias
