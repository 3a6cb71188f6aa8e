"""Texts that are not in UTF-8: what is said of them, and how they are read."""

import gzip
import re

import pytest
from s2s_data_testing import error_of, read, write

from s2s_jax.data.corpus import Pair

FRENCH = "Go.\tVa !\nHelp!\tÀ l’aide !\nI won!\tJ’ai gagné !\nWow!\tÇa alors !\n"
JAPANESE = "こんにちは\thello\nありがとう\tthanks\nソファ\tsofa\n表\ttable\n"
RUSSIAN = "Привет.\tHello.\nЯ не знаю, что делать.\tI don't know what to do.\n"
TEXTS = [
    (FRENCH, "cp1252"),
    (JAPANESE, "cp932"),
    (RUSSIAN, "cp1251"),
    ("你好,世界。\thello\n谢谢你。\tthanks\n我不知道。\tI do not know\n", "gb18030"),
]


def pairs(text):
    return [Pair(*line.split("\t")) for line in text.splitlines()]


@pytest.mark.parametrize(("text", "encoding"), TEXTS)
def test_the_encoding_that_is_named_first_reads_the_file(tmp_path, text, encoding):
    path = write(tmp_path, "a.tsv", text.encode(encoding))
    message = error_of(path)
    number = next(n for n, line in enumerate(text.splitlines(), 1) if not line.isascii())
    assert f"line {number} of" in message
    line = text.splitlines()[number - 1].replace("\t", "\\t")
    assert f'{encoding} ("{line}")' in message
    named = re.search(r"such as `encoding` (\w+)", message)[1]
    assert read(path, encoding=named).pairs == pairs(text)


@pytest.mark.parametrize("encoding", ["cp866", "iso8859_5"])
def test_older_cyrillic_encodings_are_named_first(tmp_path, encoding):
    lines = ["Привет, как дела?\thello", "Да, нет.\tyes, no", "Где находится вокзал?\twhere"] * 3
    text = "".join(f"{line} {n}\n" for n, line in enumerate(lines))
    assert f"such as `encoding` {encoding}" in error_of(
        write(tmp_path, "a.tsv", text.encode(encoding))
    )


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-16", "utf-16-le", "utf-8", "utf-8-sig"])
def test_an_encoding_can_be_given(tmp_path, encoding):
    path = write(tmp_path, "a.tsv.gz", gzip.compress(JAPANESE.encode(encoding)))
    assert read(path, encoding=encoding).pairs == pairs(JAPANESE)


@pytest.mark.parametrize("encoding", ["utf-9", "rot13", "base64", "\0"])
def test_an_encoding_that_there_is_not(tmp_path, encoding):
    path = write(tmp_path, "a.tsv", FRENCH.encode("cp1252"))
    assert "`encoding`" in error_of(path, encoding=encoding)


def test_a_wrong_encoding_names_line_and_byte(tmp_path):
    path = write(tmp_path, "a.tsv", FRENCH.encode("cp1252"))
    assert "is not ascii: line 2 has the byte 0xc0" in error_of(path, encoding="ascii")


@pytest.mark.parametrize("unmarked", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_needs_its_byte_order(tmp_path, unmarked):
    path = write(tmp_path, "a.tsv", JAPANESE.encode(unmarked))
    assert unmarked in error_of(path, encoding="utf-16")
    assert read(path, encoding=unmarked).pairs == pairs(JAPANESE)


def test_one_broken_line_in_utf8_is_not_taken_for_another_encoding(tmp_path):
    path = write(tmp_path, "a.tsv", FRENCH.encode() + b"caf\xe9\tx\n")
    message = error_of(path)
    assert "line 5" in message and "correct this line" in message and "cp1252" not in message


def test_lines_that_are_not_read_may_be_anything(tmp_path):
    path = write(tmp_path, "a.tsv", FRENCH.encode() + b"caf\xe9\tx\n")
    assert read(path, num_samples=4).pairs == pairs(FRENCH)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><body>Not here</body></html>", "web page"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.zip", "a.gz", "a.csv"])
def test_what_stands_in_for_a_file_is_named(tmp_path, name, content, words):
    assert words in error_of(write(tmp_path, name, content))
