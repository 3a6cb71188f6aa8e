"""Ctrl-C and SIGTERM as a request that is answered at the next step."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """The first signal that came, if any."""

    signum: int | None = None


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Interrupt]:
    """Inside, the first Ctrl-C or SIGTERM is noted; a second one acts as it always did."""
    interrupt = Interrupt()
    previous = {signum: signal.getsignal(signum) for signum in _SIGNALS}

    def restore() -> None:
        for signum, handler in previous.items():
            signal.signal(signum, handler)

    def note(signum: int, frame: FrameType | None) -> None:
        del frame
        interrupt.signum = signum
        restore()

    for signum in _SIGNALS:
        signal.signal(signum, note)
    try:
        yield interrupt
    finally:
        restore()
