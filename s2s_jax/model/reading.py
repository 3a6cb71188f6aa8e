"""How a layer of the encoder reads: over all time steps, or to the end of the longest row."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from s2s_jax.model.gate_inputs import look_up
from s2s_jax.model.recurrence import Carries, Carry, LSTMCell, unroll

_CLOSED = -1e4  # A gate's input that closes it exactly, whatever the recurrence adds.


def read_all(
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
class Lookup:
    """Gate inputs that are looked up when a time step is asked for.

    For all steps at once they would take four numbers a unit for every token.
    """

    table: Float[Array, "vocab gates"]
    tokens: Int[Array, "time batch"]

    def __getitem__(self, time: Int[Array, ""]) -> Float[Array, "batch gates"]:
        return look_up(self.table, self.tokens[time])


def read_to_the_end(
    cells: list[LSTMCell], gates: Sequence[Float[Array, "time batch gates"] | Lookup],
    real: Bool[Array, "time batch"],
) -> tuple[Float[Array, "time batch features"], Carry]:  # fmt: skip
    """What `read_all` computes, where nothing is trained: both directions in one loop.

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
