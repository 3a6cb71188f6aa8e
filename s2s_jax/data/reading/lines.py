"""A data file as numbered lines of text; memory stays flat however long the file or a line is."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from s2s_jax.data.reading.encodings import likely_encodings
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

MAX_LINE_BYTES = 100_000
_HEAD_BYTES = 1 << 20
_COUNTED_BYTES = 1 << 28
_SAMPLE_BYTES = 1 << 16


class Lines:
    """The lines of a text file, read as they are asked for.

    Iterating gives `(number from 1, text)` without the line end; the text is None for a line of
    more than `MAX_LINE_BYTES` bytes. Only `\\n` (or `\\r\\n`) ends a line. `number` is that of
    the line given last. Raises `UserError` where the text is not UTF-8.
    """

    def __init__(self, path: Path, name: str, chunks: Iterator[bytes]) -> None:
        self.path, self.name = path, name
        self._chunks = chunks
        self._ahead: deque[bytes] = deque()  # lines that were cut, but not asked for yet
        self._rest = b""
        self.number = 0
        self._ascii = True

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        while self._ahead or self._cut_more():
            while self._ahead:
                self.number += 1
                line = self._ahead.popleft()
                yield self.number, None if _too_long(line) else self._decoded(line)

    def head(self) -> list[str]:
        """The first lines, which stay to be read; what is not UTF-8 in them is replaced."""
        size = 0
        while size < _HEAD_BYTES and self._cut_more():
            size = sum(map(len, self._ahead))
        lines = [line.removesuffix(b"\r") for line in self._ahead if not _too_long(line)]
        return [line.decode("utf-8", "replace") for line in lines]

    def count_rest(self) -> tuple[int, bool]:
        """How many lines are left, and whether that is exact: only part of a long rest is read."""
        count, end, seen = len(self._ahead), self._rest, 0
        try:
            for chunk in self._chunks:
                count += chunk.count(b"\n")
                seen, end = seen + len(chunk), chunk
                if seen > _COUNTED_BYTES:
                    return count, False
        except UserError:  # Nobody asked for what is broken there.
            return count, False
        return count + bool(end and not end.endswith(b"\n")), True

    def _cut_more(self) -> bool:
        for chunk in self._chunks:
            *lines, rest = (self._rest + chunk).split(b"\n")
            self._ahead.extend(lines)
            # This much, the line and a carriage return and one more, still shows it is too long.
            self._rest = rest[: MAX_LINE_BYTES + 2]
            return True
        if self._rest:
            self._ahead.append(self._rest)
            self._rest = b""
            return True
        return False

    def _decoded(self, line: bytes) -> str:
        try:
            text = line.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            self._refuse(line, error)
        self._ascii = self._ascii and text.isascii()
        return text

    def _refuse(self, line: bytes, error: UnicodeDecodeError) -> NoReturn:
        what = (
            f"the data file must be UTF-8, but line {self.number} of {shown(self.path)} has the"
            f" byte 0x{line[error.start]:02x} at position {error.start + 1}"
        )
        if b"\0" in line:
            remedy = "it looks like UTF-16 or a binary file: save it as UTF-8 text"
        elif not self._ascii:
            remedy = "the lines before are UTF-8: correct this line, or leave it out"
        else:
            sample = b"\n".join([line, *self._ahead])[:_SAMPLE_BYTES]
            remedy = likely_encodings(line, sample)
        raise UserError(f"{what}; {remedy}") from error


def _too_long(line: bytes) -> bool:
    return len(line.removesuffix(b"\r")) > MAX_LINE_BYTES
