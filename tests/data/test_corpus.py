import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s2s_data_testing import GOOD, LINES, PAIRS, error_of, write

from s2s_jax.data.corpus import (
    Corpus,
    Pair,
    Skipped,
    collect_pairs,
    normalize,
    read_pairs,
    split_pairs,
)
from s2s_jax.errors import UserError

some_pairs = st.lists(
    st.builds(Pair, st.sampled_from("abcdefgh"), st.text("xyz", min_size=1)), max_size=40
)


# Properties


@given(st.lists(st.text("ab\te\u0301é \u05d0\U0001f600", max_size=6)), st.randoms())
def test_the_order_of_the_lines_changes_no_pair_and_each_pair_knows_its_line(texts, random):
    shuffled = random.sample(texts, len(texts))
    found = []
    for lines in (texts, shuffled):
        try:
            corpus = collect_pairs("x", enumerate(lines, 1))
        except UserError:
            corpus = None
        else:
            for pair, number in zip(corpus.pairs, corpus.lines, strict=True):
                assert collect_pairs("x", [(1, lines[number - 1])]).pairs == [pair]
        found.append(corpus and set(corpus.pairs))
    assert found[0] == found[1]


@given(st.text())
def test_normalize_is_idempotent_and_nfc(text):
    once = normalize(text)
    assert normalize(once) == once == once.strip()
    assert unicodedata.is_normalized("NFC", once)


@given(some_pairs, st.floats(0, 0.99), st.sampled_from(["source", "tail"]), st.integers(0, 9))
def test_split_parts_the_pairs(pairs, fraction, how, seed):
    try:
        training, validation = split_pairs(pairs, fraction, how, seed)
    except UserError as error:
        assert "--validation-split" in str(error) and str(error).isprintable()
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


# Reading


def test_columns_beyond_the_second_are_ignored(tmp_path):
    path = write(tmp_path, "fra.txt", b"Go.\tVa !\tCC-BY 2.0 (France)\tmore\n")
    assert read_pairs(path) == Corpus("fra", [Pair("Go.", "Va !")], {}, [1])


def test_swap_exchanges_the_columns_and_the_limits_follow(tmp_path):
    path = write(tmp_path, "fra.txt", GOOD)
    corpus = read_pairs(str(path), swap=True, max_source_length=4, max_target_length=4)
    assert corpus.pairs == [Pair("Va !", "Go.")]
    assert corpus.skipped == {"source too long": Skipped(2, (2, 3))}
    assert read_pairs(path, max_target_length=7).skipped == {"target too long": Skipped(1, (3,))}


def test_lengths_are_characters_after_normalize(tmp_path):
    path = write(tmp_path, "a.txt", "  e\u0301 \tbb\n".encode())
    assert read_pairs(path, max_source_length=1).pairs == [Pair("é", "bb")]


def test_reading_stops_after_num_samples(tmp_path):
    path = write(tmp_path, "a.txt", b"x\n" + GOOD + b"\xff broken later")
    corpus = read_pairs(path, num_samples=2)
    assert corpus.pairs == PAIRS[:2]
    assert corpus.skipped == {"no tab": Skipped(1, (1,))}
    error_of(path)


def test_skipped_lines_are_counted_and_the_first_five_named(tmp_path):
    lines = ["", "no tab", "\tb", "a\t \u00a0", "a\0\tb", "a\tb", " a\tb\tc", "e\u0301\tb", "é\tb"]
    path = write(tmp_path, "a.txt", "\n".join([*lines, *["x"] * 9]).encode())
    corpus = read_pairs(path)
    assert corpus.pairs == [Pair("a", "b"), Pair("é", "b")]
    assert corpus.lines == [6, 8]
    assert corpus.skipped == {
        "no tab": Skipped(11, (1, 2, 10, 11, 12)),
        "empty side": Skipped(2, (3, 4)),
        "control character": Skipped(1, (5,)),
        "duplicate": Skipped(2, (7, 9)),
    }


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("fra.txt", "fra"),
        ("fra.tsv", "fra"),
        ("fra", "fra"),
        ("my data (2).v2.csv", "my_data_2_.v2"),
        ("данные.txt", "данные"),
        ("--help.txt", "help"),
        ("con.txt", "con_"),
        ("!.txt", "data"),
        ("x" * 200 + ".txt", "x" * 60),
    ],
)
def test_the_name_of_a_corpus_is_safe_as_a_folder(tmp_path, file_name, name):
    assert read_pairs(write(tmp_path, file_name, GOOD)) == Corpus(name, PAIRS, {}, LINES)


# Refusals


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"a\nb\n\tc\n", {}, ["lines read: 3", "no tab 2 (first at line 1)", "empty side 1"]),
        (GOOD, {"max_source_length": 1}, ["raise --max-source-length"]),
        (GOOD, {"max_target_length": 1}, ["raise --max-target-length"]),
        (b"a\tb\rc\td\r", {}, ["control character 1", "line feed"]),
        (b"a" * 200_000, {}, ["line too long 1"]),
        (GOOD, {"num_samples": -1}, ["--num-samples"]),
        (GOOD, {"max_source_length": -1}, ["--max-source-length"]),
        (GOOD, {"max_target_length": -1}, ["--max-target-length"]),
    ],
)
def test_no_usable_line(tmp_path, content, options, words):
    message = error_of(write(tmp_path, "a.txt", content), **options)
    assert all(word in message for word in words)


# Splitting


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
        (PAIRS, 1.0, "source", 0, "--validation-split must be at least 0 and less than 1"),
        (PAIRS, -0.1, "tail", 0, "--validation-split must be"),
        (PAIRS, float("nan"), "tail", 0, "--validation-split must be"),
        (PAIRS, 0.2, "random", 0, "--split must be source or tail"),
        (PAIRS, 0.2, "source", -1, "--seed"),
        (PAIRS, 0.1, "source", 0, "--validation-split 0"),
        (PAIRS, 0.9, "tail", 0, "--validation-split 0"),
        (PAIRS[1:], 0.5, "source", 0, "1 distinct sources"),
        ([], 0.2, "source", 0, "0 pairs"),
    ],
)
def test_splits_that_are_refused(pairs, fraction, how, seed, words):
    with pytest.raises(UserError) as caught:
        split_pairs(pairs, fraction, how, seed)
    assert words in str(caught.value) and str(caught.value).isprintable()
