"""The embedded corpus: English-French pairs composed from a grammar written for s2s_jax.

It stands in for a data file, so that training runs without a download. The vocabulary is
small and the sentences short; the variety comes from combination. An English sentence has
exactly one French translation here: "you" is tu, "they" is ils, the simple past is the
passé composé, and a question takes "est-ce que".
"""

from .drawing import embedded_pairs

__all__ = ["embedded_pairs"]
