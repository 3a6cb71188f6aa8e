"""Decodes new texts with a trained model; see --help."""

from s2s_jax.serving.main import entry_point

if __name__ == "__main__":
    entry_point()
