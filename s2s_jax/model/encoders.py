"""The encoder: LSTMs that read a sentence, in one direction or in both."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int

from s2s_jax.config import ModelConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.model.attention import Memory, remembered
from s2s_jax.model.dropout import RowKeys, dropout
from s2s_jax.model.gate_inputs import GateInputs, dense, gate_bias, look_up
from s2s_jax.model.recurrence import Carries, Carry, LSTMCell, unroll

_CLOSED = -1e4  # A gate's input that closes it exactly, whatever the recurrence adds.


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
        read = _read_to_the_end if decoding else _read
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

    def tabulate(self) -> None:
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
    ) -> Sequence[Float[Array, "time batch gates"] | _Lookup]:
        """What the first layer reads in each direction."""
        both = self.config.bidirectional
        tables = self.get_variable("tables", "inputs") if decoding else None
        if decoding and vectors is None:
            tables = self._tables()  # No more than the kernels of one-hot vectors.
        if tables is not None:
            return [_Lookup(table, tokens) for table in tables]
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


def _read(
    cells: list[LSTMCell], gates: list[Float[Array, "time batch gates"]],
    real: Bool[Array, "time batch"],
) -> tuple[Float[Array, "time batch features"], Carry]:  # fmt: skip
    """One layer, forward and, with two cells, backward.

    Returns:
      Its outputs, and its carry at each row's end: after the last real token forward, after the
      first one backward.
    """
    initial = [cell.initialize_carry(jax.random.key(0), gates[0].shape[1:]) for cell in cells]
    c, h = unroll(cells[0], initial[0], gates[0])
    carry = _at_end((c, h), real)
    if len(cells) == 1:
        return h, carry
    # Backward, the padding comes first: closed gates leave the carry at zero.
    closed = jnp.where(real[:, :, None], gates[1], _CLOSED)
    backward_c, backward_h = unroll(cells[1], initial[1], jnp.flip(closed, axis=0))
    both = zip(carry, (backward_c[-1], backward_h[-1]), strict=True)
    c, last_h = (jnp.concatenate(pair, axis=-1) for pair in both)
    return jnp.concatenate((h, jnp.flip(backward_h, axis=0)), axis=-1), (c, last_h)


@dataclasses.dataclass(frozen=True)
class _Lookup:
    """Gate inputs that are looked up when a time step is asked for.

    For all steps at once they would take four numbers a unit for every token.
    """

    table: Float[Array, "vocab gates"]
    tokens: Int[Array, "time batch"]

    def __getitem__(self, time: Int[Array, ""]) -> Float[Array, "batch gates"]:
        return look_up(self.table, self.tokens[time])


def _read_to_the_end(
    cells: list[LSTMCell], gates: Sequence[Float[Array, "time batch gates"] | _Lookup],
    real: Bool[Array, "time batch"],
) -> tuple[Float[Array, "time batch features"], Carry]:  # fmt: skip
    """What `_read` computes, where nothing is trained: both directions in one loop.

    It ends with the longest row, however far that is padded, and keeps of the carries the last
    ones alone: half of the time for the tutorial's sources, 512 at a time padded to 16 (2 cores).
    """
    steps, batch = real.any(axis=1).sum(), real.shape[1]
    # Flax's modules as functions: a loop of JAX may not change them.
    pure = [cell.unbind() for cell in cells]

    def advance(state: Any) -> Any:
        """One step of each direction."""
        step, directions = state
        read = []
        for n, (carry, outputs) in enumerate(directions):
            time = steps - 1 - step if n else step
            module, variables = pure[n]
            new, _ = cast(Any, module.apply(variables, carry, gates[n][time]))
            # After the end of a row, and before it on the way back, its carry stays.
            carry = jax.tree.map(functools.partial(jnp.where, real[time][:, None]), new, carry)
            outputs = jax.lax.dynamic_update_index_in_dim(outputs, carry[1], time, axis=0)
            read.append((carry, outputs))
        return step + 1, read

    start = []
    for cell in cells:
        carry = cell.initialize_carry(jax.random.key(0), (batch, 4 * cell.features))
        start.append((carry, jnp.zeros((*real.shape, cell.features))))
    _, read = jax.lax.while_loop(lambda state: state[0] < steps, advance, (jnp.int32(0), start))
    carries, outputs = zip(*read, strict=True)
    c, h = (jnp.concatenate(parts, axis=-1) for parts in zip(*carries, strict=True))
    return jnp.concatenate(outputs, axis=-1), (c, h)


def _at_end(carries: Carries, real: Bool[Array, "time batch"]) -> Carry:
    """Each row's carry after its last real token.

    The scan runs over the padding too. That is cheaper than a mask inside the loop, and padding
    cannot reach the result.
    """
    lengths = real.sum(axis=0)
    rows = jnp.arange(real.shape[1])
    last = jnp.maximum(lengths - 1, 0)
    c, h = (jnp.where(lengths[:, None] > 0, each[last, rows], 0) for each in carries)
    return c, h
