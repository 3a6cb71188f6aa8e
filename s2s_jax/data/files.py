"""A data file as numbered lines of text: plain, gzip, or the one text file in a zip.

Nothing is unpacked to disk and memory stays flat: a line that is too long, or an archive that
unpacks to far more than a corpus can be, is noticed before it is held.
"""

import gzip
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

MAX_LINE_BYTES = 100_000
MAX_UNPACKED_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 18
_FORM = "it needs lines of source<TAB>target in UTF-8"

# What gzip and zipfile are known to raise for bytes that are not what they expect.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    OverflowError,
    OSError,
)


@contextmanager
def open_lines(path: str | os.PathLike) -> Iterator[tuple[str, Iterator[tuple[int, str | None]]]]:
    """Opens a data file; gives the name of its text file and its lines.

    The lines come as `(number from 1, text)`, without their line end; the text is None for a
    line of more than `MAX_LINE_BYTES` bytes. Only `\\n` (or `\\r\\n`) ends a line.

    Raises:
      UserError: there is no readable file, its archive is broken or refused, or (while the
        lines are read) the text is not UTF-8.
    """
    path = Path(path)
    with open_chunks(path) as (name, chunks):
        yield name, _decoded(_split(chunks), path)


@contextmanager
def open_chunks(path: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The same file as bytes: the name of its text file and the bytes without a BOM.

    Raises:
      UserError: there is no readable file, or its archive is broken or refused.
    """
    with ExitStack() as stack:
        file = stack.enter_context(_open_regular(path))
        try:
            name, stream, limit = _unpacked(path, file, stack)
        except _BROKEN as error:
            raise _broken(path, error) from error
        yield name, _chunks(path, stream, limit)


def _open_regular(path: Path) -> BinaryIO:
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
    except PermissionError as error:
        raise UserError(
            f"a file that you may read is needed, but {shown(path)} is closed to you;"
            " change its permissions or copy it"
        ) from error
    except OSError as error:
        raise UserError(
            f"the data file {shown(path)} cannot be opened: {shown(error.strerror or error)};"
            " check the path"
        ) from error


def _unpacked(path: Path, file: BinaryIO, stack: ExitStack) -> tuple[str, BinaryIO, int | None]:
    """The name of the text file, its bytes, and how many there may be (None: any number)."""
    kind = path.suffix.lower()
    if kind not in (".gz", ".zip"):
        # A download may have lost its suffix, and no text can begin like an archive.
        start = file.read(4)
        file.seek(0)
        kind = ".gz" if start[:2] == b"\x1f\x8b" else ".zip" if start == b"PK\3\4" else kind
    if kind == ".gz":
        name = path.stem if path.suffix.lower() == ".gz" else path.name
        return name, stack.enter_context(gzip.GzipFile(fileobj=file)), MAX_UNPACKED_BYTES
    if kind == ".zip":
        archive = stack.enter_context(zipfile.ZipFile(file))
        member = _text_member(path, archive)
        stream = stack.enter_context(archive.open(member))
        return PurePosixPath(member.orig_filename).name, stream, MAX_UNPACKED_BYTES
    return path.name, file, None


def _text_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one text file of the archive.

    Names are read as the archive spells them (`orig_filename`): zipfile turns backslashes into
    slashes on Windows only, and the same archive must be read or refused everywhere.
    """
    texts = []
    for member in archive.infolist():
        name = member.orig_filename
        parts = PurePosixPath(name).parts
        if "\\" in name or ".." in parts or re.match(r"/|[A-Za-z]:", name):
            raise UserError(
                f"the archive {shown(path)} holds a path that leads out of it,"
                f" {shown(name, 60)}; take only the text file out and pass that"
            )
        hidden = "__MACOSX" in parts or parts[-1:] == ("_about.txt",)
        if not hidden and name.lower().endswith((".txt", ".tsv")):
            texts.append(member)
    if len(texts) != 1:
        names = ", ".join(shown(member.orig_filename, 60) for member in texts[:5])
        more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
        raise UserError(
            f"the archive {shown(path)} must hold one text file (.txt or .tsv), but has"
            f" {len(texts) or 'none'}{': ' if texts else ''}{names}{more};"
            " unpack it and pass the right file"
        )
    [member] = texts
    if member.flag_bits & 1:
        raise UserError(f"the archive {shown(path)} is encrypted; unpack it and pass the text file")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(
            f"the archive {shown(path)} uses compression method {member.compress_type}, but only"
            " stored and deflated files are read; unpack it and pass the text file"
        )
    return member


def _chunks(path: Path, stream: BinaryIO, limit: int | None) -> Iterator[bytes]:
    """The bytes of the text without a byte order mark: at least one, at most `limit`."""
    total = 0
    while True:
        try:
            chunk = stream.read(_CHUNK_BYTES)
        except _BROKEN as error:
            raise _broken(path, error) from error
        if total == 0:
            if chunk.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
                raise UserError(
                    f"the data file must be UTF-8, but {shown(path)} is UTF-16 or UTF-32;"
                    " save it as UTF-8"
                )
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
            if not chunk:
                raise _empty(path)
        if not chunk:
            return
        total += len(chunk)
        if limit is not None and total > limit:
            raise UserError(
                f"the archive {shown(path)} unpacks to more than the {limit} bytes that are read;"
                " unpack it, make the text smaller and pass that"
            )
        yield chunk


def _split(chunks: Iterator[bytes]) -> Iterator[bytes | None]:
    """Cuts at each line end; None for a line that is too long."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield _bounded(line)
        # This much, the line and a carriage return and one more, still shows it is too long.
        rest = rest[: MAX_LINE_BYTES + 2]
    if rest:
        yield _bounded(rest)


def _bounded(line: bytes) -> bytes | None:
    line = line.removesuffix(b"\r")
    return line if len(line) <= MAX_LINE_BYTES else None


def _decoded(lines: Iterator[bytes | None], path: Path) -> Iterator[tuple[int, str | None]]:
    for number, line in enumerate(lines, start=1):
        try:
            text = None if line is None else line.decode("utf-8")
        except UnicodeDecodeError as error:
            remedy = "convert it, for example with: iconv -f latin1 -t utf-8 OLD.txt > NEW.txt"
            if b"\0" in line:
                remedy = "it looks like UTF-16 or a binary file: save it as UTF-8 text"
            raise UserError(
                f"the data file must be UTF-8, but line {number} of {shown(path)} has the byte"
                f" 0x{line[error.start]:02x} at position {error.start + 1}; {remedy}"
            ) from error
        yield number, text


def _empty(path: Path) -> UserError:
    return UserError(f"the data file {shown(path)} is empty; {_FORM}")


def _broken(path: Path, error: Exception) -> UserError:
    reason = shown(error, 80) or type(error).__name__
    return UserError(
        f"the data file {shown(path)} cannot be read: {reason}; it may be broken or cut short:"
        " replace it by a fresh copy, or unpack it yourself and pass the text"
    )
