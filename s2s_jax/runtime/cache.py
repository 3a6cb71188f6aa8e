"""Where downloads, compiled programs and the history of a conversation are kept."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

_MOST_BYTES = 32 << 20
"""Of compiled programs, some 40 runs of the tutorial's size; JAX reads all to add one."""


def cache_folder() -> Path:
    """`$S2S_JAX_CACHE`, or a folder in the platform's place for caches; it may not exist yet."""
    if own := os.environ.get("S2S_JAX_CACHE"):
        return Path(own)
    platform = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    if platform:
        return Path(platform) / "s2s_jax"
    try:
        return Path.home() / ".cache" / "s2s_jax"
    except RuntimeError:  # no home folder, as in some containers
        return Path(tempfile.gettempdir()) / "s2s_jax"


def keep_compiled_programs() -> None:
    """Lets JAX keep what it compiles in the user's cache folder, the programs used last.

    The second start of train.py or decode.py with the same shapes then need not compile. A
    JAX_COMPILATION_CACHE_DIR of the user's own is left as it is, and unbounded.
    """
    import jax  # Here, so that the cache folder is found without it.

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
    from filelock import FileLock, Timeout  # As late as JAX, for the same reason.

    with contextlib.suppress(OSError, Timeout):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lockfile").acquire(timeout=10):  # The one that JAX takes.
            names = set(os.listdir(folder))
            for name in names:
                key = name.removesuffix("-cache")
                if key != name and f"{key}-atime" not in names:
                    (folder / name).unlink()
