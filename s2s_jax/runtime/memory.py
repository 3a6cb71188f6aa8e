"""What the C library does with memory that a training step on a CPU has freed."""

import contextlib
import ctypes
import os

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Keeps the memory that a step frees for the next step.

    XLA allocates the temporary buffers of every execution again. By default glibc maps blocks of
    this size and unmaps them each time, and the system clears each of their pages: a fifth of a
    training epoch. Must be called before JAX starts its threads. These share two heaps for each
    processor: with one for each thread more memory is kept, and with fewer, threads that compile
    wait for each other (on 2 cores the translator's shapes took 35 seconds with four heaps and 44
    with two). Does nothing if the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 2 * (os.cpu_count() or 1))


def release_freed_memory() -> None:
    """Returns what `keep_freed_memory` kept to the system, before work that needs other blocks.

    After training on the tutorial this is more than a third of the process.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
