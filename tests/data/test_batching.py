from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.data.batching import Batches, Examples, make_batch, pad
from s2s_jax.data.buckets import first_that_fits, pair_buckets, target_buckets
from s2s_jax.data.vocabulary import Vocabulary

LENGTHS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=60)


def examples_of(lengths):
    """Pairs of the given lengths; pair i is made of the ids 4 + i, so that it can be told."""
    return Examples(
        [np.full(s, 4 + i, np.int32) for i, (s, _) in enumerate(lengths)],
        [np.full(t, 4 + i, np.int32) for i, (_, t) in enumerate(lengths)],
    )


def rows_of(batch):
    """What a batch says of each of its rows that is not padding: source and target ids."""
    for k in range(len(batch.source)):
        if batch.target_mask[k].any():
            targets = batch.targets[k][batch.target_mask[k]]
            inputs = batch.target_inputs[k][batch.target_mask[k]]
            assert targets[-1] == Vocabulary.eos_id
            assert inputs[0] == Vocabulary.bos_id
            np.testing.assert_array_equal(inputs[1:], targets[:-1])
            yield tuple(batch.source[k][batch.source_mask[k]]), tuple(targets[:-1])


@given(LENGTHS, st.integers(1, 9), st.integers(1, 9), st.integers(0, 3) | st.none(), st.booleans())
def test_every_pair_is_seen_exactly_once_an_epoch(
    lengths, batch_size, max_buckets, seed, over_sources
):
    examples = examples_of(lengths)
    source = Batches(examples, batch_size, seed, max_buckets, over_sources)
    batches = list(source.epoch())
    seen = Counter(row for batch in batches for row in rows_of(batch))
    wanted = Counter(
        (tuple(s), tuple(t)) for s, t in zip(examples.sources, examples.targets, strict=True)
    )
    assert seen == wanted
    assert len(batches) == len(source)
    shapes = {(b.source.shape, b.targets.shape) for b in batches}
    assert len(shapes) <= max_buckets
    assert {s[0] for s, _ in shapes} == {batch_size}


@given(LENGTHS, st.integers(1, 9))
def test_buckets_grow_and_the_last_holds_every_pair(lengths, max_buckets):
    needed = examples_of(lengths).lengths
    buckets = target_buckets(needed, max_buckets)
    assert 1 <= len(buckets) <= max_buckets
    assert buckets == sorted(buckets)
    assert len({bucket.target for bucket in buckets}) == len(buckets)
    assert tuple(np.maximum(needed.max(axis=0), 1)) == tuple(buckets[-1])


@given(LENGTHS, st.integers(1, 9))
def test_buckets_over_both_lengths_fit_every_pair_and_pad_less_than_one(lengths, max_buckets):
    needed = examples_of(lengths).lengths
    buckets = pair_buckets(needed, max_buckets)
    assert 1 <= len(buckets) <= max_buckets
    assert len(set(buckets)) == len(buckets)
    assert tuple(np.maximum(needed.max(axis=0), 1)) == tuple(buckets[-1])
    padded = np.array(buckets)[first_that_fits(buckets, needed)]
    assert (padded >= needed).all()
    assert (padded @ (1, 2)).sum() <= len(needed) * (np.array(buckets[-1]) @ (1, 2))


def test_buckets_over_both_lengths_tell_long_sources_from_short_ones():
    lengths = np.array([(2, 9)] * 50 + [(20, 9)] * 50 + [(20, 30)])
    assert pair_buckets(lengths, 3) == [(2, 9), (20, 9), (20, 30)]
    assert target_buckets(lengths, 3) == [(20, 9), (20, 30)]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 3))
def test_no_other_choice_of_buckets_pads_less(targets, max_buckets):
    lengths = np.array([(1, t) for t in targets])

    def padded(edges):
        return sum(min(e for e in edges if e >= t) for t in targets)

    longest = max(targets)
    every = [
        {a, b, longest} if max_buckets == 3 else {a, longest} if max_buckets == 2 else {longest}
        for a in range(1, longest + 1)
        for b in range(1, longest + 1)
    ]
    chosen = [bucket.target for bucket in target_buckets(lengths, max_buckets)]
    assert padded(chosen) == min(padded(edges) for edges in every)


