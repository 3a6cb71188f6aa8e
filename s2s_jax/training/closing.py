"""The end of a run: its model is evaluated, and the outcome shown and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from s2s_jax.data.preparation import Prepared
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.evaluation import decoded_lines, evaluate
from s2s_jax.evaluation.fingerprint import read_training_sources
from s2s_jax.runs.folder import VALIDATION, write_evaluation
from s2s_jax.runtime.devices import is_main, of_this_process
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.memory import release_freed_memory
from s2s_jax.training.report import TrainingReport


def finish(
    folder: Path, prepared: Prepared, mesh: Mesh | None, report: TrainingReport
) -> Translator:
    """Evaluates a run folder as decode.py will read it; shows and writes the outcome.

    Each of several processes decodes the whole validation part: process 0 would take as long
    alone, and JAX ends a process that another keeps waiting for minutes at its exit.
    """
    values: dict[str, Any] = {"sentences": 0, "exact": 0}
    release_freed_memory()
    translator = Translator.load(folder, mesh=of_this_process(mesh))
    if prepared.validation:
        with report.console.status("decoding the validation part"):
            evaluation = evaluate(
                translator, prepared.validation, DecodeConfig(), read_training_sources(folder)
            )
        report.evaluated(evaluation)
        values = evaluation.to_dict()
        if is_main():
            write_lines(folder / VALIDATION, decoded_lines(evaluation.answers))
    if is_main():
        write_evaluation(folder, values)
    report.finished(folder)
    return translator
