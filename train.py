"""Trains a sequence-to-sequence model; see --help."""

from s2s_jax.training.main import command

if __name__ == "__main__":
    command()
