"""How the C library gives memory to a training step on a CPU."""

import contextlib
import ctypes

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Lets the process keep the memory that a step frees, for the next step.

    XLA asks for the temporary buffers of every execution anew. By default glibc takes blocks of
    this size from the system and gives them back each time, and the system clears every page of
    them: a fifth of a training epoch. Call it before JAX starts its threads, each of which would
    have a heap of its own. Does nothing where the C library is not glibc.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_ARENA_MAX, 1)


def release_freed_memory() -> None:
    """Gives what `keep_freed_memory` kept back to the system: what comes next needs other blocks.

    After training on the tutorial that is more than a third of the process.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
