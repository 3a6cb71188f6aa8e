import pytest
from hypothesis import given
from hypothesis import strategies as st
from s2s_data_testing import PAIRS

from s2s_jax.data.corpus import Pair
from s2s_jax.data.splitting import split_pairs
from s2s_jax.errors import UserError

some_pairs = st.lists(
    st.builds(Pair, st.sampled_from("abcdefgh"), st.text("xyz", min_size=1)), max_size=40
)


@given(some_pairs, st.floats(0, 0.99), st.sampled_from(["source", "tail"]), st.integers(0, 9))
def test_split_parts_the_pairs(pairs, fraction, how, seed):
    try:
        training, validation = split_pairs(pairs, fraction, how, seed)
    except UserError as error:
        assert "`validation_split`" in str(error) and str(error).isprintable()
        return
    assert (training, validation) == split_pairs(pairs, fraction, how, seed)
    assert sorted(training + validation) == sorted(pairs)
    if fraction == 0:
        assert not validation
    elif how == "tail":
        assert training + validation == pairs
        assert len(training) == int(len(pairs) * (1 - fraction))
    else:
        held_out = {pair.source for pair in validation}
        assert training == [pair for pair in pairs if pair.source not in held_out]
        assert validation == [pair for pair in pairs if pair.source in held_out]
        enough = len(validation) >= round(fraction * len(pairs))
        assert enough or len({pair.source for pair in training}) == 1


@given(some_pairs, st.sampled_from(["source", "tail"]), st.integers(0, 9), st.data())
def test_what_is_always_trained_on_is_never_held_out(pairs, how, seed, data):
    kept = frozenset(data.draw(st.sets(st.sampled_from(pairs)))) if pairs else frozenset()
    try:
        training, validation = split_pairs(pairs, 0.4, how, seed, kept)
    except UserError:
        return
    assert sorted(training + validation) == sorted(pairs)
    assert not {pair.source for pair in kept} & {pair.source for pair in validation}
    if not kept:
        assert (training, validation) == split_pairs(pairs, 0.4, how, seed)


def test_split_by_source_depends_on_the_seed():
    pairs = [Pair(str(n // 2), str(n)) for n in range(200)]
    parts = {tuple(split_pairs(pairs, 0.2, "source", seed)[1]) for seed in range(5)}
    assert len(parts) == 5
    assert all(len(part) == 40 for part in parts)


def test_split_never_empties_training():
    pairs = [Pair("a", "x"), Pair("b", "x"), Pair("b", "y")]
    for seed in range(5):
        training, validation = split_pairs(pairs, 0.99, "source", seed)
        assert training and validation


@pytest.mark.parametrize(
    ("pairs", "fraction", "how", "seed", "words"),
    [
        (PAIRS, 0.1, "source", 0, "`validation_split` 0"),
        (PAIRS, 0.9, "tail", 0, "`validation_split` 0"),
        (PAIRS[1:], 0.5, "source", 0, "1 distinct sources"),
        ([], 0.2, "source", 0, "0 pairs"),
    ],
)
def test_splits_that_are_refused(pairs, fraction, how, seed, words):
    with pytest.raises(UserError) as caught:
        split_pairs(pairs, fraction, how, seed)
    assert words in str(caught.value) and str(caught.value).isprintable()
