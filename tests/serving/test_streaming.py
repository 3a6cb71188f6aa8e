import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.data.reading.lines import MAX_LINE_BYTES
from s2s_jax.serving.streaming import Line, read_chunks, to_line


class Dripping(io.BytesIO):
    """A stream that has a few bytes at a time."""

    def __init__(self, content, at_once):
        super().__init__(content)
        self.at_once = at_once

    def read1(self, size=-1):
        return self.read(self.at_once)


def lines_of(content, at_once=1 << 20, most=100):
    chunks = list(read_chunks(Dripping(content, at_once), most))
    assert all(1 <= len(chunk) <= most for chunk in chunks)
    return [line for chunk in chunks for line in chunk]


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]))),
       st.booleans(), st.integers(1, 9), st.integers(1, 3))  # fmt: skip
def test_every_line_comes_once_however_it_arrives(texts, last_ends, at_once, most):
    content = "\n".join(texts).encode() + (b"\n" if last_ends and texts else b"")
    wanted = content.split(b"\n")
    if not wanted[-1]:
        wanted.pop()
    found = lines_of(content, at_once, most)
    assert found == [to_line(line, i == 0) for i, line in enumerate(wanted)]


def test_complete_lines_are_given_before_the_next_arrive():
    arriving = iter([b"one\ntwo\nthr", b"ee\n", b""])

    class Pipe:
        def read1(self, size):
            return next(arriving)

    chunks = read_chunks(Pipe(), 100)
    assert next(chunks) == [Line("one"), Line("two")]
    assert next(chunks) == [Line("three")]
    assert list(chunks) == []


@pytest.mark.parametrize("at_once", [1, 2, 5, 100])
def test_a_mark_of_the_byte_order_and_carriage_returns_are_not_text(at_once):
    found = lines_of("\ufeffGo.\r\n\r\n\ufeffRun!".encode(), at_once)
    assert found == [Line("Go."), Line(""), Line("\ufeffRun!")]


def test_what_is_not_utf8_is_named_and_left_out():
    found = lines_of(b"Go\xff.\nRun!\n\xc3")
    assert found[0] == Line("Go.", "byte 0xff is not UTF-8; it was left out")
    assert found[1] == Line("Run!")
    assert found[2].text == "" and "0xc3" in found[2].problem


def test_a_line_without_end_is_not_held():
    longest = b"a" * MAX_LINE_BYTES
    found = lines_of(longest + b"\r\n" + longest + b"b\n" + longest * 5 + b"\nGo.", 30_000)
    assert found[0] == Line(longest.decode())
    assert [line.text for line in found[1:]] == ["", "", "Go."]
    assert all("100,000 bytes" in line.problem for line in found[1:3])
