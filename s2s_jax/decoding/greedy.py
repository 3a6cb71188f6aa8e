"""Greedy search as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, NotRequired, TypedDict, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from s2s_jax.decoding.likeliest import likeliest

Carry = TypeVar("Carry")
Memory = TypeVar("Memory")

StepFn = Callable[[Carry, Memory, jax.Array], tuple[Carry, jax.Array]]
"""One step of a decoder: `(carry, memory, tokens [rows]) -> (carry, logits [rows, vocab])`.

The carry changes from step to step: any pytree of arrays `[rows, ...]`. The memory is what the
decoder looks up of the sources, and never changes: any pytree of arrays `[sources, ...]`, `()` for
none. Greedy search and sampling have one row a source. Beam search has several, the hypotheses of
a source in consecutive rows: row `r` reads memory row `r // (rows // sources)`.
"""


class Limits(TypedDict):
    """Where every way of decoding ends: arguments of `greedy_decode` and the others."""

    eos_id: int
    pad_id: int
    max_length: Int[Array, ""] | int
    capacity: int
    ended: NotRequired[Bool[Array, " batch"] | None]


_FEWEST = 64  # Rows of the decoder; a smaller loop gains nothing and costs a compilation.


class _State(NamedTuple):
    """What the loop carries from one step to the next."""

    step: Int[Array, ""]  # Steps done; the next token is written at this place.
    carry: PyTree  # The decoder's, before it reads `last`.
    last: Int[Array, " rows"]  # The token to be read next.
    tokens: Int[Array, "rows capacity"]  # What was written so far, then padding.
    ended: Bool[Array, " rows"]  # True once a row has written <eos>.


def greedy_decode(
    step_fn: StepFn[Carry, Memory],
    carry: Carry,
    memory: Memory,
    first_tokens: Int[Array, " batch"],
    *,
    eos_id: int,
    pad_id: int,
    max_length: Int[Array, ""] | int,
    capacity: int,
    ended: Bool[Array, " batch"] | None = None,
) -> Int[Array, "batch {capacity}"]:
    """The likeliest token at every step, in loops of `jax.lax.while_loop`.

    Answers differ in length, and a step costs as much for a row that has ended as for one that
    has not. So whenever half of the rows have ended, the others continue in a loop of half the
    size, with their rows of carry and memory: a fifth to a quarter more sentences a second on a
    CPU (256 and 1,024 rows).

    Args:
      step_fn: one step of the decoder.
      carry: its first carry, `[batch, ...]`.
      memory: what it looks up at every step, `[batch, ...]`.
      first_tokens: what it reads first, usually `<bos>`.
      eos_id: the token that ends a row.
      pad_id: fills the places after it.
      max_length: steps after which rows that have not ended are cut off; at most `capacity`, and
        traced, so that another limit does not compile again.
      capacity: the static length of the result.
      ended: rows to leave alone from the start, such as padding.

    Returns:
      Ids: `<eos>` included where a row reached it, then `pad_id`. The loop stops when every row
      has ended.
    """
    batch = first_tokens.shape[0]
    limit = jnp.minimum(max_length, capacity)

    def advance(state: _State, memory: Memory) -> _State:
        """One step of all rows."""
        carry, logits = step_fn(state.carry, memory, state.last)
        best = jnp.where(state.ended, pad_id, likeliest(logits)).astype(state.last.dtype)
        tokens = jax.lax.dynamic_update_index_in_dim(state.tokens, best, state.step, axis=1)
        return _State(state.step + 1, carry, best, tokens, state.ended | (best == eos_id))

    state = _State(
        step=jnp.int32(0),
        carry=carry,
        last=first_tokens,
        tokens=jnp.full((batch, capacity), pad_id, first_tokens.dtype),
        ended=jnp.zeros(batch, bool) if ended is None else ended,
    )
    answers, places = state.tokens, jnp.arange(batch)  # Which answer each row of the state is.
    while True:
        fewer = half(places)
        state = jax.lax.while_loop(
            lambda state, fewer=fewer: (state.step < limit) & ((~state.ended).sum() > fewer),
            lambda state, memory=memory: advance(state, memory),
            state,
        )
        answers = answers.at[places].set(state.tokens)
        if not fewer:
            return answers
        # All rows that continue are among these, unless the limit is reached, and then none does.
        kept = jnp.argsort(state.ended, stable=True)[:fewer]
        rows, memory, places = jax.tree.map(
            lambda leaf, kept=kept: leaf[kept], (state[1:], memory, places)
        )
        state = _State(state.step, *rows)


def half(places: Int[Array, " sources"], rows: int = 1) -> int:
    """How many sources the next, smaller loop has; 0 if this one serves to the end.

    Each has so many `rows` of the decoder. In an exported program the number of sources is a
    symbol, and one loop serves them all.
    """
    sources = places.shape[0]
    return sources // 2 if isinstance(sources, int) and sources // 2 * rows >= _FEWEST else 0
