import os
import signal
import subprocess
import sys

import pytest

from s2s_jax.runtime.interrupts import catch_interrupts

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


class Acted(Exception):
    """Raised by the handler that was there before."""


@pytest.fixture(autouse=True)
def handlers():
    """Handlers of our own, so that a signal that is not caught does not end the tests."""

    def act(signum, frame):
        raise Acted(signum)

    previous = {signum: signal.signal(signum, act) for signum in SIGNALS}
    yield act
    for signum, handler in previous.items():
        signal.signal(signum, handler)


def send(signum):
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_is_noted_and_nothing_else_happens(signum):
    with catch_interrupts() as interrupt:
        assert interrupt.signum is None
        send(signum)
        assert interrupt.signum == signum


@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.parametrize("first", SIGNALS)
def test_a_second_signal_acts_as_before(first, second):
    with catch_interrupts() as interrupt:
        send(first)
        with pytest.raises(Acted):
            send(second)
        assert interrupt.signum == first


def test_handlers_are_restored_afterwards(handlers):
    with catch_interrupts() as interrupt:
        pass
    assert interrupt.signum is None
    assert [signal.getsignal(signum) for signum in SIGNALS] == [handlers] * len(SIGNALS)


def test_handlers_are_restored_after_an_error_and_after_a_signal(handlers):
    def fail():
        with catch_interrupts():
            send(signal.SIGTERM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [signal.getsignal(signum) for signum in SIGNALS] == [handlers] * len(SIGNALS)


def test_a_second_time_starts_afresh():
    for signum in SIGNALS:
        with catch_interrupts() as interrupt:
            assert interrupt.signum is None
            send(signum)
        assert interrupt.signum == signum


def test_a_second_sigterm_ends_a_real_process_at_once():
    script = (
        "import os, signal\n"
        "from s2s_jax.runtime.interrupts import catch_interrupts\n"
        "with catch_interrupts():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('noted', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('never', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("noted\n", "", -signal.SIGTERM)
