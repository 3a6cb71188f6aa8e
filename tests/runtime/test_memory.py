import platform
import subprocess
import sys

import pytest

# Prints how many of 64 MiB go back to the system when they are freed, and when all is released.
PROGRAM = """
import ctypes, resource, sys
from pathlib import Path
from s2s_jax.runtime.memory import keep_freed_memory, release_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
block = libc.malloc(2**26)
ctypes.memset(block, 1, 2**26)
above = libc.malloc(2**10)  # In use, so that the block is not at the end of the heap.
used = resident()
libc.free(block)
kept = resident()
release_freed_memory()
print(used - kept, kept - resident())
"""


def megabytes_returned(how):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return map(int, done.stdout.split())


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc")
def test_freed_memory_is_kept_until_it_is_released():
    freed, released = megabytes_returned("keep")
    assert freed < 32 < released
    freed, _ = megabytes_returned("leave")
    assert freed > 32
