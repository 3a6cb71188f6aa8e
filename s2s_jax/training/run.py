"""One training run, from what was asked for to a finished run folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from flax.training.train_state import TrainState
from jax.sharding import Mesh

from s2s_jax.config import RunConfig, files
from s2s_jax.data.batching import Batches
from s2s_jax.data.preparation import Prepared
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.evaluation import decoded_lines, evaluate
from s2s_jax.evaluation.fingerprint import read_training_sources, write_training_sources
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.model.summary import summary
from s2s_jax.runs.folder import (
    EVALUATION,
    VALIDATION,
    Run,
    create_run,
    holds_run,
    make_folder,
    read_run,
    write_config,
    write_evaluation,
    write_metrics,
)
from s2s_jax.runs.locking import locked
from s2s_jax.runtime.cache import keep_compiled_programs
from s2s_jax.runtime.devices import (
    agreed_signal,
    is_main,
    is_same_everywhere,
    of_this_process,
    start,
    together,
)
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.interrupts import catch_interrupts
from s2s_jax.runtime.memory import keep_freed_memory, release_freed_memory
from s2s_jax.runtime.parallel import replicate
from s2s_jax.training.loop import MOST_SKIPPED, NotFinite, fit
from s2s_jax.training.planning import Request, choose_folder, configure, saved_run, with_more
from s2s_jax.training.progress import TrainingProgress, is_over
from s2s_jax.training.report import TrainingReport, opening_rows
from s2s_jax.training.resuming import restore_together
from s2s_jax.training.saving import Saver
from s2s_jax.training.step import make_state

_LINES = 8  # Named of the batch that a run failed on.


def train(request: Request, report: TrainingReport) -> int:
    """Trains, saves, evaluates and prints.

    Returns:
      0, or 128 + the signal's number when a signal ended training early.

    Raises:
      UserError: when the request cannot be fulfilled; what existed before is still there.
    """
    keep_freed_memory()
    keep_compiled_programs()
    mesh = start(request.devices)
    report.console.quiet = not is_main()
    folder = choose_folder(request)
    with together():
        saved = saved_run(request, folder)
        config, prepared = configure(request, saved, report.console.is_terminal)
    run = Run(config, prepared.source_vocabulary, prepared.target_vocabulary)
    with contextlib.ExitStack() as stack:
        with together():
            if is_main():
                make_folder(folder)
                stack.enter_context(locked(folder))
                # Another process may have begun, or ended, a run here while the data were read.
                if saved_run(request, folder) != saved:
                    raise UserError(f"{folder} was changed by another process; start again.")
                if saved is None:
                    create_run(folder, run)
                write_training_sources(folder, (pair.source for pair in prepared.training))
        return _train(request, report, folder, run, prepared, mesh)


def _train(
    request: Request,
    report: TrainingReport,
    folder: Path,
    run: Run,
    prepared: Prepared,
    mesh: Mesh | None,
) -> int:
    """The run itself, in a folder that is locked."""
    model = Seq2Seq(run.config.model, dtype=getattr(jnp, run.config.train.precision))
    config, restored = run.config, restore_together(folder, model, run.config)
    if restored is None:
        state, progress = make_state(model, config.train), TrainingProgress()
    else:
        state, progress = restored
        config, progress = with_more(request, config, progress)
    nothing_to_do = is_over(progress, config.train) and (folder / EVALUATION).exists()
    with together():
        if not is_same_everywhere(f"{config} {progress.step}"):
            raise UserError("the processes differ in data or flags; give all of them the same.")
    if nothing_to_do:
        report.nothing_to_do(folder, config.train, progress)
        return 0
    if restored is not None and is_main():
        write_config(folder, run._replace(config=config))
        write_metrics(folder, progress.history)
        for name in (EVALUATION, VALIDATION):
            (folder / name).unlink(missing_ok=True)
    training, validation = _batches(config, prepared)
    report.opening(opening_rows(config, prepared, training, folder, progress, state.params, mesh))
    state = replicate(state, mesh)
    data = (training, validation)
    try:
        signum = _fit(report, config, state, progress, *data, Saver(folder), mesh)
    except NotFinite as stopped:
        raise _not_finite(stopped, prepared) from None
    if signum is not None:
        flags = [] if request.data.get("data") is None else ["--data", *files(config.data.data)]
        report.stopped(folder, *flags)
        return 128 + signum
    _finish(report, folder, prepared, mesh)
    return 0


def summarize(request: Request, report: TrainingReport) -> int:
    """Prints the model that `train` would train; writes nothing."""
    folder = choose_folder(request)
    saved = read_run(folder) if request.resume and holds_run(folder) else None
    config, prepared = configure(request, saved, report.console.is_terminal)
    training, _ = _batches(config, prepared)
    report.say(summary(config.model, config.train.batch_size, training.buckets[-1]))
    return 0


def _batches(config: RunConfig, prepared: Prepared) -> tuple[Batches, Batches]:
    """The batches of the training and of the validation part."""
    size = config.train.batch_size
    training = Batches(prepared.encode(prepared.training), size, config.train.seed)
    # Validation is quick next to training: a few more padded positions beat more compilations.
    validation = Batches(prepared.encode(prepared.validation), size, max_buckets=3)
    return training, validation


def _fit(
    report: TrainingReport,
    config: RunConfig,
    state: TrainState,
    progress: TrainingProgress,
    training: Batches,
    validation: Batches,
    saver: Saver,
    mesh: Mesh | None,
) -> int | None:
    """Trains under the progress bar; the number of the signal that ended it, if one did."""
    with catch_interrupts() as interrupt:
        signal = agreed_signal(lambda: interrupt.signum)
        report.start(len(training), config.train.epochs, progress)
        try:
            fit(
                state,
                progress,
                training,
                validation,
                config.train,
                # What is replicated is saved once; a process that saves alone can also fail alone.
                save=saver if is_main() else lambda *_: None,
                listeners=[report],
                should_stop=lambda: signal() is not None,
                mesh=mesh,
            )
        finally:
            report.stop()
        saver.finish(lambda: interrupt.signum is not None)
        return signal(now=True)


def _not_finite(stopped: NotFinite, prepared: Prepared) -> UserError:
    """What to say of a run that diverged: where, at which lines, and what may help."""
    lines = prepared.lines(stopped.rows)
    shown = ", ".join(map(str, lines[:_LINES])) + (", ..." if len(lines) > _LINES else "")
    return UserError(
        f"{MOST_SKIPPED} updates in a row had a loss or gradient that is NaN or infinite, up to "
        f"step {stopped.step} (lines {shown} of the data); none of them changed the model, which "
        "is saved. Begin a new run with a lower --learning-rate or with "
        "--clip-norm 1."
    )


def _finish(report: TrainingReport, folder: Path, prepared: Prepared, mesh: Mesh | None) -> None:
    """Evaluates the run folder as decode.py will read it; says and writes the outcome.

    Of several processes each decodes all of the validation part: process 0 would take as long
    alone, and JAX ends a process that another keeps waiting for minutes at its exit.
    """
    values: dict[str, Any] = {"sentences": 0, "exact": 0}
    release_freed_memory()
    if prepared.validation:
        with report.console.status("decoding the validation part"):
            evaluation = evaluate(
                Translator.load(folder, mesh=of_this_process(mesh)),
                prepared.validation,
                DecodeConfig(),
                read_training_sources(folder),
            )
        report.evaluated(evaluation)
        values = evaluation.to_dict()
        if is_main():
            write_lines(folder / VALIDATION, decoded_lines(evaluation.answers))
    if is_main():
        write_evaluation(folder, values)
    report.finished(folder)
