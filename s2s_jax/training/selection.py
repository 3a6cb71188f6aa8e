"""What the best epoch is chosen by, where it is not the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
from jax.sharding import Mesh

from s2s_jax.data.corpus import Pair
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.evaluation import answers_of
from s2s_jax.evaluation.figures import sequence_error_rate
from s2s_jax.runs.folder import Run
from s2s_jax.runtime.devices import of_this_process
from s2s_jax.training.fitting.state import TrainingState


def error_rate_of(
    run: Run, validation: Sequence[Pair], mesh: Mesh | None
) -> Callable[[TrainingState], float] | None:
    """What gives the share of wrong greedy answers, 0 to 1; None where the loss decides.

    Each of several processes decodes the whole part, so that all know its figure.

    Args:
      run: its configuration and vocabularies.
      validation: sources and references, every target of a source among them.
      mesh: the devices of the run; None for one device.
    """
    if run.config.train.select != "error":
        return None
    here = of_this_process(mesh)

    def error_rate(state: TrainingState) -> float:
        translator = Translator(run, jax.device_get(state.judged), here)
        return sequence_error_rate(answers_of(translator, validation, DecodeConfig()))

    return error_rate
