"""One training run, from what was asked for to a finished run folder."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from s2s_jax.config import DataConfig
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.evaluation import answers_of
from s2s_jax.evaluation.figures import sequence_error_rate
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.pictures.tensorboard import TensorBoard
from s2s_jax.pictures.tracking import MLflow
from s2s_jax.runs.folder import (
    EVALUATION,
    TEST,
    VALIDATION,
    Run,
    create_run,
    make_folder,
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
from s2s_jax.training.fitting.loop import NotFinite, OnEpoch, fit
from s2s_jax.training.fitting.progress import TrainingProgress, is_over, with_more
from s2s_jax.training.fitting.state import TrainingState, make_state
from s2s_jax.training.opening import opening_rows
from s2s_jax.training.planning import (
    Job,
    choose_folder,
    configure,
    saved_run,
    training_batches,
    validation_batches,
    wanted_start,
)
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.saving import Saver, restore_together
from s2s_jax.training.starting import note_sources, save_start


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


def carry_out(
    request: Request, report: TrainingReport, callbacks: Sequence[OnEpoch] = ()
) -> TrainedRun:
    """Trains, saves and evaluates, and keeps the logs that are asked for.

    Raises:
      UserError: when the request cannot be fulfilled; what existed before is still there.
      TrainingInterrupted: when a signal ended training early.
    """
    keep_freed_memory()
    keep_compiled_programs()
    folder = choose_folder(request)
    kinds = ((request.tensorboard, TensorBoard), (request.mlflow, MLflow))
    logs = [kind(folder) for wanted, kind in kinds if wanted]
    mesh = start(request.devices)
    if not is_main():
        report.console.quiet, logs = True, []
    with together():
        saved = saved_run(request, folder)
        base = wanted_start(request, saved)
        config, prepared, recipe = configure(request, saved, report.is_watched, base)
    report.chosen(recipe)
    run = Run(config, prepared.source_vocabulary, prepared.target_vocabulary)
    job = Job(request, folder, saved, base, run, prepared, mesh)
    with _own_folder(job, report):
        trained = _train(job, report, [*callbacks, *(log.on_epoch for log in logs)])
    for log in logs:
        log.on_end(trained.translator)
    return trained


@contextlib.contextmanager
def _own_folder(job: Job, report: TrainingReport) -> Iterator[None]:
    """Begins the run folder, unless it is resumed, and locks it."""
    folder, config = job.folder, job.run.config
    with contextlib.ExitStack() as stack:
        with together():
            if is_main():
                make_folder(folder)
                stack.enter_context(locked(folder))
                # Another process may have begun, or ended, a run here while the data were read.
                if saved_run(job.request, folder) != job.saved:
                    raise UserError(f"{folder} was changed by another process; start again.")
                if job.saved is None:
                    _refuse_own_data(folder, config.data)
                    create_run(folder, job.run)
                if job.start is not None:
                    validation = validation_batches(config.train, job.prepared)
                    loss = save_start(folder, config, job.start, validation, _error_rate_of(job))
                    report.started(job.start.origin, loss)
                note_sources(folder, config, job.start, (p.source for p in job.prepared.training))
        yield


def _refuse_own_data(folder: Path, data: DataConfig) -> None:
    written = [(folder / name).resolve() for name in (VALIDATION, TEST)]
    if any(Path(file).resolve() in written for file in data.all_files):
        raise UserError(f"the run would write over its data in {folder}; choose another `out`.")


def _train(job: Job, report: TrainingReport, on_epoch: Sequence[OnEpoch]) -> TrainedRun:
    """The run itself, in a folder that is locked."""
    folder, run = job.folder, job.run
    model = Seq2Seq(run.config.model, dtype=getattr(jnp, run.config.train.precision))
    restored = restore_together(folder, model, run.config)
    state, progress = restored or (make_state(model, run.config.train), TrainingProgress())
    if restored is not None:
        config, progress = with_more(job.request.more, run.config, progress)
        job = job._replace(run=run._replace(config=config))
    config = job.run.config
    # Answers that are searched for in another way are judged again.
    judged = job.saved is None or job.saved.config.decode == config.decode
    judged = judged and (folder / EVALUATION).exists()
    with together():
        if not is_same_everywhere(f"{config} {progress.step}"):
            raise UserError("the processes differ in data or settings; give all of them the same.")
    if judged and is_over(progress, config.train):
        report.nothing_to_do(folder, config.train, progress)
        translator = Translator.load(folder, mesh=of_this_process(job.mesh))
        return TrainedRun(folder, progress.history, translator)
    if restored is not None and is_main():
        # As they are when the latest step is saved.
        write_config(folder, job.run)
        write_metrics(folder, progress.history)
    progress = _fit(job, state, progress, report, on_epoch)
    report.ended(config.train, progress)
    translator = finish(job, progress, report)
    return TrainedRun(folder, progress.history, translator)


def _error_rate_of(job: Job) -> Callable[[TrainingState], float] | None:
    """What gives the share of wrong greedy answers, 0 to 1; None where the loss decides.

    Each of several processes decodes the whole validation part, so that all know its figure.
    """
    if job.run.config.train.select != "error":
        return None
    here = of_this_process(job.mesh)

    def error_rate(state: TrainingState) -> float:
        translator = Translator(job.run, jax.device_get(state.judged), here)
        return sequence_error_rate(answers_of(translator, job.prepared.validation, DecodeConfig()))

    return error_rate


def _fit(
    job: Job,
    state: TrainingState,
    progress: TrainingProgress,
    report: TrainingReport,
    on_epoch: Sequence[OnEpoch],
) -> TrainingProgress:
    """Trains under the progress bar, until the end or a signal."""
    config, saver = job.run.config, Saver(job.folder)
    training = training_batches(config, job.prepared)
    report.opening(opening_rows(job, training, progress, state.params))
    with catch_interrupts() as interrupt:
        signal = agreed_signal(lambda: interrupt.signum)
        with report.training(len(training), config.train.epochs, progress):
            try:
                _, progress = fit(
                    replicate(state, job.mesh),
                    progress,
                    training,
                    validation_batches(config.train, job.prepared),
                    config.train,
                    # Saved once of what all have; a process that saves alone can also fail alone.
                    save=saver if is_main() else lambda *_: None,
                    on_step=report.on_step,
                    on_epoch=[report.on_epoch, *on_epoch],
                    should_stop=lambda: signal() is not None,
                    mesh=job.mesh,
                    error_of=_error_rate_of(job),
                )
            except NotFinite as stopped:
                raise not_finite(stopped, job.prepared) from None
        saver.finish(lambda: interrupt.signum is not None)
        signum = signal(now=True)
    if signum is not None:
        report.stopped(job.folder)
        raise TrainingInterrupted(signum, job.folder)
    return progress
