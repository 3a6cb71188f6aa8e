"""Beam search over random tables, held against brute force in NumPy."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.decoding.beam import beam_search, length_penalty
from s2s_jax.decoding.greedy import greedy_decode

PAD, BOS, EOS = 0, 1, 2
STATES = 31  # Of the history, so that a carry that is mixed up shows.


def random_table(seed, vocab, scale=1.5):
    """Log-probabilities of the next token by the state of the history; PAD is forbidden."""
    logits = scale * np.random.default_rng(seed).normal(size=(STATES, vocab))
    logits[:, PAD] = -np.inf
    return (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)


def next_state(state, token):
    return (state * 7 + token + 1) % STATES


def table_step(table):
    def step(carry, memory, tokens):
        carry = next_state(carry, tokens)
        return carry, table[carry]

    return step


def penalty(length, alpha):
    return ((5 + length) / 6) ** alpha


def log_prob(table, start, tokens):
    state, last, total = start, BOS, 0.0
    for token in tokens:
        state = next_state(state, last)
        total, last = total + float(table[state, token]), token
    return total


def all_answers(table, start, limit, alpha):
    """Every answer that ends, or is cut off at the limit, with its score; best first."""
    vocab, found = table.shape[1], []
    for length in range(1, limit + 1):
        for tokens in itertools.product(range(1, vocab), repeat=length):
            if EOS not in tokens[:-1] and (tokens[-1] == EOS or length == limit):
                found.append((log_prob(table, start, tokens) / penalty(length, alpha), tokens))
    return sorted(found, reverse=True)


def beam_by_hand(table, start, beam, limit, alpha):
    """The same search without stopping early: hypotheses (score, tokens), best first."""
    live, finished = [(0.0, ())], []
    for length in range(1, limit + 1):
        candidates = [
            (log_prob(table, start, (*tokens, token)), (*tokens, token))
            for _, tokens in live
            for token in range(1, table.shape[1])
        ]
        taken = sorted(candidates, reverse=True)[: beam - len(finished)]
        finished += [(s / penalty(length, alpha), t) for s, t in taken if t[-1] == EOS]
        live = [(s, t) for s, t in taken if t[-1] != EOS]
    return sorted(finished + [(s / penalty(limit, alpha), t) for s, t in live], reverse=True)


@functools.partial(jax.jit, static_argnames=("beam", "n_best", "capacity"))
def run(table, starts, *, beam, n_best, alpha, max_length, capacity, ended=None):
    return beam_search(
        table_step(table), starts, (), jnp.full(starts.shape, BOS), beam=beam, n_best=n_best,
        alpha=alpha, eos_id=EOS, pad_id=PAD, max_length=max_length, capacity=capacity, ended=ended,
    )  # fmt: skip


def search(table, starts, *, beam, n_best=1, alpha=0.0, limit, capacity=None, ended=None):
    """For each start the hypotheses found: (score, tokens)."""
    found = run(
        jnp.asarray(table), jnp.asarray(starts, jnp.int32), beam=beam, n_best=n_best,
        alpha=alpha, max_length=limit, capacity=capacity or limit, ended=ended,
    )  # fmt: skip
    return [
        [
            (float(score), tuple(int(t) for t in tokens if t != PAD))
            for tokens, score in zip(rows, scores, strict=True)
            if score > -np.inf
        ]
        for rows, scores in zip(*map(np.asarray, (found.tokens, found.ranked)), strict=True)
    ]


def assert_same(found, wanted):
    assert [tokens for _, tokens in found] == [tokens for _, tokens in wanted]
    np.testing.assert_allclose([s for s, _ in found], [s for s, _ in wanted], atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_for_all_is_exhaustive_search(alpha):
    vocab, limit, starts = 4, 4, [0, 3, 9]
    for seed in range(8):
        table = random_table(seed, vocab)
        found = search(table, starts, beam=vocab**limit, n_best=10, alpha=alpha, limit=limit)
        for start, hypotheses in zip(starts, found, strict=True):
            assert_same(hypotheses, all_answers(table, start, limit, alpha)[:10])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
@pytest.mark.parametrize(("beam", "n_best"), [(1, 1), (2, 1), (3, 3), (5, 2)])
def test_stopping_early_loses_nothing(alpha, beam, n_best):
    vocab, limit, starts = 7, 9, [0, 4, 5, 8, 11]
    for seed in range(12):
        table = random_table(seed, vocab, scale=0.5 + seed / 4)
        found = search(table, starts, beam=beam, n_best=n_best, alpha=alpha, limit=limit)
        for start, hypotheses in zip(starts, found, strict=True):
            assert_same(hypotheses, beam_by_hand(table, start, beam, limit, alpha)[:n_best])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 3.0])
def test_a_beam_of_one_is_greedy(alpha):
    starts = np.arange(20)
    for seed in range(10):
        table = random_table(seed, 6)
        greedy = greedy_decode(
            table_step(jnp.asarray(table)), jnp.asarray(starts), (), jnp.full(20, BOS),
            eos_id=EOS, pad_id=PAD, max_length=10, capacity=16,
        )  # fmt: skip
        found = run(
            jnp.asarray(table), jnp.asarray(starts), beam=1, n_best=1, alpha=alpha,
            max_length=10, capacity=16,
        )  # fmt: skip
        assert found.tokens[:, 0].tolist() == greedy.tolist()


def test_a_beam_wider_than_what_there_is_gives_what_there_is():
    # Two symbols and the end, at most two tokens: 7 answers end or are cut off.
    table = random_table(1, 4)
    (found,) = search(table, [0], beam=50, n_best=50, alpha=0.6, limit=2)
    assert_same(found, all_answers(table, 0, 2, 0.6))
    assert len(found) == 7


def test_scores_are_sums_divided_by_the_penalty():
    table = random_table(3, 6)
    found = run(
        jnp.asarray(table), jnp.array([2]), beam=4, n_best=4, alpha=0.6, max_length=8, capacity=8
    )
    for tokens, total, score in zip(*(np.asarray(x)[0] for x in found), strict=True):
        written = [int(t) for t in tokens if t != PAD]
        assert total == pytest.approx(log_prob(table, 2, written), abs=1e-5)
        assert score == pytest.approx(total / penalty(len(written), 0.6), abs=1e-5)
    assert list(found.ranked[0]) == sorted(found.ranked[0], reverse=True)


def test_the_penalty_is_the_published_one():
    assert float(length_penalty(jnp.float32(1), 0.6)) == pytest.approx(1)
    assert float(length_penalty(jnp.float32(7), 0.5)) == pytest.approx(2**0.5)
    assert float(length_penalty(jnp.float32(30), 0.0)) == 1


def test_other_sentences_of_the_batch_change_nothing():
    table, options = random_table(5, 7), {"beam": 3, "n_best": 3, "alpha": 0.6, "limit": 12}
    together = search(table, list(range(STATES)), **options)
    assert together[::5] == [search(table, [start], **options)[0] for start in range(0, STATES, 5)]


def test_sentences_left_alone_stay_empty():
    ended = jnp.array([True, False])
    found = search(random_table(0, 5), [0, 0], beam=2, alpha=0.6, limit=5, ended=ended)
    assert found[0] == [(0.0, ())]
    assert_same(found[1], beam_by_hand(random_table(0, 5), 0, 2, 5, 0.6)[:1])


def test_without_room_nothing_is_written():
    assert search(random_table(0, 5), [0], beam=2, limit=0, capacity=4) == [[(0.0, ())]]


def steps_taken(table, limit, **options):
    """How often the step function ran, counted by the host."""
    count, step = [], table_step(jnp.asarray(table))

    def counting(carry, memory, tokens):
        jax.debug.callback(lambda: count.append(1))
        return step(carry, memory, tokens)

    jax.block_until_ready(
        beam_search(
            counting, jnp.array([0]), (), jnp.array([BOS]), eos_id=EOS, pad_id=PAD,
            max_length=limit, capacity=50, **options,
        )
    )  # fmt: skip
    jax.effects_barrier()
    return len(count)


def test_the_loop_stops_once_nothing_better_can_come():
    # The end has probability 0.9 at every step: at once the winner, the others at most 0.1.
    sure = np.full((STATES, 6), np.log(0.025), np.float32)
    sure[:, PAD], sure[:, EOS] = -np.inf, np.log(0.9)
    assert steps_taken(sure, 50, beam=3) == 1
    # With a strong penalty a long answer could still win (0.025 ** (1 / 84) is above 0.9), until
    # the other slots have ended, too.
    assert steps_taken(sure, 50, beam=3, alpha=2.0) == 2
    never = sure.copy()
    never[:, EOS] = -np.inf
    assert steps_taken(never, 50, beam=3) == 50


def test_an_unfinished_answer_of_a_settled_sentence_is_not_given():
    # The end and going on are equally likely: a tie at the bound.
    table = np.full((STATES, 4), -np.inf, np.float32)
    table[:, [EOS, 3]] = np.log(0.5)
    (found,) = search(table, [0], beam=3, n_best=1, limit=9)
    assert found == [(pytest.approx(np.log(0.5)), (EOS,))]


def remembering_step(carry, memory, tokens):
    """Log-probabilities from a table of each source's own; its hypotheses are consecutive rows."""
    tables = memory["tables"]
    carry = next_state(carry, tokens)
    return carry, tables[jnp.arange(len(tokens)) // (len(tokens) // len(tables)), carry]


@functools.partial(jax.jit, static_argnames=("beam", "n_best", "limit"))
def run_with_memory(tables, starts, *, beam, n_best, alpha, limit):
    return beam_search(
        remembering_step, starts, {"tables": tables}, jnp.full(starts.shape, BOS), beam=beam,
        n_best=n_best, alpha=alpha, eos_id=EOS, pad_id=PAD, max_length=limit, capacity=limit,
    )  # fmt: skip


@pytest.mark.parametrize("beam", [2, 5, 4**4])
def test_the_hypotheses_of_a_source_share_its_memory(beam):
    sources, limit, alpha, n_best = 6, 4, 0.6, 2
    starts = jnp.arange(sources) * 5
    for seed in range(4):
        tables = np.stack([random_table(10 * seed + i, 4) for i in range(sources)])
        found = run_with_memory(
            jnp.asarray(tables), starts, beam=beam, n_best=n_best, alpha=alpha, limit=limit
        )
        for table, start, tokens, ranked in zip(
            tables, starts.tolist(), np.asarray(found.tokens), np.asarray(found.ranked), strict=True
        ):
            wanted = beam_by_hand(table, start, beam, limit, alpha)[:n_best]
            if beam >= 4**limit:
                assert wanted == all_answers(table, start, limit, alpha)[:n_best]
            written = [tuple(int(t) for t in row if t != PAD) for row in tokens]
            assert_same(list(zip(ranked.tolist(), written, strict=True)), wanted)


@pytest.mark.parametrize(
    ("at_a_time", "sizes"),
    # The first step has a row for each source, in groups if these come out even.
    [
        (None, {100, 300, 150, 75}),
        (60, {100, 180, 90}),
        (25, {25, 75}),
        (9, {100, 27}),
        (1, {1, 3}),
    ],
)
@pytest.mark.parametrize("limit", [2, 12])
def test_many_sources_are_answered_like_each_alone_as_they_leave(limit, at_a_time, sizes):
    sources, beam, alpha, compiled = 100, 3, 0.6, []
    starts = jnp.arange(sources) % STATES
    tables = np.stack([random_table(i, 4) for i in range(sources)])
    # Answers of very different lengths: the end is ever less likely from source to source.
    tables[:, :, EOS] += np.linspace(3, -9, sources)[:, None]
    tables -= np.log(np.exp(tables).sum(-1, keepdims=True))

    def step(carry, memory, tokens):
        compiled.append(len(tokens))  # Once for each loop that is compiled.
        return remembering_step(carry, memory, tokens)

    found = beam_search(
        step, starts, {"tables": jnp.asarray(tables)}, jnp.full(sources, BOS), beam=beam, n_best=2,
        alpha=alpha, eos_id=EOS, pad_id=PAD, max_length=limit, capacity=12, at_a_time=at_a_time,
    )  # fmt: skip
    assert set(compiled) == sizes
    for i in range(0, sources, 7):
        wanted = beam_by_hand(tables[i], int(starts[i]), beam, limit, alpha)[:2]
        written = [tuple(int(t) for t in row if t != PAD) for row in found.tokens[i]]
        assert_same(list(zip(found.ranked[i].tolist(), written, strict=True)), wanted)


def test_the_memory_is_neither_gathered_nor_repeated_for_hypotheses():
    table, shapes = jnp.asarray(random_table(0, 5)), []

    def step(carry, memory, tokens):
        shapes.append((memory.shape, carry.shape, tokens.shape))
        return next_state(carry, tokens), table[next_state(carry, tokens)]

    options = {"beam": 4, "eos_id": EOS, "pad_id": PAD, "max_length": 5, "capacity": 5}
    jax.eval_shape(
        lambda: beam_search(
            step, jnp.zeros(3, jnp.int32), jnp.zeros((3, 7)), jnp.full(3, BOS), **options
        )
    )
    assert set(shapes) == {((3, 7), (3,), (3,)), ((3, 7), (12,), (12,))}
