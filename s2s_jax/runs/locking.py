"""One process at a time trains in a run folder."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from s2s_jax.errors import UserError

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None
    import msvcrt

LOCK = ".lock"
_FAR = 1 << 30  # Windows locks bytes, and keeps others from reading them: not where the pid is.
_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process can lock the folder; the lock dies with its process.

    The kernel's lock on the file `.lock` counts, not the file, so that a killed process leaves
    nothing that blocks. File systems that know no locks make do with the process id in the
    file: of a living process on this machine it counts, else it is taken for a leftover.

    Raises:
      UserError: when another process has the folder, or it cannot be written to.
    """
    path = folder / LOCK
    try:
        descriptor = _open_locked(path)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written to: {error.strerror}; choose another --out."
        ) from None
    if descriptor is None:
        raise UserError(
            f"{folder} is being trained in by {_holder(path)}; wait for its end, stop it, or "
            "choose another --out."
        )
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()  # On Windows only possible once it is closed.
        os.close(descriptor)
        if fcntl is None:
            with contextlib.suppress(OSError):
                path.unlink()


def _open_locked(path: Path) -> int | None:
    """The locked file's descriptor, or None when another process has it."""
    while True:
        # A link from a stranger's archive must not lead the pid into another file.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o644)
        try:
            taken = _try_lock(descriptor, path)
        except BaseException:
            os.close(descriptor)
            raise
        if not taken:
            os.close(descriptor)
            return None
        # Whoever had it before may have removed the very file that is locked now.
        if _same_file(descriptor, path):
            with contextlib.suppress(OSError):  # A full disk: the lock holds without the name.
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())
                os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
            return descriptor
        os.close(descriptor)


def _try_lock(descriptor: int, path: Path) -> bool:
    try:
        if fcntl is None:
            os.lseek(descriptor, _FAR, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD else not _alive(path)
    return True


def _same_file(descriptor: int, path: Path) -> bool:
    try:
        return fcntl is None or os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _read(path: Path) -> tuple[int, str] | None:
    """The process id and the host in the file, if it says so."""
    try:
        pid, host = path.read_text(encoding="utf-8").split()
        return int(pid), host
    except (OSError, ValueError):
        return None


def _alive(path: Path) -> bool:
    """Whether the process named in the file lives, as far as can be known here."""
    found = _read(path)
    if found is None or found[1] != socket.gethostname() or found[0] == os.getpid():
        return False
    try:
        os.kill(found[0], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # It is somebody else's.
        return True
    return found[0] > 0


def _holder(path: Path) -> str:
    found = _read(path)
    if found is None:
        return "another process"
    pid, host = found
    return f"process {pid}" + ("" if host == socket.gethostname() else f" on {host}")
