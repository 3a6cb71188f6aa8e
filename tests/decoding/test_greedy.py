"""Greedy decoding over a hand-written table instead of a model."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.decoding.greedy import greedy_decode

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


def test_many_rows_are_answered_like_each_alone_and_in_their_order():
    # The carry counts down to the end of its row: lengths from 1 to 40, shuffled.
    lengths = np.random.default_rng(0).integers(1, 41, 300)

    def step(carry, memory, tokens):
        left = carry - 1
        logits = jax.nn.one_hot(jnp.where(left == 0, EOS, 3 + left % 3), VOCAB)
        return left, logits

    sizes = []

    def noting_step(carry, memory, tokens):
        sizes.append(len(tokens))  # Once for each loop that is compiled.
        return step(carry, memory, tokens)

    def decode_rows(step, lengths, limit):
        return greedy_decode(
            step, jnp.asarray(lengths), (), jnp.full(len(lengths), BOS), eos_id=EOS, pad_id=PAD,
            max_length=limit, capacity=48,
        ).tolist()  # fmt: skip

    for limit in (48, 25, 3):
        found = decode_rows(noting_step, lengths, limit)
        for length in (1, 7, 25, 40):
            row = int(np.flatnonzero(lengths == length)[0])
            assert found[row] == decode_rows(step, [length], limit)[0]
        ends = [row.index(EOS) + 1 if EOS in row else None for row in found]
        assert ends == [n if n <= limit else None for n in lengths]
    assert set(sizes) == {300, 150, 75}


def remembering_step(carry, memory, tokens):
    """Logits from a table that each source has for itself, which the memory holds."""
    assert carry.shape == tokens.shape == (len(memory["table"]),)
    return carry + 1, memory["table"][jnp.arange(len(tokens)), tokens]


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_rows_that_continue_keep_their_memory(seed):
    # So many rows that half of them, and half of these, continue in smaller loops.
    tables = np.random.default_rng(seed).normal(size=(300, VOCAB, VOCAB)).astype(np.float32)
    tables[:, :, EOS] += 0.5  # Answers end, at many lengths.
    found = decode_with_memory(jnp.asarray(tables))
    assert found.tolist() == [by_hand(table, BOS, 20, 20) for table in tables]


@jax.jit
def decode_with_memory(tables):
    rows = len(tables)
    return greedy_decode(
        remembering_step, jnp.zeros(rows, jnp.int32), {"table": tables}, jnp.full(rows, BOS),
        eos_id=EOS, pad_id=PAD, max_length=20, capacity=20,
    )  # fmt: skip
