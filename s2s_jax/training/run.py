"""One training run, from what was asked for to a finished run folder."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.sharding import Mesh

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.batching import Batches
from s2s_jax.data.buckets import MAX_BUCKETS
from s2s_jax.data.preparation import Prepared
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.model.summary import summary
from s2s_jax.recipes import default_recipe
from s2s_jax.runs.folder import (
    EVALUATION,
    TEST,
    VALIDATION,
    Run,
    create_run,
    holds_run,
    make_folder,
    read_run,
    write_config,
    write_metrics,
)
from s2s_jax.runs.locking import locked
from s2s_jax.runtime.compilation import keep_compiled_programs
from s2s_jax.runtime.devices import (
    agreed_signal,
    is_main,
    is_same_everywhere,
    of_this_process,
    start,
    together,
)
from s2s_jax.runtime.interrupts import catch_interrupts
from s2s_jax.runtime.memory import keep_freed_memory
from s2s_jax.runtime.parallel import replicate
from s2s_jax.training.closing import finish, not_finite
from s2s_jax.training.fitting.loop import Listener, NotFinite, fit
from s2s_jax.training.fitting.progress import TrainingProgress, is_over, with_more
from s2s_jax.training.fitting.state import TrainingState, make_state
from s2s_jax.training.opening import opening_rows
from s2s_jax.training.planning import choose_folder, configure, saved_run, wanted_start
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.saving import Saver, restore_together
from s2s_jax.training.selection import error_rate_of
from s2s_jax.training.starting import Start, note_sources, save_start


class TrainingInterrupted(KeyboardInterrupt):
    """A signal ended training early; what was reached is saved.

    Attributes:
      signum: the signal's number.
    """

    def __init__(self, signum: int, folder: Path) -> None:
        super().__init__(f"what was reached is saved in {folder}")
        self.signum = signum


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Attributes:
      folder: where it is kept; `Translator.load` opens it again.
      history: the metrics of each epoch, as in its `metrics.jsonl`.
      translator: the model of its best epoch.
    """

    folder: Path
    history: tuple[dict[str, Any], ...] = dataclasses.field(repr=False)
    translator: Translator


class _Job(NamedTuple):
    """What the stages of a run share."""

    folder: Path
    run: Run
    prepared: Prepared
    mesh: Mesh | None
    report: TrainingReport


def carry_out(
    request: Request, report: TrainingReport, listeners: Sequence[Listener] = ()
) -> TrainedRun:
    """Trains, saves and evaluates.

    Args:
      request: what to train, and where.
      report: shows it.
      listeners: are told what the report is told.

    Raises:
      UserError: when the request cannot be fulfilled; what existed before is still there.
      TrainingInterrupted: when a signal ended training early.
    """
    keep_freed_memory()
    keep_compiled_programs()
    mesh = start(request.devices)
    report.console.quiet |= not is_main()
    folder = choose_folder(request)
    with together():
        saved = saved_run(request, folder)
        base = wanted_start(request, saved)
        config, prepared = configure(request, saved, report.is_watched, base)
    if saved is None and base is None and request.recipe is None:
        report.chosen(default_recipe(config.data.data, len(prepared.corpus.pairs)))
    run = Run(config, prepared.source_vocabulary, prepared.target_vocabulary)
    job = _Job(folder, run, prepared, mesh, report)
    with _own_folder(job, request, saved, base):
        return _train(job, request, saved, listeners)


@contextlib.contextmanager
def _own_folder(
    job: _Job, request: Request, saved: Run | None, base: Start | None
) -> Iterator[None]:
    """Begins the run folder, unless it is resumed, and locks it."""
    folder, config = job.folder, job.run.config
    with contextlib.ExitStack() as stack:
        with together():
            if is_main():
                make_folder(folder)
                stack.enter_context(locked(folder))
                # Another process may have begun, or ended, a run here while the data were read.
                if saved_run(request, folder) != saved:
                    raise UserError(f"{folder} was changed by another process; start again.")
                if saved is None:
                    _refuse_own_data(folder, config.data)
                    create_run(folder, job.run)
                if base is not None:
                    validation = _validation_batches(config.train, job.prepared)
                    error_of = error_rate_of(job.run, job.prepared.validation, job.mesh)
                    loss = save_start(folder, config, base, validation, error_of)
                    job.report.started(base.origin, loss)
                note_sources(folder, config, base, (p.source for p in job.prepared.training))
        yield


