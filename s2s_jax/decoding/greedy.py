"""Decoding as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

StepFn = Callable[[Any, Any, jax.Array], tuple[Any, jax.Array]]
"""`(carry, memory, tokens [rows]) -> (carry, logits [rows, vocab])`.

The carry is what changes from step to step: any pytree of arrays `[rows, ...]`. The memory is what
the model keeps of the sources, and stays as it is: any pytree of arrays `[sources, ...]`. There are
as many rows as sources, or, in beam search, the hypotheses of a source in consecutive rows.
"""


_FEWEST = 64  # Halving fewer rows than twice these gains nothing and costs a compilation.


class _State(NamedTuple):
    """What the loop carries from one step to the next."""

    step: jax.Array  # Steps done, a scalar; the next token is written at this place.
    carry: Any  # The model's, after reading `last`'s predecessors.
    last: jax.Array  # The token to be read next [rows].
    tokens: jax.Array  # What was written so far, padded [rows, capacity].
    ended: jax.Array  # True once a row has written <eos> [rows].


def likeliest(logits: jax.Array) -> jax.Array:
    """The place of the greatest of each row, the first of equals: `[..., vocab]` -> int32 `[...]`.

    `argmax` carries value and place along, which XLA does not vectorize on CPUs: 150 us for 512
    rows of 92, and 65 us for these two passes, 4 % more sentences a second.
    """
    places = jnp.arange(logits.shape[-1], dtype=jnp.int32)
    # No place is the greatest among NaN; the last one is then as good as any.
    is_greatest = logits == logits.max(axis=-1, keepdims=True)
    return jnp.where(is_greatest, places, places[-1]).min(axis=-1)


def greedy_decode(
    step_fn: StepFn,
    carry: Any,
    memory: Any,
    first_tokens: jax.Array,
    *,
    eos_id: int,
    pad_id: int,
    max_length: jax.Array | int,
    capacity: int,
    ended: jax.Array | None = None,
) -> jax.Array:
    """The likeliest token at every step, in `jax.lax.while_loop`s.

    Answers differ in length, and a step costs as much for a row that has ended as for one that
    goes on. So whenever half of the rows have ended, the others go on in a loop of half the
    size: a fifth to a quarter more sentences a second on a CPU (256 and 1,024 rows).

    Args:
      step_fn: one step of the model.
      carry: what it begins with, `[batch, ...]`.
      memory: what it reads at every step, `[batch, ...]`.
      first_tokens: what it reads first, usually `<bos>` `[batch]`.
      eos_id: the token that ends a row.
      pad_id: fills the places behind it.
      max_length: steps after which rows that have not ended are cut off; at most `capacity`,
        and a traced value, so that another limit does not compile anew.
      capacity: the static length of the result.
      ended: rows to be left alone from the start `[batch]`, such as padding.

    Returns:
      Ids `[batch, capacity]`: `<eos>` included where a row reached it, then `pad_id`. The loop
      stops when every row has ended.
    """
    batch = first_tokens.shape[0]
    limit = jnp.minimum(max_length, capacity)

    def advance(state: _State, memory: Any) -> _State:
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
        rows = places.shape[0]
        # In an exported program the number of rows is a symbol, and one loop serves them all.
        halves = isinstance(rows, int) and rows // 2 >= _FEWEST
        fewer = rows // 2 if halves else 0

        def unfinished(state: _State, fewer: int = fewer) -> jax.Array:
            return (state.step < limit) & ((~state.ended).sum() > fewer)

        state = jax.lax.while_loop(unfinished, functools.partial(advance, memory=memory), state)
        answers = answers.at[places].set(state.tokens)
        if not fewer:
            return answers
        # All that go on are among these, unless the limit is reached, and then none goes on.
        kept = jnp.argsort(state.ended, stable=True)[:fewer]
        rows, memory = jax.tree.map(lambda x, kept=kept: x[kept], (state[1:], memory))
        state = _State(state.step, *rows)
        places = places[kept]
