"""Ctrl-C, SIGTERM and SIGHUP: how they end a command, and as a request to stop at the next step."""

from __future__ import annotations

import builtins
import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NoReturn

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))

_AGAIN = 0.1  # Seconds until an exception that got lost is raised once more.


class Terminated(SystemExit):
    """Raised in a command by SIGTERM and SIGHUP, as `KeyboardInterrupt` is by Ctrl-C.

    Attributes:
      signum: the signal's number.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
        self.signum = signum


class Interrupt:
    """The first signal received, if any."""

    signum: int | None = None


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Interrupt]:
    """Notes the first signal instead of stopping; a second one acts as usual.

    A signal that is ignored (as under nohup) stays ignored. Outside the main thread, where Python
    allows no handlers, nothing is caught.
    """
    interrupt, previous = Interrupt(), _handlers()

    def note(signum: int, frame: FrameType | None) -> None:
        del frame
        interrupt.signum = signum
        _handle(previous)

    _handle(dict.fromkeys(previous, note))
    try:
        yield interrupt
    finally:
        _handle(previous)


def _handlers() -> dict[int, Any]:
    """What handles each signal that is not ignored; nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {signum: signal.getsignal(signum) for signum in SIGNALS}
    return {s: handler for s, handler in found.items() if handler not in (signal.SIG_IGN, None)}


def _handle(handlers: Mapping[int, Any]) -> None:
    for signum, handler in handlers.items():
        signal.signal(signum, handler)


def owns_process() -> bool:
    """Whether a command may end the process: not if it was started in a notebook, with %run."""
    return not hasattr(builtins, "get_ipython")


def raise_at_signals() -> None:
    """Lets SIGTERM and SIGHUP end the process as Ctrl-C does: what is half done is tidied up."""

    def end(signum: int, frame: FrameType | None) -> None:
        del frame
        raise Terminated(signum)

    _handle({s: end for s, handler in _handlers().items() if handler == signal.SIG_DFL})


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """In the block, which imports, a signal ends a command at once.

    The C++ of some modules crashes at an exception while it is loaded, and there is nothing to
    tidy up yet.
    """
    previous = _handlers() if owns_process() else {}
    _handle(dict.fromkeys(previous, lambda signum, frame: stop(signum)))
    try:
        yield
    finally:
        _handle(previous)


def signal_behind(error: BaseException | None) -> int | None:
    """The signal that an exception comes from, at whatever remove; None if it is a fault.

    An extension module, for example, that Ctrl-C keeps from being loaded raises ImportError.
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt | Terminated):
            return getattr(error, "signum", signal.SIGINT)
        error = error.__cause__ or error.__context__
    return None


def raise_again(lost: KeyboardInterrupt | Terminated) -> None:
    """Repeats a signal whose exception got lost, as all do that are raised in a callback of C."""

    def repeat() -> None:
        if os.name == "posix":  # Also where the main thread waits.
            os.kill(os.getpid(), signum)
        else:
            signal.raise_signal(signum)

    signum = getattr(lost, "signum", signal.SIGINT)
    timer = threading.Timer(_AGAIN, repeat)
    timer.daemon = True
    with contextlib.suppress(RuntimeError):  # The interpreter is about to end anyway.
        timer.start()


def stop(signum: int) -> NoReturn:
    """Says "stopped" and dies of a signal."""
    with contextlib.suppress(OSError):  # The terminal may be gone.
        os.write(2, b"stopped\n")
    die_of(signum)


def die_of(signum: int) -> NoReturn:
    """Ends the process as the signal does by itself, at once.

    By that a shell knows that Ctrl-C is meant for the loop or script around the command as well;
    it calls the status 128 + `signum`. The interpreter does not shut down: it crashes if JAX is
    busy.
    """
    if os.name == "posix":
        signal.signal(signum, signal.SIG_DFL)
        os.kill(os.getpid(), signum)
    os._exit(128 + signum)  # Process 1 of a container outlives its signals.
