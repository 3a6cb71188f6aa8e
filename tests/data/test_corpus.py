import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s2s_data_testing import GOOD, LINES, PAIRS, error_of, read, write

from s2s_jax.config import EVERYTHING
from s2s_jax.data.corpus import (
    Corpus,
    Pair,
    Skipped,
    collect_rows,
    normalize,
)
from s2s_jax.data.reading.delimited import plain_rows
from s2s_jax.data.reading.layout import Columns
from s2s_jax.errors import UserError

# Properties


def collect_lines(lines) -> Corpus:
    return collect_rows("x", plain_rows(lines, Columns()), EVERYTHING)


@given(st.lists(st.text("ab\te\u0301é \u05d0\U0001f600", max_size=6)), st.randoms())
def test_the_order_of_the_lines_changes_no_pair_and_each_pair_knows_its_line(texts, random):
    shuffled = random.sample(texts, len(texts))
    found = []
    for lines in (texts, shuffled):
        try:
            corpus = collect_lines(enumerate(lines, 1))
        except UserError:
            corpus = None
        else:
            for pair, number in zip(corpus.pairs, corpus.lines, strict=True):
                assert collect_lines([(1, lines[number - 1])]).pairs == [pair]
        found.append(corpus and set(corpus.pairs))
    assert found[0] == found[1]


@given(st.text())
def test_normalize_is_idempotent_and_nfc(text):
    once = normalize(text)
    assert normalize(once) == once == once.strip()
    assert unicodedata.is_normalized("NFC", once)


# Reading


def test_columns_beyond_the_second_are_ignored(tmp_path):
    path = write(tmp_path, "fra.txt", b"Go.\tVa !\tCC-BY 2.0 (France)\tmore\n")
    assert read(path) == Corpus([Pair("Go.", "Va !")], {}, [1])


def test_swap_exchanges_the_columns_and_the_limits_follow(tmp_path):
    path = write(tmp_path, "fra.txt", GOOD)
    corpus = read(str(path), swap=True, max_source_length=4, max_target_length=4)
    assert corpus.pairs == [Pair("Va !", "Go.")]
    assert corpus.skipped == {"source too long": Skipped(2, (2, 3))}
    assert read(path, max_target_length=7).skipped == {"target too long": Skipped(1, (3,))}


def test_lengths_are_characters_after_normalize(tmp_path):
    path = write(tmp_path, "a.txt", "  e\u0301 \tbb\n".encode())
    assert read(path, max_source_length=1).pairs == [Pair("é", "bb")]


def test_reading_stops_after_num_samples(tmp_path):
    path = write(tmp_path, "a.txt", b"x\n" + GOOD + b"\xff broken later")
    corpus = read(path, num_samples=2)
    assert corpus.pairs == PAIRS[:2]
    assert corpus.skipped == {"no tab": Skipped(1, (1,))}
    error_of(path)


def test_skipped_lines_are_counted_and_the_first_five_named(tmp_path):
    lines = ["", "no tab", "\tb", "a\t \u00a0", "a\0\tb", "a\tb", " a\tb\tc", "e\u0301\tb", "é\tb"]
    path = write(tmp_path, "a.txt", "\n".join([*lines, *["x"] * 9]).encode())
    corpus = read(path)
    assert corpus.pairs == [Pair("a", "b"), Pair("é", "b")]
    assert corpus.lines == [6, 8]
    assert corpus.skipped == {
        "no tab": Skipped(11, (1, 2, 10, 11, 12)),
        "empty side": Skipped(2, (3, 4)),
        "control character": Skipped(1, (5,)),
        "duplicate": Skipped(2, (7, 9)),
    }


@pytest.mark.parametrize("file_name", ["fra.tsv", "fra", "my data (2).v2.csv", "данные.txt"])
def test_a_file_of_any_name_is_read(tmp_path, file_name):
    assert read(write(tmp_path, file_name, GOOD)) == Corpus(PAIRS, {}, LINES)


# Refusals


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (b"a\nb\n\tc\n", {}, ["lines read: 3", "no tab 2 (first at line 1)", "empty side 1"]),
        (GOOD, {"max_source_length": 1}, ["raise `max_source_length`"]),
        (GOOD, {"max_target_length": 1}, ["raise `max_target_length`"]),
        (b"a\tb\rc\td\r", {}, ["control character 1", "line feed"]),
        (b"a" * 200_000, {}, ["line too long 1"]),
    ],
)
def test_no_usable_line(tmp_path, content, options, words):
    message = error_of(write(tmp_path, "a.txt", content), **options)
    assert all(word in message for word in words)
