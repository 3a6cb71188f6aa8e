"""Trains a sequence-to-sequence model; see --help."""

from s2s_jax.training.main import entry_point

if __name__ == "__main__":
    entry_point()
