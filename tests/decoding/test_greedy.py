"""Greedy decoding over a hand-written table instead of a model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.decoding.greedy import greedy_decode, likeliest

PAD, BOS, EOS = 0, 1, 2
VOCAB = 6


def table_step(table):
    """Logits from the last token alone: row t of the table follows token t."""

    def step(carry, memory, tokens):
        return carry + 1, table[tokens]

    return step


def by_hand(table, first, limit, capacity):
    written, token = [], first
    while len(written) < min(limit, capacity) and token != EOS:
        token = int(np.argmax(table[token]))
        written.append(token)
    return written + [PAD] * (capacity - len(written))


@functools.partial(jax.jit, static_argnames="capacity")
def decode(table, first, limit, capacity, ended=None):
    return greedy_decode(
        table_step(table), jnp.zeros(len(first), jnp.int32), (), first, eos_id=EOS, pad_id=PAD,
        max_length=limit, capacity=capacity, ended=ended,
    )  # fmt: skip


# Each capacity is a compilation.
@settings(max_examples=100)
@given(st.integers(0, 10_000), st.integers(0, 12), st.sampled_from([1, 4, 9]))
def test_it_takes_the_likeliest_token_until_the_end(seed, limit, capacity):
    table = np.random.default_rng(seed).normal(size=(VOCAB, VOCAB)).astype(np.float32)
    first = np.array([BOS, 3, 4, 5])
    found = decode(table, first, limit, capacity)
    assert found.tolist() == [by_hand(table, token, limit, capacity) for token in first]


def test_rows_that_have_ended_are_padding():
    table = np.full((VOCAB, VOCAB), -1.0, np.float32)
    table[BOS, EOS] = table[3, 4] = table[4, 5] = table[5, EOS] = 1
    assert decode(table, np.array([BOS, 3]), 5, 5).tolist() == [
        [EOS, 0, 0, 0, 0],
        [4, 5, EOS, 0, 0],
    ]


def steps_taken(table, first, limit, ended=None):
    """How often the step function ran, counted by the host."""
    count = []

    def step(carry, memory, tokens):
        jax.debug.callback(lambda: count.append(1))
        return carry, jnp.asarray(table)[tokens]

    greedy_decode(
        step, jnp.zeros(len(first)), (), jnp.asarray(first), eos_id=EOS, pad_id=PAD,
        max_length=limit, capacity=50, ended=ended,
    ).block_until_ready()  # fmt: skip
    jax.effects_barrier()
    return len(count)


def test_the_loop_stops_when_every_row_has_ended():
    table = np.full((VOCAB, VOCAB), -1.0, np.float32)
    table[BOS, EOS] = table[3, 4] = table[4, 5] = table[5, EOS] = 1
    assert steps_taken(table, [BOS, BOS], 50) == 1
    assert steps_taken(table, [BOS, 3], 50) == 3
    assert steps_taken(table, [BOS, 3], 2) == 2
    # Rows that are left alone from the start keep nobody waiting.
    assert steps_taken(table, [BOS, 3], 50, ended=jnp.array([False, True])) == 1


def test_rows_left_alone_stay_empty():
    table = np.zeros((VOCAB, VOCAB), np.float32)
    table[:, 4] = 1
    found = decode(table, np.array([BOS, BOS]), 3, 4, ended=np.array([True, False]))
    assert found.tolist() == [[0, 0, 0, 0], [4, 4, 4, 0]]


def test_any_pytree_can_be_the_carry():
    def step(carry, memory, tokens):
        count, seen = carry["count"] + 1, carry["seen"] | (tokens == 3)
        logits = jax.nn.one_hot(jnp.where(count < 4, 3, EOS), VOCAB)
        return {"count": count, "seen": seen}, logits

    carry = {"count": jnp.zeros(2, jnp.int32), "seen": jnp.zeros(2, bool)}
    found = greedy_decode(
        step, carry, (), jnp.array([BOS, BOS]), eos_id=EOS, pad_id=PAD, max_length=9, capacity=9
    )
    assert found.tolist() == [[3, 3, 3, EOS, 0, 0, 0, 0, 0]] * 2


def test_another_limit_does_not_compile_anew():
    traces = []

    @jax.jit
    def run(limit):
        traces.append(limit)
        return greedy_decode(
            table_step(jnp.eye(VOCAB)), jnp.zeros(1), (), jnp.array([BOS]),
            eos_id=EOS, pad_id=PAD, max_length=limit, capacity=8,
        )  # fmt: skip

    assert [int((run(n) != PAD).sum()) for n in (0, 3, 8, 100)] == [0, 3, 8, 8]
    assert len(traces) == 1


def countdown_step(carry, memory, tokens):
    """The carry counts down to the end of its row."""
    left = carry - 1
    return left, jax.nn.one_hot(jnp.where(left == 0, EOS, 3 + left % 3), VOCAB)


def count_down(lengths, limit, at_a_time=None, step=countdown_step):
    """Answers of given lengths, as far as the limit lets them."""
    return greedy_decode(
        step, jnp.asarray(lengths), (), jnp.full(len(lengths), BOS), eos_id=EOS, pad_id=PAD,
        max_length=limit, capacity=48, at_a_time=at_a_time,
    ).tolist()  # fmt: skip


LENGTHS = np.random.default_rng(0).integers(1, 41, 300)


# At a time all; so many that the last ones continue in a smaller loop; few; groups that the rest
# does not fill; one; more than there are.
@pytest.mark.parametrize(
    ("at_a_time", "sizes"),
    [
        (None, {300, 150, 75}),
        (150, {150, 75}),
        (30, {30}),
        (77, {77}),
        (1, {1}),
        (999, {300, 150, 75}),
    ],
)
def test_many_rows_are_answered_like_each_alone_and_in_their_order(at_a_time, sizes):
    compiled = []

    def noting_step(carry, memory, tokens):
        compiled.append(len(tokens))  # Once for each loop that is compiled.
        return countdown_step(carry, memory, tokens)

    for limit in (48, 25, 3, 0):
        found = count_down(LENGTHS, limit, at_a_time, noting_step)
        for length in (1, 7, 25, 40):
            row = int(np.flatnonzero(length == LENGTHS)[0])
            assert found[row] == count_down([length], limit)[0]
        ends = [row.index(EOS) + 1 if EOS in row else None for row in found]
        assert ends == [n if n <= limit else None for n in LENGTHS]
        assert [sum(token != PAD for token in row) for row in found] == np.minimum(
            LENGTHS, limit
        ).tolist()
    assert set(compiled) == sizes


def test_the_next_ones_take_the_places_of_those_that_have_ended():
    count = []

    def counting_step(carry, memory, tokens):
        jax.debug.callback(lambda: count.append(1))
        return countdown_step(carry, memory, tokens)

    # One long answer, and short ones that take turns beside it: as if all rows were always busy.
    count_down([40, *[2] * 117], 48, 4, counting_step)
    jax.effects_barrier()
    assert len(count) <= 2 * 117 / 3 + 2


def remembering_step(carry, memory, tokens):
    """Logits from a table that each source has for itself, which the memory holds."""
    assert carry.shape == tokens.shape == (len(memory["table"]),)
    return carry + 1, memory["table"][jnp.arange(len(tokens)), tokens]


# So many rows that half of them, and half of these, continue in smaller loops.
@pytest.mark.parametrize("at_a_time", [None, 130, 40])
@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_rows_keep_their_memory(at_a_time, seed):
    tables = np.random.default_rng(seed).normal(size=(300, VOCAB, VOCAB)).astype(np.float32)
    tables[:, :, EOS] += 0.5  # Answers end, at many lengths.
    ended = np.random.default_rng(seed).random(300) < 0.1
    found = decode_with_memory(jnp.asarray(tables), ended, at_a_time)
    for table, alone, row in zip(tables, ended, found.tolist(), strict=True):
        assert row == ([PAD] * 20 if alone else by_hand(table, BOS, 20, 20))


@functools.partial(jax.jit, static_argnums=2)
def decode_with_memory(tables, ended, at_a_time):
    rows = len(tables)
    return greedy_decode(
        remembering_step, jnp.zeros(rows, jnp.int32), {"table": tables}, jnp.full(rows, BOS),
        eos_id=EOS, pad_id=PAD, max_length=20, capacity=20, ended=ended, at_a_time=at_a_time,
    )  # fmt: skip


# Few different values, so that several are the greatest.
VALUES = st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 2.0, np.inf]), min_size=6, max_size=6)


@given(st.lists(VALUES, min_size=3, max_size=3))
def test_the_likeliest_is_the_first_of_the_greatest(rows):
    rows = np.array(rows, np.float32)
    np.testing.assert_array_equal(likeliest(jnp.asarray(rows)), rows.argmax(axis=-1))


def test_among_nan_the_likeliest_is_still_a_token():
    assert 0 <= likeliest(jnp.array([jnp.nan, 1.0, jnp.nan])) < 3
