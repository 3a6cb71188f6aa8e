"""Compiled programs: how much time XLA takes to make them, and where they are kept."""

from __future__ import annotations

import contextlib
import glob
import os
from pathlib import Path

import jax
from filelock import FileLock, Timeout

from s2s_jax.runtime.cache import cache_folder

_MOST_BYTES = 32 << 20
"""Of compiled programs, some 40 runs of the tutorial's size; JAX reads all to add one."""

_NVIDIA_FILES = ("/dev/nvidia[0-9]*", "/dev/dxg")
"""Through which programs reach an NVIDIA GPU, on Linux and in Windows' Linux."""

_AUTOTUNING, _OPTIMIZATION = "xla_gpu_autotune_level", "xla_backend_optimization_level"


def compile_soon_on_gpus() -> None:
    """Turns XLA's search for the fastest kernels on a GPU off, unless `XLA_FLAGS` asks for it.

    It generates, compiles and times dozens of kernels for each product of each shape. On an H100
    one shape of the translator's step took 77 seconds with it (jax 0.11.2, beside other programs);
    without it the first epoch of all eight shapes ended after 13. Must come before JAX starts.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _AUTOTUNING not in flags and any(map(glob.glob, _NVIDIA_FILES)):
        os.environ["XLA_FLAGS"] = f"{flags} --{_AUTOTUNING}=0".strip()


def step_options() -> dict[str, int]:
    """Options of `jax.jit` for the steps of training, which are compiled for several shapes.

    On a CPU they leave out LLVM's optimization levels 2 and 3, unless `XLA_FLAGS` names a level.
    One shape of the translator's gradient then takes 2.2 seconds of processor time instead of 3.4,
    and runs as fast within 1 % (2 cores of an AMD EPYC, jax 0.10.2).
    """
    if jax.default_backend() != "cpu" or _OPTIMIZATION in os.environ.get("XLA_FLAGS", ""):
        return {}
    return {_OPTIMIZATION: 1}


def keep_compiled_programs() -> None:
    """Lets JAX keep what it compiles in the user's cache folder, the programs used last.

    The second start of train.py or decode.py with the same shapes then need not compile. A
    JAX_COMPILATION_CACHE_DIR of the user's own is left as it is, and unbounded.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder() / "compiled"
        _drop_unfinished(folder)
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_compilation_cache_max_size", _MOST_BYTES)
    # By default only programs that took a second to compile are kept; ours are small and many.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def _drop_unfinished(folder: Path) -> None:
    """Removes the programs that JAX does not know when it used; it could then not remove any.

    They were being written when their process was killed, or are older than the bound.
    """
    with contextlib.suppress(OSError, Timeout):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lockfile").acquire(timeout=10):  # The one that JAX takes.
            names = set(os.listdir(folder))
            for name in names:
                key = name.removesuffix("-cache")
                if key != name and f"{key}-atime" not in names:
                    (folder / name).unlink()
