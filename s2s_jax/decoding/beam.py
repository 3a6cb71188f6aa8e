"""Beam search as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from s2s_jax.decoding.greedy import StepFn


class BeamResult(NamedTuple):
    """The best of each sentence, best first.

    Attributes:
      tokens: ids `[batch, n_best, capacity]`: `<eos>` included where it was reached, then
        padding.
      log_probs: natural logarithms of their probabilities `[batch, n_best]`.
      scores: the same, divided by the length penalty; minus infinity where there was no other
        hypothesis `[batch, n_best]`.
    """

    tokens: jax.Array
    log_probs: jax.Array
    scores: jax.Array


class _State(NamedTuple):
    """What the loop carries; each sentence has `beam` slots, with a hypothesis each."""

    step: jax.Array  # Steps done, a scalar.
    carry: Any  # The model's, rows `[batch * beam]` leading.
    last: jax.Array  # The token to be read next [batch, beam].
    tokens: jax.Array  # [batch, beam, capacity]
    log_probs: jax.Array  # Minus infinity for a slot that is free [batch, beam].
    lengths: jax.Array  # Tokens written [batch, beam].
    ended: jax.Array  # True once <eos> is written; the slot is then left alone [batch, beam].
    settled: jax.Array  # True once no unfinished hypothesis can come among the best [batch].


def length_penalty(lengths: jax.Array, alpha: jax.Array | float) -> jax.Array:
    """By what a log-probability is divided: Wu et al. (2016), eq. 14; 1 for `alpha` 0."""
    return ((5.0 + lengths) / 6.0) ** alpha


def beam_search(
    step_fn: StepFn,
    carry: Any,
    memory: Any,
    first_tokens: jax.Array,
    *,
    beam: int,
    n_best: int = 1,
    alpha: jax.Array | float = 0.0,
    eos_id: int,
    pad_id: int,
    max_length: jax.Array | int,
    capacity: int,
    ended: jax.Array | None = None,
) -> BeamResult:
    """The likeliest answers that a beam finds, in one `jax.lax.while_loop`.

    Each step extends every unfinished hypothesis by every token and keeps the likeliest ones,
    as many as there are slots for. A hypothesis that writes `<eos>` keeps its slot to the end,
    so that finished and unfinished ones never compete for a place, and the beam narrows as
    answers are found (Sutskever et al. 2014). With one slot this is greedy decoding, whatever
    the length penalty; with slots for all it is exhaustive search. BeamResult that are cut off
    at `max_length` are ranked among the finished ones by the same score.

    A sentence is settled, and its slots are left alone, once its `n_best` best finished scores
    reach the bound for the others. The bound: an unfinished hypothesis of log-probability s
    can only lose by what it writes yet, and ends with at most `limit` tokens; as s <= 0 and
    the penalty lp grows with the length (alpha >= 0), its score at any later length l is at
    most s / lp(l) <= s / lp(limit).

    Args:
      step_fn: one step of the model; it gives log-probabilities, or other figures that add up
        and are never above 0 (the bound rests on that). Minus infinity forbids a token.
      carry: what it begins with, `[batch, ...]`; gathered by parent as hypotheses come and go.
      memory: what it reads at every step, `[batch, ...]`; never copied, since the hypotheses of a
        sentence share it.
      first_tokens: what it reads first, usually `<bos>` `[batch]`.
      beam: slots for each sentence.
      n_best: how many hypotheses to return, at most `beam`.
      alpha: of the length penalty, at least 0.
      eos_id: the token that ends a hypothesis.
      pad_id: fills the places behind it.
      max_length: tokens after which hypotheses are cut off; at most `capacity`, and traced.
      capacity: the static length of the result.
      ended: sentences to be left alone from the start `[batch]`.
    """
    limit = jnp.minimum(max_length, capacity)

    def unfinished(state: _State) -> jax.Array:
        return (state.step < limit) & ~state.settled.all()

    def advance(state: _State) -> _State:
        carry, log_probs = step_fn(state.carry, memory, state.last.reshape(-1))
        state = _extend(state, carry, log_probs, eos_id, pad_id)
        return state._replace(settled=_settled(state, alpha, limit, n_best))

    start = _start(carry, first_tokens, beam, capacity, pad_id, ended)
    start = start._replace(settled=_settled(start, alpha, limit, n_best))
    return _best(jax.lax.while_loop(unfinished, advance, start), alpha, n_best)


def _start(
    carry: Any,
    first_tokens: jax.Array,
    beam: int,
    capacity: int,
    pad_id: int,
    ended: jax.Array | None,
) -> _State:
    """Every slot is like the first, but only the first is taken: the others would repeat it."""
    batch = first_tokens.shape[0]
    ended = jnp.zeros(batch, bool) if ended is None else ended
    return _State(
        step=jnp.int32(0),
        carry=jax.tree.map(lambda leaf: jnp.repeat(leaf, beam, axis=0), carry),
        last=jnp.repeat(first_tokens[:, None], beam, axis=1),
        tokens=jnp.full((batch, beam, capacity), pad_id, first_tokens.dtype),
        log_probs=jnp.full((batch, beam), -jnp.inf).at[:, 0].set(0.0),
        lengths=jnp.zeros((batch, beam), jnp.int32),
        ended=jnp.repeat(ended[:, None], beam, axis=1),
        settled=jnp.zeros(batch, bool),
    )


def _extend(state: _State, carry: Any, log_probs: jax.Array, eos_id: int, pad_id: int) -> _State:
    """One step: the slots that are not left alone take the likeliest extensions, in order."""
    batch, beam = state.last.shape
    frozen = state.ended | state.settled[:, None]
    so_far = jnp.where(frozen, -jnp.inf, state.log_probs)
    candidates = so_far[:, :, None] + log_probs.reshape(batch, beam, -1)
    best, which = jax.lax.top_k(candidates.reshape(batch, -1), beam)
    turn = jnp.maximum(jnp.cumsum(~frozen, axis=1) - 1, 0)  # The n-th such slot takes the n-th.
    best, which = (jnp.take_along_axis(x, turn, axis=1) for x in (best, which))
    vocab = candidates.shape[-1]
    parent = jnp.where(frozen, jnp.arange(beam), which // vocab)
    token = jnp.where(frozen, pad_id, which % vocab).astype(state.last.dtype)
    # Where no token is possible the slot is free, and stays so for a later step.
    ends = ~frozen & (token == eos_id) & (best > -jnp.inf)
    rows = (parent + beam * jnp.arange(batch)[:, None]).reshape(-1)
    tokens = state.tokens.reshape(batch * beam, -1)[rows].reshape(state.tokens.shape)
    return _State(
        step=state.step + 1,
        carry=jax.tree.map(lambda leaf: leaf[rows], carry),
        last=token,
        tokens=jax.lax.dynamic_update_index_in_dim(
            tokens, jnp.where(frozen, tokens[:, :, state.step], token), state.step, axis=2
        ),
        log_probs=jnp.where(frozen, state.log_probs, best),
        lengths=state.lengths + ~frozen,
        ended=state.ended | ends,
        settled=state.settled,
    )


def _settled(state: _State, alpha: jax.Array | float, limit: jax.Array, n_best: int) -> jax.Array:
    """Whether the best finished hypotheses are out of reach for the others `[batch]`."""
    scores = state.log_probs / length_penalty(state.lengths, alpha)
    finished = jax.lax.top_k(jnp.where(state.ended, scores, -jnp.inf), n_best)[0][:, -1]
    others = jnp.where(state.ended, -jnp.inf, state.log_probs).max(axis=1)
    return finished >= others / length_penalty(limit, alpha)


def _best(state: _State, alpha: jax.Array | float, n_best: int) -> BeamResult:
    """Ranks what the loop left behind."""
    scores = state.log_probs / length_penalty(state.lengths, alpha)
    # What is unfinished in a settled sentence was given up, not cut off.
    scores = jnp.where(state.ended | ~state.settled[:, None], scores, -jnp.inf)
    scores, which = jax.lax.top_k(scores, n_best)
    return BeamResult(
        jnp.take_along_axis(state.tokens, which[:, :, None], axis=1),
        jnp.take_along_axis(state.log_probs, which, axis=1),
        scores,
    )
