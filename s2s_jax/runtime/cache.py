"""Where downloads, compiled programs and the history of a conversation are kept."""

from __future__ import annotations

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