def _refuse_own_data(folder: Path, data: DataConfig) -> None:
    written = [(folder / name).resolve() for name in (VALIDATION, TEST)]
    if any(Path(file).resolve() in written for file in data.all_files):
        raise UserError(f"the run would write over its data in {folder}; choose another `out`.")


def _train(
    job: _Job, request: Request, saved: Run | None, listeners: Sequence[Listener]
) -> TrainedRun:
    """The run itself, in a folder that is locked."""
    folder, run, report = job.folder, job.run, job.report
    model = Seq2Seq(run.config.model, dtype=getattr(jnp, run.config.train.precision))
    restored = restore_together(folder, model, run.config)
    state, progress = restored or (make_state(model, run.config.train), TrainingProgress())
    if restored is not None:
        config, progress = with_more(request.more, run.config, progress)
        job = job._replace(run=run._replace(config=config))
    config = job.run.config
    # Answers that are searched for in another way are judged again.
    judged = saved is None or saved.config.decode == config.decode
    judged = judged and (folder / EVALUATION).exists()
    nothing_to_do = is_over(progress, config.train) and judged
    with together():
        if not is_same_everywhere(f"{config} {progress.step}"):
            raise UserError("the processes differ in data or settings; give all of them the same.")
    if nothing_to_do:
        report.nothing_to_do(folder, config.train, progress)
        translator = Translator.load(folder, mesh=of_this_process(job.mesh))
        return TrainedRun(folder, progress.history, translator)
    if restored is not None and is_main():
        # As they are when the latest step is saved.
        write_config(folder, job.run)
        write_metrics(folder, progress.history)
    progress = _fit(job, state, progress, listeners)
    report.ended(config.train, progress)
    translator = finish(folder, config, job.prepared, progress, job.mesh, report)
    return TrainedRun(folder, progress.history, translator)


def summarize(request: Request, report: TrainingReport) -> ModelConfig:
    """Prints the model that `carry_out` would train, and returns its sizes; writes nothing."""
    folder = choose_folder(request)
    saved = read_run(folder) if request.resume and holds_run(folder) else None
    config, prepared = configure(request, saved, report.is_watched, wanted_start(request, saved))
    training = _training_batches(config, prepared)
    report.say(summary(config.model, config.train.batch_size, training.buckets[-1]))
    return config.model


def _training_batches(config: RunConfig, prepared: Prepared) -> Batches:
    train, draw = config.train, prepared.draws(config.data.subword_sampling, config.train.seed)
    shapes = train.shapes or MAX_BUCKETS, bool(train.shapes)
    return Batches(prepared.examples, train.batch_size, train.seed, *shapes, draw)


def _validation_batches(config: TrainConfig, prepared: Prepared) -> Batches:
    # Validation is quick next to training: a few more padded positions beat more compilations.
    return Batches(
        prepared.encode(prepared.validation), config.batch_size, None, 3, bool(config.shapes)
    )


def _fit(
    job: _Job, state: TrainingState, progress: TrainingProgress, listeners: Sequence[Listener]
) -> TrainingProgress:
    """Trains under the progress bar, until the end or a signal."""
    config, report, saver = job.run.config, job.report, Saver(job.folder)
    training = _training_batches(config, job.prepared)
    report.opening(
        opening_rows(config, job.prepared, training, job.folder, progress, state.params, job.mesh)
    )
    with catch_interrupts() as interrupt:
        signal = agreed_signal(lambda: interrupt.signum)
        with report.training(len(training), config.train.epochs, progress):
            try:
                _, progress = fit(
                    replicate(state, job.mesh),
                    progress,
                    training,
                    _validation_batches(config.train, job.prepared),
                    config.train,
                    # Saved once of what all have; a process that saves alone can also fail alone.
                    save=saver if is_main() else lambda *_: None,
                    listeners=[report, *listeners],
                    should_stop=lambda: signal() is not None,
                    mesh=job.mesh,
                    error_of=error_rate_of(job.run, job.prepared.validation, job.mesh),
                )
            except NotFinite as stopped:
                raise not_finite(stopped, job.prepared) from None
        saver.finish(lambda: interrupt.signum is not None)
        signum = signal(now=True)
    if signum is not None:
        report.stopped(job.folder)
        raise TrainingInterrupted(signum, job.folder)
    return progress
