"""A data file as numbered lines of text: plain, gzip, or the one text file in a zip.

Nothing is unpacked to disk, and memory stays flat however long the file or a line of it is.
"""

import gzip
import os
import stat
import zipfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from s2s_jax.data.encodings import likely_encodings, to_utf8
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown, stand_in

MAX_LINE_BYTES = 100_000
_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 1 << 20
_COUNTED_BYTES = 1 << 28
_SAMPLE_BYTES = 1 << 16
_FORM = "it needs lines of source<TAB>target in UTF-8"
_TEXTS = (".txt", ".tsv", ".csv", ".jsonl")


class Lines:
    """The lines of a text file, read as they are asked for.

    Iterating gives `(number from 1, text)` without the line end; the text is None for a line of
    more than `MAX_LINE_BYTES` bytes. Only `\\n` (or `\\r\\n`) ends a line.
    """

    def __init__(self, path: Path, name: str, chunks: Iterator[bytes]) -> None:
        self.path, self.name = path, name
        self._chunks = chunks
        self._ahead: deque[bytes] = deque()  # lines that were cut, but not asked for yet
        self._rest = b""
        self._number = 0
        self._ascii = True

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        while self._ahead or self._cut_more():
            while self._ahead:
                self._number += 1
                line = self._ahead.popleft()
                yield self._number, None if _too_long(line) else self._decoded(line)

    def head(self) -> list[str]:
        """The first lines, which stay to be read; what is not UTF-8 in them is replaced."""
        size = 0
        while size < _HEAD_BYTES and self._cut_more():
            size = sum(map(len, self._ahead))
        lines = [line.removesuffix(b"\r") for line in self._ahead if not _too_long(line)]
        return [line.decode("utf-8", "replace") for line in lines]

    def count_rest(self) -> tuple[int, bool]:
        """How many lines are left, and whether that is all: only so many bytes are looked at."""
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
            f"the data file must be UTF-8, but line {self._number} of {shown(self.path)} has the"
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


@contextmanager
def open_lines(path: str | os.PathLike, encoding: str = "") -> Iterator[Lines]:
    """Opens a data file of text.

    Args:
      path: plain text, gzip, or a zip that holds one text file.
      encoding: as Python spells it; empty for UTF-8.

    Raises:
      UserError: there is no readable file, its archive is broken or refused, or (while the
        lines are read) the text is in another encoding.
    """
    path = Path(path)
    with open_chunks(path, encoding) as (name, chunks):
        yield Lines(path, name, chunks)


@contextmanager
def open_chunks(path: Path, encoding: str = "") -> Iterator[tuple[str, Iterator[bytes]]]:
    """The same file as bytes in UTF-8 without a byte order mark, and the name of its text file.

    Raises:
      UserError: there is no readable file, or its archive is broken or refused.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_open_regular(path))
        start = file.read(512)
        file.seek(0)
        if mistake := stand_in(start):
            raise UserError(f"the data file {shown(path)} is {mistake}")
        with _reading(path):
            name, read = _unpacked(path, start, file, stack)
        yield name, _not_empty(path, to_utf8(path, _chunks(path, read), encoding))


def _open_regular(path: Path) -> IO[bytes]:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"a file is needed, but {shown(path)} is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            # Opening a FIFO would wait for ever.
            raise UserError(
                f"an ordinary file is needed, but {shown(path)} is a pipe or a device;"
                " write its content to a file first"
            )
        if status.st_size == 0:
            raise _empty(path)
        return open(path, "rb")
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise UserError(
            f"a file is needed, but there is no {shown(path)}; check the path"
        ) from error
    except OSError as error:
        denied = isinstance(error, PermissionError)
        raise UserError(
            f"the data file {shown(path)} cannot be opened: {shown(error.strerror or error)};"
            f" {'change its permissions or copy it' if denied else 'check the path'}"
        ) from error


def _unpacked(
    path: Path, start: bytes, file: IO[bytes], stack: ExitStack
) -> tuple[str, Callable[[int], bytes]]:
    """The name of the text file, and what reads its bytes."""
    suffix = path.suffix.lower()
    # A download may have lost its suffix, and no text can begin like an archive.
    if suffix == ".gz" or (suffix != ".zip" and start.startswith(b"\x1f\x8b")):
        name = path.stem if suffix == ".gz" else path.name
        return name, stack.enter_context(gzip.open(file)).read
    if suffix == ".zip" or start.startswith(b"PK\3\4"):
        archive = stack.enter_context(zipfile.ZipFile(file))
        member = _text_member(path, archive)
        return PurePosixPath(member).name, stack.enter_context(archive.open(member)).read
    return path.name, file.read


def _text_member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one text file of the archive."""
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise UserError(f"{shown(path)} is an office document; save its table as CSV in UTF-8")
    texts = [
        name
        for name in names
        if name.lower().endswith(_TEXTS)
        and "__MACOSX" not in PurePosixPath(name).parts
        and PurePosixPath(name).name != "_about.txt"
    ]
    if len(texts) != 1:
        found = ", ".join(shown(name, 60) for name in texts[:5])
        more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
        raise UserError(
            f"the archive {shown(path)} must hold one text file ({' '.join(_TEXTS)}), but has"
            f" {len(texts) or 'none'}{': ' if texts else ''}{found}{more};"
            " unpack it and pass the right file"
        )
    return texts[0]


def _chunks(path: Path, read: Callable[[int], bytes]) -> Iterator[bytes]:
    while True:
        with _reading(path):
            chunk = read(_CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def _not_empty(path: Path, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for first in chunks:
        if first:
            yield first
            yield from chunks
            return
    raise _empty(path)


def _too_long(line: bytes) -> bool:
    return len(line.removesuffix(b"\r")) > MAX_LINE_BYTES


def _empty(path: Path) -> UserError:
    return UserError(f"the data file {shown(path)} is empty; {_FORM}")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # gzip and zipfile raise a dozen kinds for broken archives
        reason = shown(error, 80) or type(error).__name__
        raise UserError(
            f"the data file {shown(path)} cannot be read: {reason}; it may be broken or cut short:"
            " replace it by a fresh copy, or unpack it yourself and pass the text"
        ) from error
