"""Ctrl-C and SIGTERM as a request to stop at the next step."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """The first signal received, if any."""

    signum: int | None = None


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Interrupt]:
    """Notes the first Ctrl-C or SIGTERM instead of stopping; a second one acts as usual.

    A signal that is ignored (as under nohup) stays ignored. Outside the main thread, where Python
    allows no handlers, nothing is caught.
    """
    interrupt = Interrupt()
    previous = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {signum: signal.getsignal(signum) for signum in _SIGNALS}
        previous = {s: handler for s, handler in handlers.items() if handler != signal.SIG_IGN}

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def note(signum: int, frame: FrameType | None) -> None:
        del frame
        interrupt.signum = signum
        restore()

    for signum in previous:
        signal.signal(signum, note)
    try:
        yield interrupt
    finally:
        restore()
