"""The end of a run: its model is evaluated, and the outcome shown and written."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from jax.sharding import Mesh

from s2s_jax.data.corpus import Pair
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

_TRIED = 100  # Training pairs, where no validation sentence is answered rightly.
_SUGGESTED = 2  # Sentences to decode next.


def finish(
    folder: Path, prepared: Prepared, mesh: Mesh | None, report: TrainingReport
) -> Translator:
    """Evaluates a run folder as decode.py will read it; shows and writes the outcome.

    Each of several processes decodes the whole validation part: process 0 would take as long
    alone, and JAX ends a process that another keeps waiting for minutes at its exit.
    """
    values: dict[str, Any] = {"sentences": 0, "exact": 0}
    known: list[str] = []
    release_freed_memory()
    translator = Translator.load(folder, mesh=of_this_process(mesh))
    if prepared.validation:
        with report.bar() as bar:
            training_sources = read_training_sources(folder)
            evaluation = evaluate(
                translator, prepared.validation, DecodeConfig(), training_sources, bar
            )
        report.evaluated(evaluation)
        values = evaluation.to_dict()
        known = [answer.source for answer in evaluation.answers if answer.exact]
        if is_main():
            write_lines(folder / VALIDATION, decoded_lines(evaluation.answers))
    if is_main():
        write_evaluation(folder, values)
    report.finished(folder, _shown(known or _learnt(translator, prepared.training)))
    return translator


def _learnt(translator: Translator, pairs: Sequence[Pair]) -> list[str]:
    """Of the shortest sources that were trained on those that are answered as they should be."""
    pairs = heapq.nsmallest(_TRIED, pairs, key=lambda pair: len(pair.source))
    found = translator.translate([pair.source for pair in pairs])
    return [
        pair.source for pair, answer in zip(pairs, found, strict=True) if answer.text == pair.target
    ]


def _shown(sources: Iterable[str]) -> list[str]:
    """A few short sources that a shell takes between single quotes."""
    plain = {source for source in sources if "'" not in source and not source.startswith("-")}
    return sorted(plain, key=lambda source: (len(source), source))[:_SUGGESTED]
