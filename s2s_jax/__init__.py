"""Sequence-to-sequence learning in JAX and Flax: train once, decode any new text.

    from s2s_jax import Translator
    Translator.load("checkpoints/fra")(["Go.", "I won!"])

Names are imported when they are first used: `--help` and a mistyped flag need no JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2s_jax.beam import beam_search
    from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
    from s2s_jax.decode_config import DecodeConfig
    from s2s_jax.decoding import StepFn, greedy_decode
    from s2s_jax.errors import UserError
    from s2s_jax.models import Seq2Seq
    from s2s_jax.recurrence import LSTMCell
    from s2s_jax.sampling import sample_decode
    from s2s_jax.translation import Hypothesis, Translation, Translator
    from s2s_jax.vocabulary import Vocabulary

_MODULES = {
    "DataConfig": "config",
    "DecodeConfig": "decode_config",
    "Hypothesis": "translation",
    "LSTMCell": "recurrence",
    "ModelConfig": "config",
    "RunConfig": "config",
    "Seq2Seq": "models",
    "StepFn": "decoding",
    "TrainConfig": "config",
    "Translation": "translation",
    "Translator": "translation",
    "UserError": "errors",
    "Vocabulary": "vocabulary",
    "beam_search": "beam",
    "greedy_decode": "decoding",
    "sample_decode": "sampling",
}

__all__ = [
    "DataConfig",
    "DecodeConfig",
    "Hypothesis",
    "LSTMCell",
    "ModelConfig",
    "RunConfig",
    "Seq2Seq",
    "StepFn",
    "TrainConfig",
    "Translation",
    "Translator",
    "UserError",
    "Vocabulary",
    "beam_search",
    "greedy_decode",
    "sample_decode",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
