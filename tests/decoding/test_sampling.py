"""Sampling from hand-written tables: frequencies, filters and keys."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.decoding.greedy import greedy_decode
from s2s_jax.decoding.sampling import heat, sample_decode, truncated

PAD, BOS, EOS = 0, 1, 2
LIMITS = {"eos_id": EOS, "pad_id": PAD}
TABLE = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32) * 1.5
TABLE[:, [PAD, BOS]] = -np.inf


def table_step(carry, memory, tokens):
    return carry, jnp.asarray(TABLE)[tokens]


def keys_of(numbers, seed=0):
    key = jax.random.key(seed)
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.asarray(numbers, jnp.uint32))


def draw_many(rows, seed, length, *options, **more):
    """Tokens `[rows, length]` for many keys, a hundred together: one small loop to compile."""
    keys = keys_of(range(rows), seed).reshape(-1, 100)
    drawn = jax.vmap(lambda keys: draw(keys, length, *options, **more))(keys)
    return np.asarray(drawn).reshape(rows, length)


@functools.partial(jax.jit, static_argnames=("length", "truncate", "at_a_time"))
def draw(keys, length, temperature=1.0, top_k=0, top_p=1.0, truncate=True, at_a_time=None):
    rows = keys.shape[0]
    return sample_decode(
        table_step, jnp.zeros(rows), (), jnp.full(rows, BOS), keys, temperature=temperature,
        top_k=top_k, top_p=top_p, truncate=truncate, max_length=length, capacity=length,
        at_a_time=at_a_time, **LIMITS,
    )  # fmt: skip


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def chi_square(counts, probs):
    """Pearson's statistic over the tokens that are possible; others must not occur."""
    possible = probs > 0
    assert counts[~possible].sum() == 0
    expected = probs[possible] * counts.sum()
    return ((counts[possible] - expected) ** 2 / expected).sum()


# Above this a chi-square variable of 4 degrees of freedom is once in a million: so often would
# the tests below fail for other seeds, were all as it should be.
BOUND = 33.4


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_first_tokens_are_as_frequent_as_they_are_likely(temperature):
    drawn = draw_many(20_000, 0, 1, temperature, truncate=False)[:, 0]
    counts = np.bincount(drawn, minlength=7)
    assert chi_square(counts, softmax(TABLE[BOS] / temperature)) < BOUND


def test_later_tokens_follow_from_those_before():
    drawn = draw_many(100_000, 1, 2, truncate=False)
    for first in (3, 4, 5, 6):
        counts = np.bincount(drawn[drawn[:, 0] == first, 1], minlength=7)
        assert counts.sum() > 1000  # So that every expected number is above 4.
        assert chi_square(counts, softmax(TABLE[first])) < BOUND


def test_what_is_kept_is_drawn_in_proportion():
    drawn = draw_many(20_000, 2, 1, 1.0, 3)[:, 0]
    probs = softmax(TABLE[BOS])
    probs[np.argsort(-probs)[3:]] = 0
    assert chi_square(np.bincount(drawn, minlength=7), probs / probs.sum()) < BOUND


def test_a_row_is_drawn_alike_in_every_batch_and_place():
    numbers = np.arange(140)  # So many that the last ones go on in a loop of half the size.
    together = np.asarray(draw(keys_of(numbers), 12, truncate=False))
    backwards = np.asarray(draw(keys_of(numbers[::-1]), 12, truncate=False))[::-1]
    assert together.tolist() == backwards.tolist()
    in_turns = np.asarray(draw(keys_of(numbers), 12, truncate=False, at_a_time=16))
    assert together.tolist() == in_turns.tolist()
    for number in (0, 7, 139):
        alone = np.asarray(draw(keys_of([number]), 12, truncate=False))
        assert alone[0].tolist() == together[number].tolist()
    assert len(np.unique(together, axis=0)) > 20
    assert np.asarray(draw(keys_of(numbers, seed=9), 12)).tolist() != together.tolist()


def test_a_row_that_continues_keeps_its_memory():
    # Each source may write two symbols of its own and the end, no other.
    own = np.random.default_rng(0).permuted(np.tile(np.arange(3, 9), (200, 1)), axis=1)[:, :2]
    logits = np.full((200, 9), -np.inf, np.float32)
    np.put_along_axis(logits, own, 1.0, axis=1)
    logits[:, EOS] = 0.0

    together = np.asarray(draw_from(logits, np.arange(200)))
    for row, symbols in zip(together, own, strict=True):
        assert set(row.tolist()) <= {PAD, EOS, *symbols.tolist()}
    some = np.array([7, 150])
    assert together[some].tolist() == draw_from(logits[some], some).tolist()


@jax.jit
def draw_from(memory, numbers):
    rows = len(numbers)
    return sample_decode(
        lambda carry, memory, tokens: (carry, memory), (), memory, jnp.full(rows, BOS),
        keys_of(numbers), max_length=16, capacity=16, **LIMITS,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options", [(1e-45, 0, 1.0), (1e-9, 0, 1.0), (1.0, 1, 1.0), (9.0, 0, 1e-9)]
)
def test_without_chance_it_is_greedy(options):
    greedy = greedy_decode(
        table_step, jnp.zeros(3), (), jnp.array([BOS, 3, 4]), max_length=9, capacity=9, **LIMITS
    )
    temperature, top_k, top_p = options
    drawn = sample_decode(
        table_step, jnp.zeros(3), (), jnp.array([BOS, 3, 4]), keys_of(range(3)),
        temperature=temperature, top_k=top_k, top_p=top_p, max_length=9, capacity=9, **LIMITS,
    )  # fmt: skip
    assert drawn.tolist() == greedy.tolist()


def test_an_extreme_temperature_forbids_what_was_forbidden():
    for temperature in (1e-45, 1e38):
        heated = np.asarray(heat(jnp.asarray(TABLE), temperature))
        assert not np.isnan(heated).any()
        assert (heated[:, [PAD, BOS]] == -np.inf).all()


def kept_by_hand(probs, top_k, top_p):
    """The tokens that top-k and then top-p leave: fewest first, ties by id."""
    order = sorted(range(len(probs)), key=lambda i: (-probs[i], i))[: top_k or len(probs)]
    total, kept = sum(probs[i] for i in order), []
    for i in order:
        if top_p < 1 and kept and sum(probs[j] for j in kept) / total >= top_p:
            break
        kept.append(i)
    return sorted(kept)


# Probabilities in 64ths are exact in float32, sums of them too.
@settings(max_examples=100)
@given(
    st.lists(st.integers(1, 9), min_size=6, max_size=6),
    st.integers(0, 8),
    st.sampled_from([0.0078125, 0.26, 0.5078125, 0.77, 0.99, 1.0]),
)
def test_truncation_is_as_defined(weights, top_k, top_p):
    probs = np.array([*weights, 64 - sum(weights)], np.float64) / 64
    found = np.asarray(truncated(jnp.log(jnp.asarray(probs, jnp.float32)), top_k, top_p))
    assert np.flatnonzero(found > -np.inf).tolist() == kept_by_hand(probs, top_k, top_p)
