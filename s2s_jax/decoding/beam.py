"""Beam search as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from s2s_jax.decoding.greedy import Carry, Memory, StepFn


class BeamResult(NamedTuple):
    """The best hypotheses of each source, best first.

    Attributes:
      tokens: ids: `<eos>` included where it was reached, then padding.
      log_probs: natural logarithms of their probabilities.
      ranked: what they are ranked by, log-probability over length penalty; minus infinity where
        there was no further hypothesis.
    """

    tokens: Int[Array, "batch n_best capacity"]
    log_probs: Float[Array, "batch n_best"]
    ranked: Float[Array, "batch n_best"]


class _State(NamedTuple):
    """What the loop carries; each source has `beam` slots, with a hypothesis each."""

    step: Int[Array, ""]  # Steps done.
    carry: PyTree  # The decoder's, rows `[batch * beam]` leading.
    last: Int[Array, "batch beam"]  # The token to be read next.
    tokens: Int[Array, "batch beam capacity"]  # What was written so far, then padding.
    log_probs: Float[Array, "batch beam"]  # Minus infinity for a slot that is free.
    lengths: Int[Array, "batch beam"]  # Tokens written.
    ended: Bool[Array, "batch beam"]  # True once <eos> is written; the slot is then left alone.
    settled: Bool[Array, " batch"]  # True once no unfinished hypothesis can become one of the best.


def length_penalty(
    lengths: Int[Array, "*shape"] | Float[Array, "*shape"], alpha: Float[Array, ""] | float
) -> Float[Array, "*shape"]:
    """What a log-probability is divided by: Wu et al. (2016), eq. 14; 1 for `alpha` 0."""
    return ((5.0 + lengths) / 6.0) ** alpha


def beam_search(
    step_fn: StepFn[Carry, Memory],
    carry: Carry,
    memory: Memory,
    first_tokens: Int[Array, " batch"],
    *,
    beam: int,
    n_best: int = 1,
    alpha: Float[Array, ""] | float = 0.0,
    eos_id: int,
    pad_id: int,
    max_length: Int[Array, ""] | int,
    capacity: int,
    ended: Bool[Array, " batch"] | None = None,
) -> BeamResult:
    """The likeliest answers that a beam finds, in one `jax.lax.while_loop`.

    Each step extends every unfinished hypothesis by every token and keeps the likeliest ones, as
    many as there are slots for. A hypothesis that writes `<eos>` keeps its slot to the end, so
    that finished and unfinished ones never compete for a place, and the beam narrows as answers
    are found (Sutskever et al. 2014). With one slot this is greedy search, whatever the length
    penalty; with a slot for every hypothesis it is exhaustive search. Hypotheses that are cut off
    at `max_length` are ranked among the finished ones by the same score.

    A source is settled, and its slots are left alone, once its `n_best` best finished hypotheses
    rank at least as high as any unfinished one can. The bound: an unfinished hypothesis of
    log-probability s can only lose by what it has yet to write, and ends with at most `limit`
    tokens; as s <= 0 and the penalty lp grows with the length (alpha >= 0), its rank at any later
    length l is at most s / lp(l) <= s / lp(limit).

    Args:
      step_fn: one step of the decoder; it gives log-probabilities, or other figures that add up
        and are never above 0 (the bound rests on that). Minus infinity forbids a token. Its rows
        are the slots, those of a source next to each other.
      carry: its first carry, `[batch, ...]`; repeated for the slots, and from then on gathered by
        parent as hypotheses come and go.
      memory: what it looks up at every step, `[batch, ...]`; handed on as it is and never copied,
        since all hypotheses of a source share its row (see `StepFn`).
      first_tokens: what it reads first, usually `<bos>`.
      beam: slots for each source.
      n_best: how many hypotheses to return, at most `beam`.
      alpha: exponent of the length penalty, at least 0.
      eos_id: the token that ends a hypothesis.
      pad_id: fills the places after it.
      max_length: tokens after which hypotheses are cut off; at most `capacity`, and traced.
      capacity: the static length of the result.
      ended: sources to leave alone from the start.
    """
    limit = jnp.minimum(max_length, capacity)

    def unfinished(state: _State) -> jax.Array:
        """Whether a further step can change any answer."""
        return (state.step < limit) & ~state.settled.all()

    def advance(state: _State) -> _State:
        """One step of all slots."""
        carry, log_probs = step_fn(state.carry, memory, state.last.reshape(-1))
        state = _extend(state, carry, log_probs, eos_id, pad_id)
        return state._replace(settled=_settled(state, alpha, limit, n_best))

    start = _start(carry, first_tokens, beam, capacity, pad_id, ended)
    start = start._replace(settled=_settled(start, alpha, limit, n_best))
    return _best(jax.lax.while_loop(unfinished, advance, start), alpha, n_best)


def _start(
    carry: PyTree,
    first_tokens: Int[Array, " batch"],
    beam: int,
    capacity: int,
    pad_id: int,
    ended: Bool[Array, " batch"] | None,
) -> _State:
    """All slots of a source are alike, but only the first is taken: the others would repeat it."""
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


def _extend(
    state: _State, carry: PyTree, log_probs: Float[Array, "rows vocab"], eos_id: int, pad_id: int
) -> _State:
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


def _settled(
    state: _State, alpha: Float[Array, ""] | float, limit: Int[Array, ""], n_best: int
) -> Bool[Array, " batch"]:
    """Whether the best finished hypotheses are out of reach of the others."""
    ranked = state.log_probs / length_penalty(state.lengths, alpha)
    finished = jax.lax.top_k(jnp.where(state.ended, ranked, -jnp.inf), n_best)[0][:, -1]
    others = jnp.where(state.ended, -jnp.inf, state.log_probs).max(axis=1)
    return finished >= others / length_penalty(limit, alpha)


def _best(state: _State, alpha: Float[Array, ""] | float, n_best: int) -> BeamResult:
    """Ranks what the loop has left."""
    ranked = state.log_probs / length_penalty(state.lengths, alpha)
    # What is unfinished in a settled source was given up, not cut off.
    ranked = jnp.where(state.ended | ~state.settled[:, None], ranked, -jnp.inf)
    ranked, which = jax.lax.top_k(ranked, n_best)
    return BeamResult(
        jnp.take_along_axis(state.tokens, which[:, :, None], axis=1),
        jnp.take_along_axis(state.log_probs, which, axis=1),
        ranked,
    )
