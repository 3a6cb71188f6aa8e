"""Rows of delimited text that cannot be used, and those around them that can."""

import pytest
from s2s_data_testing import read, write

from s2s_jax.data.corpus import Pair, Skipped
from s2s_jax.errors import UserError


def test_a_quote_that_nothing_closes_costs_no_other_line_in_silence(tmp_path):
    content = b'a,b\nc,"d" e\nf,g\n'
    corpus = read(write(tmp_path, "a.csv", content))
    assert corpus.pairs == [Pair("a", "b"), Pair("f", "g")]
    assert corpus.skipped == {"broken quotes": Skipped(1, (2,))}


@pytest.mark.parametrize("close", [b"", b'x,"y"\n', b'z"\n'])
def test_a_quote_that_is_left_open_costs_its_own_line_alone(tmp_path, close):
    rows = [f"a{n},b{n}\n".encode() for n in range(9_000)]
    content = b"".join([*rows[:9], b'"open,quote\n', *rows[9:], close])
    corpus = read(write(tmp_path, "a.csv", content))
    assert [pair for pair in corpus.pairs if pair.source[0] == "a"] == [
        Pair(*row.decode().strip().split(",")) for row in rows
    ]
    assert next(iter(corpus.skipped.values())) == Skipped(1, (10,))


def test_lines_that_broken_quotes_take_with_them_are_counted(tmp_path):
    corpus = read(write(tmp_path, "a.csv", b'a,b\n"c\nd,"e\nf,g\n'))
    assert corpus.pairs == [Pair("a", "b"), Pair("f", "g")]
    assert corpus.skipped == {"broken quotes": Skipped(2, (2, 3))}


def test_a_field_around_a_line_that_is_too_long_is_no_text(tmp_path):
    content = b'a,b\n"c\n' + b"x" * 100_001 + b'\nd",e\n'
    corpus = read(write(tmp_path, "a.csv", content))
    assert corpus.pairs == [Pair("a", "b")]
    assert corpus.skipped == {"line too long": Skipped(3, (2, 3, 4))}


def test_a_space_may_stand_before_quotes(tmp_path):
    path = write(tmp_path, "a.csv", b'Yes., "Oui, oui."\nNo., "Non."\n')
    assert read(path).pairs == [Pair("Yes.", "Oui, oui."), Pair("No.", "Non.")]


@pytest.mark.parametrize("separator", [",", ";", "::", "^"])
def test_a_text_that_a_separator_has_cut_is_no_text(tmp_path, separator):
    rows = ["Go./Va !", "Hi./Eh bien/ salut !", "Run!/Cours !/", "Well/ well./Tiens."]
    rows += ["a/b", "c/d", "e/f"]
    path = write(tmp_path, "a.csv", "\n".join(rows).replace("/", separator).encode())
    corpus = read(path, separator=separator)
    assert corpus.pairs[:2] == [Pair("Go.", "Va !"), Pair("Run!", "Cours !")]
    assert len(corpus.pairs) == 5
    assert corpus.skipped["too many columns"] == Skipped(2, (2, 4))


def test_a_column_that_most_rows_lack_can_be_asked_for(tmp_path):
    path = write(tmp_path, "a.csv", b"Go.,x\nHi.,x\nRun!,x,Cours !\n")
    assert read(path, columns="1,3").pairs == [Pair("Run!", "Cours !")]


@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_row_has_no_more_columns_than_the_header_names(tmp_path, separator):
    rows = ["en/fr", "Go./Va !", "1/Hi./Salut !"]
    path = write(tmp_path, "a.csv", "\n".join(rows).replace("/", separator).encode())
    corpus = read(path, columns="en,fr")
    assert (corpus.pairs, corpus.lines) == ([Pair("Go.", "Va !")], [2])
    assert corpus.skipped == {"too many columns": Skipped(1, (3,))}


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("before", ["", " ", " \t"])
def test_a_header_may_stand_below_blank_lines(tmp_path, before, separator):
    text = f"{before}\nen{separator}fr\nGo.{separator}Va !\n"
    corpus = read(write(tmp_path, "a.csv", text.encode()), columns="en,fr")
    assert (corpus.pairs, corpus.lines) == ([Pair("Go.", "Va !")], [3])


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ","), ("a.txt", ";"), ("a.txt", "|||")])
def test_a_separator_that_each_line_has_twice_is_asked_about(tmp_path, name, separator):
    lines = "".join(f"Well{separator} {i}go.{separator}Va {i}.\n" for i in "abc")
    path = write(tmp_path, name, lines.encode())
    asked = r"have 3 columns, .* such as `columns` 1,2 for 'Well' and"
    with pytest.raises(UserError, match=asked):
        read(path)
    assert read(path, columns="1,3").pairs[0] == Pair("Well", "Va a.")
