"""Files: replaced atomically, read with faults told from damage; text for names and messages."""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import re
import shutil
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from s2s_jax.errors import UserError

_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

_JOINERS = "\u200c\u200d"
"""They shape Persian, Hindi and emoji, and are not seen themselves."""

OFFICE_DOCUMENT = "an office document; save its table as CSV in UTF-8"
AS_LINES = "write its pairs as lines of source, tab and target"
"""The remedies for other forms of data, in messages."""

_STAND_INS = {
    rb"version https://git-lfs": "a Git LFS pointer instead of the file itself; fetch that with: "
    "git lfs pull",
    rb"(?i)\s*(<!doctype html|<html|<head)": "a web page instead of the file itself; download that "
    "(on GitHub: the raw file)",
    rb"\s*<(\?xml|tmx|xliff)\b": f"XML (as TMX and XLIFF are), which is not read; {AS_LINES}",
    rb"\xd0\xcf\x11\xe0": OFFICE_DOCUMENT,
    rb"SQLite format 3\0": f"a database; {AS_LINES}",
}
"""How files begin that may be given for text or a model, and what they are."""


def stand_in(start: bytes) -> str:
    """What these bytes are instead of the file that was meant, with the remedy; else empty.

    Args:
      start: the first bytes of the file, at least a hundred if it has as many.
    """
    start = start.removeprefix(codecs.BOM_UTF8)
    return next((what for begins, what in _STAND_INS.items() if re.match(begins, start)), "")


def is_there(path: Path) -> bool:
    """Whether a path leads somewhere; raises OSError, as `Path.exists` may not, if nobody knows."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def names_in(folder: Path) -> list[str]:
    """The names in a folder, none if it is not there; raises OSError, as `glob` may not."""
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_if_there(path: Path) -> bytes | None:
    """What a file holds, None where there is none.

    Raises:
      UserError: when it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def read_all(folder: Path) -> None:
    """Reads all files of a folder; raises OSError if the machine cannot."""

    def fail(error: OSError) -> None:
        raise error

    for path, _, names in os.walk(folder, onerror=fail):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                while file.read(1 << 20):
                    pass


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which then replaces `path`: all of it, or nothing if the body raises.

    Symbolic links are followed and permissions kept, and the new file has reached the disk before
    it takes the place of the old one. What cannot be replaced (a pipe, a device, a file that this
    process was given open, as its standard output) is yielded itself, to be appended to.

    Raises:
      UserError: when the file cannot be written.
    """
    temporary = None
    try:
        descriptors = _descriptors(path)
        if descriptors or _is_stream(path):
            yield path
            for descriptor in descriptors:  # Whatever is printed next comes after it.
                with contextlib.suppress(OSError):
                    os.lseek(descriptor, 0, os.SEEK_END)
            return
        target = Path(os.path.realpath(path))
        # Short, as the name may have full length; with its suffix, which tells some writers what
        # to write.
        temporary = target.with_name(f".{os.getpid()}.tmp{target.suffix[:9]}")
        temporary.unlink(missing_ok=True)  # A killed process, which had the same id, left it.
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        flush(temporary)
        os.replace(temporary, target)
        flush(target.parent)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _is_stream(path: Path) -> bool:
    """Whether a path leads to what can only be written to."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _descriptors(path: Path) -> list[int]:
    """The open files of this process that a path leads to: standard output, error, /dev/fd/3."""
    found = []
    named = re.fullmatch(r"/dev/fd/(\d+)|/proc/self/fd/(\d+)", str(path))
    for descriptor in (1, 2, *([int(named[1] or named[2])] if named else [])):
        with contextlib.suppress(OSError):  # It is closed, or nothing is at the path.
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                found.append(descriptor)
    return found


def flush(path: Path) -> None:
    """Waits until a file, or the names in a folder, have reached the disk."""
    if os.name == "nt":  # Folders cannot be opened there.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # Some file systems cannot.
            raise
    finally:
        os.close(descriptor)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Replaces a file whole, or leaves it as it was, also when `lines` raises."""
    with (
        replacing(path) as temporary,
        # A lone surrogate, which only JSON output can hold, becomes JSON's escape for it.
        temporary.open("a", encoding="utf-8", errors="backslashreplace", newline="\n") as file,
    ):
        file.writelines(line + "\n" for line in lines)


_OF_THE_FILE = {
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EINVAL,
    errno.ENAMETOOLONG,
}  # fmt: skip
_TENSORSTORE = re.compile(r"\bos[ _]error\D{1,8}(\d+)", re.IGNORECASE)


def machine_fault(error: BaseException) -> str | None:
    """Why the machine could not read a file that may be whole; None if the file is at fault.

    Too many open files, a missing permission, a network disk out of reach, no memory: all of them
    may pass. Tensorstore raises ValueError for each, with the system's number in its text.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError):
            return "out of memory"
        number = cause.errno if isinstance(cause, OSError) else None
        if found := _TENSORSTORE.search(str(cause)):
            number = int(found[1])
        if number is not None and number not in _OF_THE_FILE:
            return os.strerror(number)
        cause = cause.__cause__ or cause.__context__
    return None


def shown(text: object, longest: int = 200) -> str:
    """The text as it can stand in a one-line message: nothing unprintable, not endless."""
    joiners = _JOINERS if str(text).strip(_JOINERS) else ""  # By themselves nobody would see them.
    line = "".join(c if c.isprintable() or c in joiners else ascii(c)[1:-1] for c in str(text))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def safe_name(text: str) -> str:
    """The text as a file or folder name that every platform takes; never empty."""
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text))
    name = name.lstrip("._-")[:60].rstrip("._-") or "data"
    return f"{name}_" if _WINDOWS_DEVICES.fullmatch(name) else name
