"""Lines as they arrive, without waiting for the end of the input."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase
from typing import NamedTuple

from s2s_jax.data.reading.lines import MAX_LINE_BYTES

_AT_ONCE = 1 << 18  # Bytes; a pipe holds fewer, so one read takes everything in it.


class Line(NamedTuple):
    """A line without its end, and what is wrong with it, if anything."""

    text: str
    problem: str | None = None


def read_chunks(stream: BufferedIOBase, most: int) -> Iterator[list[Line]]:
    """All lines of a stream, in lists of 1 to `most`, each as soon as its lines are complete.

    Bytes that are not UTF-8 are left out of a line, and a line that is too long comes empty; its
    `problem` says so, and the rest goes on. Memory stays flat.
    """
    rest, start = b"", True
    while data := stream.read1(_AT_ONCE):
        *complete, rest = (rest + data).split(b"\n")
        for i in range(0, len(complete), most):
            yield [
                to_line(line, start and i + j == 0) for j, line in enumerate(complete[i : i + most])
            ]
        start = start and not complete
        rest = rest[: MAX_LINE_BYTES + 2]  # Enough to tell that it is too long.
    if rest:
        yield [to_line(rest, start)]


def to_line(line: bytes, first: bool = False) -> Line:
    """One line of UTF-8; the first of a stream may begin with a byte order mark."""
    line = line.removesuffix(b"\r")
    if len(line) > MAX_LINE_BYTES:
        return Line("", f"more than {MAX_LINE_BYTES:,} bytes; it was not read")
    encoding = "utf-8-sig" if first else "utf-8"
    try:
        return Line(line.decode(encoding))
    except UnicodeDecodeError as error:
        problem = f"byte {line[error.start]:#04x} is not UTF-8; it was left out"
        return Line(line.decode(encoding, errors="ignore"), problem)
