"""Beam search as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from s2s_jax.decoding.continuous import Search, Sources, answer_all, in_groups, waiting
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


class _Found(NamedTuple):
    """What has been written for each source, in `beam` slots with a hypothesis each."""

    tokens: Int[Array, "batch beam capacity"]  # Then padding.
    log_probs: Float[Array, "batch beam"]  # Minus infinity for a slot that is free.
    lengths: Int[Array, "batch beam"]  # Tokens written.
    ended: Bool[Array, "batch beam"]  # True once <eos> is written; the slot is then left alone.
    settled: Bool[Array, " batch"]  # True once no unfinished hypothesis can become one of the best.


class _State(NamedTuple):
    """What the loop carries."""

    steps: Int[Array, " batch"]  # Steps done; the next token is written at this place.
    carry: PyTree  # The decoder's, `[batch, beam, ...]`.
    last: Int[Array, "batch beam"]  # The token to be read next.
    found: _Found


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
    at_a_time: int | None = None,
) -> BeamResult:
    """The likeliest answers that a beam finds, by continuous batching (see `continuous`).

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
    length l is at most s / lp(l) <= s / lp(limit). Whenever half of the sources are settled, the
    others continue in a loop of half the size, as in `greedy_decode`.

    Args:
      step_fn: one step of the decoder; it gives log-probabilities, or other figures that add up
        and are never above 0 (the bound rests on that). Minus infinity forbids a token. Its rows
        are the sources in the first step, and then the slots, those of a source next to each other.
      carry: its first carry, `[batch, ...]`; repeated for the slots, and from then on gathered by
        parent as hypotheses come and go.
      memory: what it looks up at every step, `[batch, ...]`; never copied for the hypotheses,
        since those of a source share its row (see `StepFn`).
      beam: slots for each source.
      n_best: how many hypotheses to return, at most `beam`.
      alpha: exponent of the length penalty, at least 0.
      first_tokens, eos_id, pad_id, max_length, capacity, ended, at_a_time: as for `greedy_decode`.
    """
    limit = jnp.minimum(max_length, capacity)

    def settle(found: _Found) -> _Found:
        """Marks the sources whose best hypotheses are found."""
        return found._replace(settled=_settled(found, alpha, limit, n_best))

    def opened(sources: Sources) -> Sources:
        """The first step, with a row for each source, since its slots are still alike."""
        carry, log_probs = step_fn(sources.carry, sources.memory, sources.first_tokens)
        best, _, tokens = _likeliest(log_probs[:, None], beam)
        return sources._replace(carry=(carry, best, tokens))

    def begin(sources: Sources) -> _State:
        """The first token is written."""
        state = _opening(sources, limit, capacity, eos_id, pad_id)
        return state._replace(found=settle(state.found))

    def done(state: _State) -> Bool[Array, " batch"]:
        """True for sources that are settled or cut off."""
        return state.found.settled | (state.steps >= limit)

    def advance(state: _State, memory: Memory) -> _State:
        """One step of all slots."""
        rows = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), state.carry)
        carry, log_probs = step_fn(rows, memory, state.last.reshape(-1))
        state = _extend(state, carry, log_probs, done(state), eos_id, pad_id)
        return state._replace(found=settle(state.found))

    search = Search(begin, advance, done, lambda state: state.found)
    sources = in_groups(opened, waiting(carry, memory, first_tokens, ended), at_a_time)
    return _best(answer_all(search, sources, at_a_time, beam), alpha, n_best)


def _opening(
    sources: Sources, limit: Int[Array, ""], capacity: int, eos_id: int, pad_id: int
) -> _State:
    """The state after the first step, whose outcome the sources carry; nothing where they ended."""
    carry, log_probs, tokens = sources.carry
    batch, beam = tokens.shape
    nothing = (sources.ended | (limit <= 0))[:, None]
    tokens = jnp.where(nothing, pad_id, tokens).astype(sources.first_tokens.dtype)
    empty = jnp.where(jnp.arange(beam) == 0, 0.0, -jnp.inf)  # Once, not in every slot.
    log_probs = jnp.where(nothing, empty, log_probs)
    return _State(
        steps=jnp.ones(batch, jnp.int32),
        carry=jax.tree.map(lambda leaf: jnp.repeat(leaf[:, None], beam, axis=1), carry),
        last=tokens,
        found=_Found(
            tokens=jnp.full((batch, beam, capacity), pad_id, jnp.int32).at[:, :, 0].set(tokens),
            log_probs=log_probs,
            lengths=jnp.broadcast_to(~nothing, tokens.shape).astype(jnp.int32),
            ended=nothing | (tokens == eos_id) & (log_probs > -jnp.inf),
            settled=sources.ended,
        ),
    )


def _extend(
    state: _State,
    carry: PyTree,
    log_probs: Float[Array, "rows vocab"],
    done: Bool[Array, " batch"],
    eos_id: int,
    pad_id: int,
) -> _State:
    """One step: the slots that are not left alone take the likeliest extensions, in order."""
    batch, beam = state.last.shape
    before = state.found
    frozen = before.ended | done[:, None]
    so_far = jnp.where(frozen, -jnp.inf, before.log_probs)
    candidates = so_far[:, :, None] + log_probs.reshape(batch, beam, -1)
    best, parents, tokens = _likeliest(candidates, beam)
    turn = jnp.maximum(jnp.cumsum(~frozen, axis=1) - 1, 0)  # The n-th such slot takes the n-th.
    best, parents, tokens = (jnp.take_along_axis(x, turn, axis=1) for x in (best, parents, tokens))
    parent = jnp.where(frozen, jnp.arange(beam), parents)
    token = jnp.where(frozen, pad_id, tokens).astype(state.last.dtype)
    # Where no token is possible the slot is free, and stays so for a later step.
    ends = ~frozen & (token == eos_id) & (best > -jnp.inf)
    rows = (parent + beam * jnp.arange(batch)[:, None]).reshape(-1)
    tokens = before.tokens.reshape(batch * beam, -1)[rows].reshape(before.tokens.shape)
    here = (jnp.arange(tokens.shape[-1]) == state.steps[:, None, None]) & ~frozen[:, :, None]
    return _State(
        steps=state.steps + 1,
        carry=jax.tree.map(lambda leaf: leaf[rows].reshape(batch, beam, *leaf.shape[1:]), carry),
        last=token,
        found=_Found(
            tokens=jnp.where(here, token[:, :, None], tokens),
            log_probs=jnp.where(frozen, before.log_probs, best),
            lengths=before.lengths + ~frozen,
            ended=before.ended | ends,
            settled=before.settled,
        ),
    )


def _likeliest(
    candidates: Float[Array, "batch slots vocab"], count: int
) -> tuple[Float[Array, "batch count"], Int[Array, "batch count"], Int[Array, "batch count"]]:
    """The greatest candidates, with their slots and tokens; minus infinity if there are too few.

    `top_k` looks at one number after the other on CPUs. So it is asked for the tokens whose best
    slot is best, one number in so many slots, and then for the candidates with these tokens.
    """
    batch, _, vocab = candidates.shape
    width = min(count, vocab)
    _, tokens = jax.lax.top_k(candidates.max(axis=1), width)
    some = jnp.take_along_axis(candidates, tokens[:, None], axis=2).reshape(batch, -1)
    missing = max(0, count - some.shape[1])
    some = jnp.pad(some, ((0, 0), (0, missing)), constant_values=-jnp.inf)
    best, which = jax.lax.top_k(some, count)
    return best, which // width, jnp.take_along_axis(tokens, which % width, axis=1)


def _settled(
    found: _Found, alpha: Float[Array, ""] | float, limit: Int[Array, ""], n_best: int
) -> Bool[Array, " batch"]:
    """Whether the best finished hypotheses are out of reach of the others."""
    ranked = found.log_probs / length_penalty(found.lengths, alpha)
    finished = jax.lax.top_k(jnp.where(found.ended, ranked, -jnp.inf), n_best)[0][:, -1]
    others = jnp.where(found.ended, -jnp.inf, found.log_probs).max(axis=1)
    return finished >= others / length_penalty(limit, alpha)


def _best(found: _Found, alpha: Float[Array, ""] | float, n_best: int) -> BeamResult:
    """Ranks what the loops have left."""
    ranked = found.log_probs / length_penalty(found.lengths, alpha)
    # What is unfinished in a settled source was given up, not cut off.
    ranked = jnp.where(found.ended | ~found.settled[:, None], ranked, -jnp.inf)
    ranked, which = jax.lax.top_k(ranked, n_best)
    return BeamResult(
        jnp.take_along_axis(found.tokens, which[:, :, None], axis=1),
        jnp.take_along_axis(found.log_probs, which, axis=1),
        ranked,
    )
