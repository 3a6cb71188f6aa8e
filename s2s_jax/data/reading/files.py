"""The bytes of a data file: plain, gzip, bzip2, xz, or the one text file in a zip.

Nothing is unpacked to disk, and memory stays flat.
"""

import bz2
import gzip
import itertools
import lzma
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from s2s_jax.data.reading.encodings import to_utf8
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import AS_LINES, OFFICE_DOCUMENT, machine_fault, shown, stand_in

_CHUNK_BYTES = 1 << 18
_FORM = "it needs lines of source<TAB>target in UTF-8"
_TEXTS = (".txt", ".tsv", ".csv", ".jsonl")
_PICKLE = (
    f"a pickle, which may run any program, so it is never loaded; {AS_LINES} where it was made"
)
_PACKED = {
    ".gz": (re.compile(rb"\x1f\x8b"), gzip.open),
    ".bz2": (re.compile(rb"BZh[1-9]1AY&SY"), bz2.open),
    ".xz": (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
}
"""What is unpacked as it is read: its suffix, how it begins, what opens it."""
_ARCHIVES = {
    ".tar": (257, b"ustar"),
    ".7z": (0, b"7z\xbc\xaf\x27\x1c"),
    ".rar": (0, b"Rar!\x1a\x07"),
    ".zst": (0, b"\x28\xb5\x2f\xfd"),
}
"""What has to be unpacked before: its suffix, and bytes that it has at some place."""


@contextmanager
def open_chunks(path: Path, encoding: str = "") -> Iterator[tuple[str, Iterator[bytes]]]:
    """Opens a data file; gives the name of its text file, and its bytes in UTF-8 without a BOM.

    Args:
      path: plain text, gzip, bzip2, xz, or a zip that holds one text file.
      encoding: of the text, as Python spells it; empty for UTF-8, which is not checked here.

    Raises:
      UserError: there is no readable file, its archive is broken or refused, or (while the bytes
        are read) the text is in another encoding.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_regular(path))
        with reading(path):
            name, read = _unpacked(path, file, stack)
        yield name, _text(path, _chunks(path, read), encoding)


def open_regular(path: Path) -> IO[bytes]:
    """Opens an ordinary file that is what it seems to be.

    Raises:
      UserError: there is none, it cannot be read, it is empty, or only stands in for a file that
        was never fetched.
    """
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            files = sorted(each.name for each in path.iterdir() if each.is_file())
            example = f", such as {shown(files[0])}" if files else ""
            raise UserError(
                f"a file is needed, but {shown(path)} is a folder; name a file in it{example}"
            )
        if not stat.S_ISREG(status.st_mode):
            # Opening a FIFO would wait forever.
            raise UserError(
                f"an ordinary file is needed, but {shown(path)} is a pipe or a device;"
                " write its content to a file first"
            )
        if status.st_size == 0:
            raise _empty(path)
        file = open(path, "rb")  # noqa: SIM115  The caller closes it.
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
    with reading(path):
        start = _start(file)
    mistake = _PICKLE if re.match(rb"\x80[\2-\5]|\x93NUMPY", start) else stand_in(start)
    if mistake:
        file.close()
        raise UserError(f"the data file {shown(path)} is {mistake}")
    return file


def _start(file: IO[bytes]) -> bytes:
    start = file.read(512)
    file.seek(0)
    return start


def _unpacked(path: Path, file: IO[bytes], stack: ExitStack) -> tuple[str, Callable[[int], bytes]]:
    """The name of the text file, and what reads its bytes."""
    suffix, start = path.suffix.lower(), _start(file)
    # A download may have lost its suffix, and no text can begin like an archive.
    for packed, (begins, opened) in _PACKED.items():
        if suffix == packed or (suffix != ".zip" and begins.match(start)):
            name = path.stem if suffix == packed else path.name
            return name, stack.enter_context(opened(file)).read
    if suffix == ".zip" or start.startswith(b"PK\3\4"):
        archive = stack.enter_context(zipfile.ZipFile(file))
        member = _text_member(path, archive)
        return PurePosixPath(member).name, stack.enter_context(archive.open(member)).read
    return path.name, file.read


def _text_member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one text file of the archive."""
    names = archive.namelist()
    if "[Content_Types].xml" in names or {"mimetype", "content.xml"} <= set(names):
        raise UserError(f"{shown(path)} is {OFFICE_DOCUMENT}")
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
            " unpack it and pass the right file, or one for each side"
        )
    return texts[0]


def _chunks(path: Path, read: Callable[[int], bytes]) -> Iterator[bytes]:
    while True:
        with reading(path):
            chunk = read(_CHUNK_BYTES)
        if not chunk:
            return
        yield chunk


def _text(path: Path, chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The chunks in UTF-8, unless there are none, or an archive that has to be unpacked first."""
    first = next(chunks, b"")
    for suffix, (place, begins) in _ARCHIVES.items():
        if first.startswith(begins, place):
            raise UserError(
                f"{shown(path)} holds an archive ({suffix}); unpack it and pass the right file"
            )
    text = filter(None, to_utf8(path, itertools.chain([first], chunks), encoding))
    start = next(text, None)
    if start is None:
        raise _empty(path)
    yield start
    yield from text


def _empty(path: Path) -> UserError:
    return UserError(f"the data file {shown(path)} is empty; {_FORM}")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what a broken file or a fault of the machine raises into `UserError`."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # gzip, zipfile and pyarrow raise a dozen kinds for broken files
        fault = machine_fault(error)
        reason = fault or shown(getattr(error, "strerror", None) or error, 80)
        reason = reason or type(error).__name__
        remedy = "try again" if fault else "it may be broken or cut short: take a fresh copy"
        raise UserError(
            f"the data file {shown(path)} cannot be read: {reason}; {remedy}"
        ) from error
