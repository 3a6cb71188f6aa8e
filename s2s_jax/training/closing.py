"""The end of a run: its model is evaluated, and the outcome shown and written."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable
from typing import Any

import jax

from s2s_jax.data.preparation import Prepared
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.advice import forgetting, other_recipe, remedies, weakness
from s2s_jax.evaluation.evaluation import answers_of, decoded_lines, evaluate
from s2s_jax.pictures.presentation import present
from s2s_jax.runs.folder import TEST, VALIDATION, write_evaluation
from s2s_jax.runs.history import best_epoch
from s2s_jax.runtime.devices import is_main, of_this_process
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.memory import release_freed_memory
from s2s_jax.training.fitting.loop import MOST_SKIPPED, NotFinite
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.opening import device_text
from s2s_jax.training.planning import Job
from s2s_jax.training.report import TrainingReport

_TRIED = 100  # Training pairs, where no validation sentence is answered rightly.
_SUGGESTED = 2  # Sentences to decode next.
_LINES = 8  # Named of the batch that a run failed on.


def finish(job: Job, progress: TrainingProgress, report: TrainingReport) -> Translator:
    """Evaluates a run folder as decode.py will read it; shows and writes the outcome.

    Each of several processes decodes whole parts: process 0 would take as long alone, and JAX ends
    a process that another keeps waiting for minutes at its exit.
    """
    release_freed_memory()
    folder, config, prepared = job.folder, job.run.config, job.prepared
    translator = Translator.load(folder, mesh=of_this_process(job.mesh))
    found = {}
    for name, (title, pairs, file) in {
        "validation": ("Validation sentences, never trained on", prepared.validation, VALIDATION),
        "test": ("Test sentences", prepared.test, TEST),
    }.items():
        if pairs:
            with report.bar() as bar:
                found[name] = evaluate(translator, pairs, translator.searching(), bar)
            report.evaluated(title, found[name])
            if is_main():
                write_lines(folder / file, decoded_lines(found[name].answers))
    if is_main():
        values: dict[str, Any] = {"sentences": 0, "exact": 0}
        if "validation" in found:
            values = found["validation"].to_dict()
        if "test" in found:
            values["test"] = found["test"].to_dict()
        write_evaluation(folder, values)
        present(folder, _facts(job, translator))
    judged = next(iter(found.values()), None)
    known = [answer.source for answer in judged.answers if answer.exact] if judged else []
    if not known:
        shortest = heapq.nsmallest(_TRIED, prepared.training, key=lambda pair: len(pair.source))
        answers = answers_of(translator, shortest, translator.searching())
        known = [answer.source for answer in answers if answer.exact]
    pairs = len(prepared.training)
    problem = weakness(judged) if judged else forgetting(len(known), min(pairs, _TRIED))
    if problem:
        best = best_epoch(progress.history) if progress.history else 0
        report.tell(problem)
        report.tell(remedies(config, progress.epoch, best, pairs))
    elif other := other_recipe(config, pairs, judged):
        report.tell(other)
    report.finished(folder, _shown(known))
    return translator


def _facts(job: Job, translator: Translator) -> dict[str, str]:
    """What the card of a run says that its folder does not."""
    pairs = map(len, (job.prepared.training, job.prepared.validation, job.prepared.test))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(translator.params))
    return {
        "pairs": "{:,} for training, {:,} for validation, {:,} for the test".format(*pairs),
        "parameters": f"{parameters:,}",
        "trained on": f"{device_text(job.mesh)}; {os.cpu_count()} CPU cores",
    }


def _shown(sources: Iterable[str]) -> list[str]:
    """A few short sources that a shell takes between single quotes."""
    plain = {source for source in sources if "'" not in source and not source.startswith("-")}
    return sorted(plain, key=lambda source: (len(source), source))[:_SUGGESTED]


def not_finite(stopped: NotFinite, prepared: Prepared) -> UserError:
    """What to say of a run that diverged: where, at which lines, and what may help."""
    lines = prepared.lines(stopped.rows)
    shown = ", ".join(map(str, lines[:_LINES])) + (", ..." if len(lines) > _LINES else "")
    return UserError(
        f"{MOST_SKIPPED} updates in a row had a loss or gradient that is NaN or infinite, up to "
        f"step {stopped.step} (lines {shown} of the data); none of them changed the model, which "
        "is saved. Begin a new run with a lower `learning_rate` or with a `clip_norm` of 1."
    )