def test_order_follows_seed_and_epoch_alone():
    examples = examples_of([(k % 5, k % 7) for k in range(40)])

    def order(seed, epoch):
        return [list(rows_of(b)) for b in Batches(examples, 4, seed, 3).epoch(epoch)]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(2, 0)
    assert order(1, 0) != order(1, 1)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 5), st.integers(0, 3))
def test_the_batches_of_each_shape_are_spread_over_the_epoch(lengths, batch_size, most, seed):
    examples = examples_of(lengths)
    batches = Batches(examples, batch_size, seed, most).epoch()
    is_shape = np.array([batch.targets.shape[1] for batch in batches])
    is_shape = is_shape[:, None] == np.unique(is_shape)  # [batches, shapes]
    total, shapes = is_shape.shape
    # By chance alone all of a shape's might come last; spread, its share of what was done is that
    # of the epoch, up to one batch of each shape.
    share = np.arange(1, total + 1)[:, None] / total
    of_shape = is_shape.sum(axis=0)
    away = np.abs(is_shape.cumsum(axis=0) - share * of_shape)
    assert (away <= 1 + shapes * of_shape / total).all()


@pytest.mark.parametrize("first", [0, 3, 9, 10])
def test_an_epoch_can_be_resumed(first):
    examples = examples_of([(k % 5, k % 7) for k in range(40)])
    source = Batches(examples, 4, seed=0, max_buckets=3)
    batches = list(source.epoch(1))
    rest = list(source.epoch(1, first))
    assert len(rest) == len(batches) - first
    for wanted, found in zip(batches[first:], rest, strict=True):
        for w, f in zip(wanted, found, strict=True):
            np.testing.assert_array_equal(w, f)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 3), st.integers(1, 5))
def test_pairs_that_are_drawn_anew_fit_the_same_shapes(lengths, batch_size, epoch, most):
    examples = examples_of(lengths)
    longest = examples.lengths.max(axis=0) - (0, 1)

    def draw(epoch, row):
        """Up to 14 symbols more on each side than the pair has, told by the epoch."""
        more = np.random.default_rng([epoch, row]).integers(15, size=2)
        sizes = np.add(lengths[row], more)
        return tuple(np.full(size, 100 + epoch, np.int32) for size in sizes)

    def wanted(row):
        drawn = draw(epoch, row)
        fits = all(len(ids) <= most for ids, most in zip(drawn, longest, strict=True))
        return drawn if fits else (examples.sources[row], examples.targets[row])

    def draw_all(epoch):
        return (draw(epoch, row) for row in range(len(lengths)))

    source = Batches(examples, batch_size, 0, most, draw=draw_all)
    batches = list(source.epoch(epoch))
    assert Counter(row for batch in batches for row in rows_of(batch)) == Counter(
        tuple(map(tuple, wanted(row))) for row in range(len(lengths))
    )
    shapes = {(b.source.shape[1], b.targets.shape[1]) for b in batches}
    assert shapes <= set(source.buckets)
    assert sum(b.target_mask.sum() for b in batches) == source.tokens(epoch)
    rest = list(Batches(examples, batch_size, 0, most, draw=draw_all).epoch(epoch, first=1))
    for a, b in zip(batches[1:], rest, strict=True):
        np.testing.assert_array_equal(a.targets, b.targets)


def test_padding_is_masked_and_rows_keep_their_ids():
    ids, mask = pad([np.array([5, 6, 7]), np.array([8])], 3, 4)
    np.testing.assert_array_equal(ids, [[5, 6, 7, 0], [8, 0, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(mask, ids != 0)


def test_types_are_those_of_the_device():
    examples = examples_of([(2, 3)])
    bucket = target_buckets(examples.lengths)[0]
    batch = make_batch(examples, np.array([0]), 2, bucket)
    assert [x.dtype for x in batch] == [np.int32, bool, np.int32, np.int32, bool]
