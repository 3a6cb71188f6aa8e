"""Where downloads, compiled programs and the history of a conversation are kept."""

import os
import tempfile
from pathlib import Path


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
    """Lets JAX keep what it compiles in the user's cache folder.

    The second train.py or decode.py of a shape then starts at once. Whoever has set JAX's own
    JAX_COMPILATION_CACHE_DIR keeps it.
    """
    import jax  # Here, so that the cache folder is found without it.

    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    # By default only programs that took a second to compile are kept; ours are small and many.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
