import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource, sys
from s2s_jax.runtime.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
for _ in range(12):
    block = libc.malloc(2**26)
    ctypes.memset(block, 1, 2**26)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt * resource.getpagesize() >> 20)
"""


def megabytes_cleared(how):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc")
def test_a_block_that_is_freed_is_used_again():
    """A dozen blocks of 64 MiB, one after another, are one block's worth of fresh pages."""
    assert megabytes_cleared("keep") < 2 * 64 + 100
    assert megabytes_cleared("leave") > 10 * 64


RELEASING = """
import ctypes, resource
from pathlib import Path
from s2s_jax.runtime.memory import keep_freed_memory, release_freed_memory
keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
block = libc.malloc(2**26)
ctypes.memset(block, 1, 2**26)
above = libc.malloc(2**10)  # In use, so that the block is not at the end of the heap.
libc.free(block)
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])
kept = resident()
release_freed_memory()
print((kept - resident()) * resource.getpagesize() >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is about glibc")
def test_what_was_kept_can_be_given_back():
    done = subprocess.run(
        [sys.executable, "-c", RELEASING], capture_output=True, text=True, check=True
    )
    assert 60 <= int(done.stdout) <= 64 + 10
