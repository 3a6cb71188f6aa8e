"""The embedded corpus: English-French pairs composed from a grammar written for s2s_jax.

It stands in for a data file, so that training runs without a download. The vocabulary is
small and the sentences short; the variety comes from combination. An English sentence has
exactly one French translation here: "you" is tu, "they" is ils, the simple past is the
passé composé, and a question takes "est-ce que".

Greetings, commands and other everyday sentences follow no rule. They make up a twentieth of the
draw and can only be learnt by heart, so `set_phrases` lists them for the division into parts:
they are always trained on, and the validation part does not measure them.
"""

from .drawing import embedded_pairs
from .everyday import set_phrases

__all__ = ["embedded_pairs", "set_phrases"]
