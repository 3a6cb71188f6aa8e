"""Continuous batching: a source that is answered makes room for the next one.

Answers differ in length, and a step of the decoder costs as much for a row that has ended as for
one that has not. So the sources of a batch wait for their turn, and whenever enough rows are free
the next ones take their places (Yu et al. 2022, Orca); when none waits and half of the rows are
free, the others continue in a loop of half the size. Knows neither a model nor what is searched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

_FEWEST = 64  # Rows of the decoder; a smaller loop gains nothing and costs a compilation.
_SHARE = 8  # So many groups of sources are decoded at a time, and replaced as a group.


class Sources(NamedTuple):
    """What decoding begins with."""

    carry: PyTree  # The decoder's first, `[sources, ...]`.
    memory: PyTree  # What it looks up at every step, `[sources, ...]`.
    first_tokens: Int[Array, " sources"]  # What it reads first.
    ended: Bool[Array, " sources"]  # True where nothing is to be written.


def waiting(
    carry: PyTree,
    memory: PyTree,
    first_tokens: Int[Array, " sources"],
    ended: Bool[Array, " sources"] | None,
) -> Sources:
    """`Sources` of which something is to be written for all, if `ended` does not say otherwise."""
    nothing = jnp.zeros(first_tokens.shape, bool) if ended is None else ended
    return Sources(carry, memory, first_tokens, nothing)


def in_groups(function: Callable[[Any], Any], rows: Any, size: int | None) -> Any:
    """A function of so many rows of each array at a time, or of all if these cannot be divided."""
    count = len(jax.tree.leaves(rows)[0]) if size else 0
    if not size or count % size:
        return function(rows)
    groups = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), rows)
    done = jax.lax.map(function, groups)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), done)


class Search(NamedTuple):
    """A way of decoding; its states are pytrees `[sources, ...]`.

    Attributes:
      begin: `Sources` -> the state before the first step.
      advance: state, memory -> the state after a step.
      settled: state -> `[sources]`, true for those that a step changes no more.
      found: state -> the answers, a pytree `[sources, ...]`.
    """

    begin: Callable[[Sources], Any]
    advance: Callable[[Any, PyTree], Any]
    settled: Callable[[Any], Bool[Array, " sources"]]
    found: Callable[[Any], PyTree]


class _Rows(NamedTuple):
    """The sources that are being decoded."""

    state: PyTree
    memory: PyTree
    places: Int[Array, " sources"]  # Where their answers belong.


def answer_all(
    search: Search, sources: Sources, at_a_time: int | None = None, rows: int = 1
) -> PyTree:
    """The answers to all sources, in their order, by loops of `jax.lax.while_loop`.

    Args:
      search: the way of decoding.
      sources: what to decode.
      at_a_time: the sources in a state, the first ones to begin with; None or more than there
        are: all.
      rows: those of the decoder for each source.
    """
    count = sources.first_tokens.shape[0]
    if not isinstance(count, int):  # In an exported program a symbol: one loop serves all.
        return search.found(_decoded(search, search.begin(sources), sources.memory, 0))
    size = min(at_a_time or count, count)
    first = _take(sources, slice(size))
    now = _Rows(search.begin(first), first.memory, jnp.arange(size))
    answers = jax.tree.map(
        lambda leaf: jnp.zeros((count, *leaf.shape[1:]), leaf.dtype),
        jax.eval_shape(search.found, now.state),
    )
    fewer = _half(size, rows)
    if size < count:
        now, answers = _refilled(search, sources, now, answers, fewer)
    else:
        now, answers = _emptied(search, now, answers, fewer)
    while fewer:
        # All that are unsettled are among these.
        kept = jnp.argsort(search.settled(now.state), stable=True)[:fewer]
        fewer = _half(fewer, rows)
        now, answers = _emptied(search, _take(now, kept), answers, fewer)
    return answers


def _decoded(search: Search, state: PyTree, memory: PyTree, fewer: Int[Array, ""] | int) -> PyTree:
    """The state once no more than so many of its sources are unsettled."""
    return jax.lax.while_loop(
        lambda state: (~search.settled(state)).sum() > fewer,
        lambda state: search.advance(state, memory),
        state,
    )


def _emptied(search: Search, now: _Rows, answers: PyTree, fewer: int) -> tuple[_Rows, PyTree]:
    """Decodes until no more than so many sources are unsettled, and writes down the answers."""
    now = now._replace(state=_decoded(search, now.state, now.memory, fewer))
    return now, _put(answers, now.places, search.found(now.state))


def _refilled(
    search: Search, sources: Sources, now: _Rows, answers: PyTree, fewer: int
) -> tuple[_Rows, PyTree]:
    """Decodes until no source waits and no more than so many of the state are unsettled."""
    size, count = now.places.shape[0], sources.first_tokens.shape[0]
    group = -(-size // _SHARE)

    def replace(loop: tuple[_Rows, PyTree, jax.Array]) -> tuple[_Rows, PyTree, jax.Array]:
        """Decodes until a group is settled, and puts the next one there."""
        now, answers, begun = loop
        enough = jnp.where(begun < count, size - group, fewer)
        state = _decoded(search, now.state, now.memory, enough)
        free = jnp.argsort(~search.settled(state), stable=True)[:group]
        answers = _put(answers, now.places[free], _take(search.found(state), free))
        # Beyond the last one the indices are out of bounds: such a source is read as the last, is
        # settled from the start, and its answer is dropped.
        coming = begun + jnp.arange(group)
        following = _take(sources, coming)
        following = following._replace(ended=following.ended | (coming >= count))
        begins = _Rows(search.begin(following), following.memory, coming)
        return _put(_Rows(state, *now[1:]), free, begins), answers, begun + group

    def unfinished(loop: tuple[_Rows, PyTree, jax.Array]) -> jax.Array:
        """Whether a source waits, or more than `fewer` are unsettled."""
        now, _, begun = loop
        return (begun < count) | ((~search.settled(now.state)).sum() > fewer)

    now, answers, _ = jax.lax.while_loop(unfinished, replace, (now, answers, jnp.int32(size)))
    return now, _put(answers, now.places, search.found(now.state))


def _take(tree: Any, where: Int[Array, " some"] | slice) -> Any:
    """Some rows of each array of a tree."""
    return jax.tree.map(lambda leaf: leaf[where], tree)


def _put(tree: Any, where: Int[Array, " some"], rows: Any) -> Any:
    """The tree with other rows in some places."""
    return jax.tree.map(lambda leaf, new: leaf.at[where].set(new), tree, rows)


def _half(sources: int, rows: int) -> int:
    """How many sources the next, smaller loop has; 0 if this one serves to the end."""
    return sources // 2 if sources // 2 * rows >= _FEWEST else 0
