"""Sequence-to-sequence learning in JAX and Flax: train once, decode any new text.

    from s2s_jax import Translator
    Translator.load("checkpoints/fra")(["Go.", "I won!"])

Names are imported when they are first used: `--help` and a mistyped flag need no JAX.
"""

# ruff: noqa: F401
from etils import epy

__version__ = "0.1.0"

with epy.lazy_api_imports(globals()):
    from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from s2s_jax.data.vocabulary import Vocabulary
    from s2s_jax.decoding.beam import beam_search
    from s2s_jax.decoding.config import DecodeConfig
    from s2s_jax.decoding.greedy import StepFn, greedy_decode
    from s2s_jax.decoding.sampling import sample_decode
    from s2s_jax.decoding.translator import Hypothesis, Translation, Translator
    from s2s_jax.errors import UserError
    from s2s_jax.model.recurrence import LSTMCell
    from s2s_jax.model.seq2seq import Seq2Seq
