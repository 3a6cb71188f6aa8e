"""Files replaced whole, and text made fit for file names and one-line messages."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from s2s_jax.errors import UserError

_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def stand_in(start: bytes) -> str:
    """What lies in the place of a file that was never fetched, and the remedy; empty if it is none.

    Args:
      start: the first bytes of the file, at least a hundred if it has as many.
    """
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer instead of the file itself; fetch that with: git lfs pull"
    if re.match(rb"\s*(<!doctype html|<html|<head)", start.removeprefix(b"\xef\xbb\xbf").lower()):
        return "a web page instead of the file itself; download that (on GitHub: the raw file)"
    return ""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to be written that replaces `path` whole, or not at all when the body raises."""
    temporary = path.with_name(f".{os.getpid()}.tmp")  # Short: the name may be of full length.
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            temporary = path  # A device or a pipe is written to; replacing it breaks it.
        yield temporary
        if temporary != path:
            os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        if temporary != path:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Replaces a file whole, or leaves it as it was, also when `lines` raises."""
    # A lone surrogate, which only JSON output can hold, becomes JSON's escape for it.
    options = {"encoding": "utf-8", "errors": "backslashreplace", "newline": "\n"}
    with replacing(path) as temporary, temporary.open("w", **options) as file:
        file.writelines(line + "\n" for line in lines)


def shown(text: object, longest: int = 200) -> str:
    """The text as it can stand in a one-line message: nothing unprintable, not endless."""
    line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))
    return line if len(line) <= longest else line[: longest - 1] + "…"


def safe_name(text: str) -> str:
    """The text as a file or folder name that every platform takes; never empty."""
    name = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", text))
    name = name.lstrip("._-")[:60].rstrip("._-") or "data"
    return f"{name}_" if _WINDOWS_DEVICES.fullmatch(name) else name
