"""The encoder: LSTMs that read a sentence, in one direction or in both."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from s2s_jax.config import ModelConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.model.attention import Memory, remembered
from s2s_jax.model.dropout import RowKeys, dropout
from s2s_jax.model.gate_inputs import GateInputs, dense, gate_bias
from s2s_jax.model.reading import Lookup, read_all, read_to_the_end
from s2s_jax.model.recurrence import Carry, LSTMCell


class Encoder(nn.Module):
    """Reads sentences.

    With `bidirectional` each direction has half of `latent_dim` units, so that both together are
    as wide as the decoder. Layers above the first read the outputs of the one below and add them
    to their own (residual connections, He et al. 2016).
    """

    config: ModelConfig
    dtype: DTypeLike = jnp.float32  # Of the matrix products; everything else is float32.

    def setup(self) -> None:
        config = self.config
        units = config.latent_dim // (2 if config.bidirectional else 1)
        tokens = (config.source_vocab_size, units, config.embedding_dim, self.dtype)
        # In models from Keras the encoder may read on past a sentence's end, through zeros.
        tokens += (config.dropout, config.token_dropout, Vocabulary.pad_id)
        self.inputs = GateInputs(*tokens)
        upper = range(1, config.encoder_layers)
        cell = (units, self.dtype, config.recurrent_activation)
        of_vectors = {"dtype": self.dtype, "bias_init": gate_bias}
        self.cell = LSTMCell(*cell)
        self.upper_inputs = [dense(4 * units, **of_vectors) for _ in upper]
        self.upper_cells = [LSTMCell(*cell) for _ in upper]
        if config.bidirectional:
            # What either reads: embeddings, which both directions share, or one-hot vectors.
            if config.embedding_dim:
                self.backward_inputs = dense(4 * units, **of_vectors)
            else:
                self.backward_tokens = GateInputs(*tokens, name="backward_inputs")
            self.backward_cell = LSTMCell(*cell)
            self.upper_backward_inputs = [dense(4 * units, **of_vectors) for _ in upper]
            self.upper_backward_cells = [LSTMCell(*cell) for _ in upper]
        if config.has_bridge:
            width = config.decoder_layers * config.latent_dim
            self.bridge = [dense(width, self.dtype) for _ in "ch"]
        if config.attention == "luong":
            self.keys = dense(config.latent_dim, self.dtype, use_bias=False)

    def __call__(
        self,
        tokens: Int[Array, "batch time"],
        mask: Bool[Array, "batch time"],
        dropout_keys: RowKeys | None = None,
        *,
        decoding: bool = False,
    ) -> tuple[tuple[Carry, ...], Memory]:
        """The first carry of each of the decoder's layers, and its memory.

        Without a bridge the carry is the encoder's own after each row's last real token; zeros
        for a row without tokens.

        Args:
          tokens: ids.
          mask: true on real tokens, which come first.
          dropout_keys: draw what is dropped; None drops nothing.
          decoding: true reads to the end of the longest row alone and keeps nothing for
            gradients.
        """
        config, real, tokens = self.config, mask.T, tokens.T
        decoding &= not self.is_initializing()  # A module makes its parameters when it is called.
        read = read_to_the_end if decoding else read_all
        vectors = self.inputs.embed(tokens, dropout_keys) if config.embedding_dim else None
        gates = self._gate_inputs(tokens, vectors, dropout_keys, decoding)
        cells = [self.cell, self.backward_cell] if config.bidirectional else [self.cell]
        outputs, carry = read(cells, gates, real)
        ends = [carry]
        for n in range(config.encoder_layers - 1):
            below = dropout(outputs, config.dropout, dropout_keys, n + 1)
            gates, cells = [self.upper_inputs[n](below)], [self.upper_cells[n]]
            if config.bidirectional:
                gates.append(self.upper_backward_inputs[n](below))
                cells.append(self.upper_backward_cells[n])
            above, carry = read(cells, gates, real)
            outputs = outputs + above if config.residual else above
            ends.append(carry)
        carries = self._bridged(ends) if config.has_bridge else (ends[-1],)
        if config.attention == "none":
            return carries, ()
        found = [outputs, vectors] if config.attend_embeddings else [outputs]
        values = jnp.concatenate(found, axis=-1).swapaxes(0, 1)
        return carries, remembered(self.keys(values), values, mask, config.attention_heads)

    def make_tables(self) -> None:
        """Puts what each token contributes to the gates into the collection `tables`."""
        self.put_variable("tables", "inputs", self._tables())

    def _tables(self) -> list[Float[Array, "vocab gates"]]:
        """The gate inputs of every token in each direction."""
        tables = [self.inputs.table()]
        if self.config.bidirectional and self.config.embedding_dim:
            tables.append(self.backward_inputs(self.inputs.embedding.embedding))
        elif self.config.bidirectional:
            tables.append(self.backward_tokens.table())
        return tables

    def _gate_inputs(
        self,
        tokens: Int[Array, "time batch"],
        vectors: Float[Array, "time batch embedding_dim"] | None,
        dropout_keys: RowKeys | None,
        decoding: bool,
    ) -> list[Any]:
        """What the first layer reads in each direction: `[time, batch, gates]`, or a `Lookup`."""
        both = self.config.bidirectional
        tables = self.get_variable("tables", "inputs") if decoding else None
        if decoding and vectors is None and tables is None:
            tables = self._tables()  # No more than the kernels of one-hot vectors.
        if tables is not None:
            return [Lookup(table, tokens) for table in tables]
        if vectors is None:
            read = [self.inputs, self.backward_tokens] if both else [self.inputs]
            return [inputs(tokens, dropout_keys) for inputs in read]
        gates = [self.inputs.project(vectors)]
        return [*gates, self.backward_inputs(vectors)] if both else gates

    def _bridged(self, ends: list[Carry]) -> tuple[Carry, ...]:
        """What the encoder's layers ended with -> what the decoder's layers begin with."""
        c, h = (
            jnp.split(bridge(jnp.concatenate(parts, axis=-1)), self.config.decoder_layers, axis=-1)
            for bridge, parts in zip(self.bridge, zip(*ends, strict=True), strict=True)
        )
        return tuple(zip(c, h, strict=True))
