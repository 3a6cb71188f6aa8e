"""One training run, from what was asked for to a finished run folder."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import jax
import numpy as np

from s2s_jax.batching import Examples, choose_buckets, num_batches
from s2s_jax.checkpointing import Progress, open_steps, restore_state, save_step
from s2s_jax.compilation import keep_compiled_programs
from s2s_jax.config import SAMPLE, DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.errors import UserError
from s2s_jax.evaluation import answer
from s2s_jax.interrupts import Interrupt, catch_interrupts
from s2s_jax.models import Seq2Seq
from s2s_jax.preparation import Prepared, prepare
from s2s_jax.reporting import TrainingReport, buckets_text, command, corpus_rows, device_text
from s2s_jax.run_folder import (
    EVALUATION,
    Run,
    create_run,
    holds_run,
    read_run,
    write_config,
    write_evaluation,
    write_metrics,
)
from s2s_jax.summary import summary
from s2s_jax.training import fit, make_state
from s2s_jax.translation import Translator

ROOT = Path("checkpoints")
"""Where runs land, seen from the folder that the user is in."""

# What learns the embedded corpus in under two minutes on a laptop: its sentences are composed of
# words, and word by word they are a fifth as long.
_SAMPLE_DEFAULTS = {
    "data": {"num_samples": 30_000, "tokens": "word", "validation_split": 0.05},
    "train": {"epochs": 7, "optimizer": "adam", "learning_rate": 2e-3},
}
_MAY_CHANGE = {"epochs", "patience", "data"}  # On resume; the state does not depend on these.
_EXAMPLES = 10


class Request(NamedTuple):
    """What the user asked for; the mappings hold the fields of the configurations given."""

    data: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]
    out: Path | None = None
    resume: bool = False
    overwrite: bool = False


def run_folder(request: Request) -> Path:
    """The folder asked for, or the one named after the data."""
    if request.out is not None:
        return request.out
    name = PurePath(request.data.get("data", SAMPLE).rstrip("/")).name
    stem = re.sub(r"(\.(txt|tsv|csv|gz|zip))+$", "", name, flags=re.IGNORECASE)
    return ROOT / (re.sub(r"[^\w.-]+", "_", stem).strip(".") or "run")


def train(request: Request, report: TrainingReport) -> int:
    """Trains, saves, evaluates and prints.

    Returns:
      0, or 128 + the signal's number when a signal ended training early.

    Raises:
      UserError: when the request cannot be fulfilled; what existed before is still there.
    """
    keep_compiled_programs()
    folder = run_folder(request)
    saved = _saved_run(request, folder)
    config, prepared = _configure(request, saved, report.console.is_terminal)
    run = Run(config, prepared.source_vocabulary, prepared.target_vocabulary)
    training, validation = prepared.encode(prepared.training), prepared.encode(prepared.validation)
    state, progress = make_state(Seq2Seq(config.model), config.train), Progress()
    if saved is None:
        create_run(folder, run)
    with open_steps(folder, writable=True) as manager:
        if manager.latest_step() is not None:
            params, opt_state, progress = restore_state(
                manager, manager.latest_step(), state.params, state.opt_state
            )
            state = state.replace(
                params=jax.device_put(params),
                opt_state=jax.device_put(opt_state),
                step=jax.numpy.int32(progress.step),
            )
            config = _extend(config, progress, finished=(folder / EVALUATION).exists())
            write_config(folder, config)
        _open(report, config, prepared, training, folder, progress, state.params)

        def save(state: Any, progress: Progress, val_loss: float | None) -> None:
            save_step(manager, state.params, state.opt_state, progress, val_loss)
            write_metrics(folder, progress.history)

        interrupt = _fit(report, config, state, progress, training, validation, save)
    if interrupt.signum is not None:
        flags = [] if request.data.get("data") is None else ["--data", config.data.data]
        report.say(f"Stopped; what was reached is saved in {folder}. To go on:")
        report.say("  " + command("train.py", folder, *flags, "--resume"))
        return 128 + interrupt.signum
    _close(report, folder, prepared)
    return 0


def summarize(request: Request, report: TrainingReport) -> int:
    """Prints the model that `train` would train; writes nothing."""
    folder = run_folder(request)
    saved = read_run(folder) if request.resume and holds_run(folder) else None
    config, prepared = _configure(request, saved, report.console.is_terminal)
    bucket = choose_buckets(prepared.encode(prepared.training).lengths())[-1]
    report.say(summary(config.model, config.train.batch_size, bucket))
    return 0


def _saved_run(request: Request, folder: Path) -> Run | None:
    """The run to go on with, if that was asked for and there is one."""
    if request.resume and request.overwrite:
        raise UserError("--resume goes on with a run and --overwrite replaces it; give one.")
    if request.overwrite or not holds_run(folder):
        return None
    if request.resume:
        return read_run(folder)
    raise UserError(
        f"{folder} holds a run already; go on with it (--resume), replace it (--overwrite) or "
        "choose another folder (--out)."
    )


def _configure(request: Request, saved: Run | None, progress: bool) -> tuple[RunConfig, Prepared]:
    """The whole configuration and the data; all that can be checked is checked before reading.

    Raises:
      UserError: for a value out of its range, unusable data, or what does not fit a saved run.
    """
    if saved is None:
        is_sample = request.data.get("data", SAMPLE) == SAMPLE
        defaults = _SAMPLE_DEFAULTS if is_sample else {"data": {}, "train": {}}
        data = DataConfig(**{**defaults["data"], **request.data})
        train = TrainConfig(**{**defaults["train"], **request.train})
        model = ModelConfig(1, 1, **request.model)
        prepared = prepare(data, train.seed, progress=progress)
        model = dataclasses.replace(
            model,
            source_vocab_size=len(prepared.source_vocabulary),
            target_vocab_size=len(prepared.target_vocabulary),
        )
        lengths = prepared.encode(prepared.training).lengths()
        return RunConfig(data, model, train, int(lengths[:, 1].max()), prepared.data_hash), prepared
    config = saved.config
    _refuse_changes(request, config)
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, **request.data),
        train=dataclasses.replace(config.train, **request.train),
    )
    vocabularies = (saved.source_vocabulary, saved.target_vocabulary)
    prepared = prepare(config.data, config.train.seed, vocabularies, progress)
    if prepared.data_hash != config.data_hash:
        raise UserError(
            f"{config.data.data} does not hold the pairs that this run was begun with; resume on "
            "the same data, or begin a new run with another --out."
        )
    return config, prepared


def _refuse_changes(request: Request, config: RunConfig) -> None:
    """Refuses to resume with anything that the saved state depends on."""
    changes = []
    for section in ("data", "model", "train"):
        for field, given in getattr(request, section).items():
            kept = getattr(getattr(config, section), field)
            if given != kept and field not in _MAY_CHANGE:
                changes.append(f"--{field.replace('_', '-')} saved {kept}, given {given}")
    if changes:
        raise UserError(
            f"a run is resumed with the settings it was begun with ({'; '.join(changes)}); "
            "leave these flags out, or begin a new run with another --out."
        )


def _extend(config: RunConfig, progress: Progress, finished: bool) -> RunConfig:
    """A finished run that already has its epochs goes on for as many more."""
    epochs = config.train.epochs
    if finished and progress.epoch >= epochs:
        epochs += progress.epoch
    return dataclasses.replace(config, train=dataclasses.replace(config.train, epochs=epochs))


def _open(
    report: TrainingReport,
    config: RunConfig,
    prepared: Prepared,
    training: Examples,
    folder: Path,
    progress: Progress,
    params: Any,
) -> None:
    """The opening lines."""
    pairs = (len(prepared.training), len(prepared.validation))
    rows = corpus_rows(config.data.data, prepared.corpus, *pairs)
    symbols = (len(prepared.source_vocabulary), len(prepared.target_vocabulary))
    kind = "characters" if config.data.tokens == "char" else "words"
    rows.append((f"Unique {kind}", f"source {symbols[0] - 4:,}, target {symbols[1] - 4:,}"))
    longest = training.lengths().max(axis=0) - (0, 1)
    rows.append(("Longest", f"source {longest[0]}, target {longest[1]} {kind}"))
    rows.append(("Shapes", buckets_text(choose_buckets(training.lengths()))))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    rows.append(("Parameters", f"{count:,} ({config.model.latent_dim} units)"))
    rows.append(("Device", device_text()))
    rows.append(("Run folder", str(folder)))
    if progress.step:
        reached = f"{progress.epoch} epochs"
        reached += f" and {progress.batch} batches" if progress.batch else ""
        rows.append(("Resumed", f"after {reached}, up to epoch {config.train.epochs}"))
    report.opening(rows)


def _fit(
    report: TrainingReport,
    config: RunConfig,
    state: Any,
    progress: Progress,
    training: Examples,
    validation: Examples,
    save: Any,
) -> Interrupt:
    """Trains under the progress bar; says whether a signal ended it."""
    batches = num_batches(training, config.train.batch_size)
    with catch_interrupts() as interrupt:
        report.should_stop = lambda: interrupt.signum is not None
        report.start(batches, config.train.epochs, progress)
        try:
            fit(state, progress, training, validation, config.train, save=save, listener=report)
        finally:
            report.stop()
    return interrupt


def _close(report: TrainingReport, folder: Path, prepared: Prepared) -> None:
    """The closing table and figures, from the run folder as decode.py will read it."""
    evaluation: dict[str, Any] = {"sentences": 0, "exact": 0}
    if prepared.validation:
        with report.console.status("decoding the validation part"):
            answers = answer(Translator.load(folder), prepared.validation)
        exact = sum(answer.exact for answer in answers)
        shown = np.linspace(0, len(answers) - 1, min(_EXAMPLES, len(answers))).astype(int)
        report.examples([answers[i] for i in shown])
        report.say(
            f"Exactly right: {exact:,} of {len(answers):,} validation sentences "
            f"({exact / len(answers):.1%})"
        )
        evaluation = {"sentences": len(answers), "exact": exact}
    write_evaluation(folder, evaluation)
    report.say("Next:")
    report.say("  " + command("decode.py", folder))
