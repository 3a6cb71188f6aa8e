"""One process at a time trains in a run folder."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from s2s_jax.errors import UserError

LOCK, OWNER = ".lock", ".lock.owner"
_NO_LOCKS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from locking the folder; the lock dies with its process.

    The system's lock counts, not the file, so a killed process leaves nothing that blocks. Where a
    file system has no locks, the process named in `.lock.owner` counts while it lives here.

    Raises:
      UserError: when another process has the folder, or it cannot be written to.
    """
    lock, owner = FileLock(folder / LOCK), folder / OWNER
    with contextlib.ExitStack() as stack:
        try:
            # Not 0: the last owner may just be removing the file.
            stack.enter_context(lock.acquire(timeout=0.1))
            taken = False
        except Timeout:
            taken = True
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise UserError(
                    f"{folder} cannot be written to: {error.strerror}; choose another `out`."
                ) from None
            taken = _lives(owner)
        if taken:
            raise UserError(
                f"{folder} is being trained in by {_named(owner)}; wait for its end, stop it, or "
                "choose another `out`."
            )
        stack.callback(_remove, folder)
        with contextlib.suppress(OSError):  # The lock holds without it, as on a full disk.
            # A leftover may be a link from a stranger's archive to a file of the user's.
            owner.unlink(missing_ok=True)
            with owner.open("x", encoding="utf-8") as file:
                file.write(f"{os.getpid()} {socket.gethostname()}\n")
        yield


def _remove(folder: Path) -> None:
    for name in (OWNER, LOCK):
        with contextlib.suppress(OSError):  # Windows removes no open file.
            (folder / name).unlink()


def _read(owner: Path) -> tuple[int, str] | None:
    """The process id and the host, if the file names them."""
    try:
        pid, host = owner.read_text(encoding="utf-8").split()
        return int(pid), host
    except (OSError, ValueError):
        return None


def _lives(owner: Path) -> bool:
    """Whether the owner is another process that is known to live on this machine."""
    pid, host = _read(owner) or (0, "")
    if host != socket.gethostname() or pid < 1 or pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:  # It is another user's.
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _named(owner: Path) -> str:
    pid, host = _read(owner) or (0, "")
    if not pid:
        return "another process"
    return f"process {pid}" + ("" if host == socket.gethostname() else f" on {host}")
