"""Compiled programs kept from one process to the next."""

import os

import jax

from s2s_jax.cache import cache_folder


def keep_compiled_programs() -> None:
    """Lets JAX keep what it compiles in the user's cache folder.

    The second train.py or decode.py of a shape then starts at once. Whoever has set JAX's own
    JAX_COMPILATION_CACHE_DIR keeps it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "compiled"))
    # By default only programs that took a second to compile are kept; ours are small and many.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
