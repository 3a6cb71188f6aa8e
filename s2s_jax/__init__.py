"""Sequence-to-sequence learning in JAX and Flax: train once, decode any new text.

    from s2s_jax import Translator
    Translator.load("checkpoints/fra")(["Go.", "I won!"])

Names are imported when they are first used: `--help` and a mistyped flag need no JAX. Each is
imported as itself, which is how type checkers know that a package offers it.
"""

from etils import epy

__version__ = "0.1.0"

with epy.lazy_api_imports(globals()):
    from s2s_jax.config import DataConfig as DataConfig
    from s2s_jax.config import ModelConfig as ModelConfig
    from s2s_jax.config import RunConfig as RunConfig
    from s2s_jax.config import SearchConfig as SearchConfig
    from s2s_jax.config import TrainConfig as TrainConfig
    from s2s_jax.data.vocabulary import Vocabulary as Vocabulary
    from s2s_jax.decoding.alignment import Alignment as Alignment
    from s2s_jax.decoding.alignment import align as align
    from s2s_jax.decoding.beam import beam_search as beam_search
    from s2s_jax.decoding.config import DecodeConfig as DecodeConfig
    from s2s_jax.decoding.greedy import StepFn as StepFn
    from s2s_jax.decoding.greedy import greedy_decode as greedy_decode
    from s2s_jax.decoding.sampling import sample_decode as sample_decode
    from s2s_jax.decoding.translation import Hypothesis as Hypothesis
    from s2s_jax.decoding.translation import Translation as Translation
    from s2s_jax.decoding.translator import Translator as Translator
    from s2s_jax.errors import TextWarning as TextWarning
    from s2s_jax.errors import UserError as UserError
    from s2s_jax.model.recurrence import LSTMCell as LSTMCell
    from s2s_jax.model.seq2seq import Seq2Seq as Seq2Seq
    from s2s_jax.training.api import train as train
    from s2s_jax.training.run import TrainedRun as TrainedRun
