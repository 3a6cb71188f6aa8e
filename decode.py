"""Decodes new texts with a trained model; see --help."""

from s2s_jax.serving.main import command

if __name__ == "__main__":
    command()
