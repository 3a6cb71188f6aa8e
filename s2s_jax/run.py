"""One training run, from what was asked for to a finished run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.training.train_state import TrainState
from jax.sharding import Mesh

from s2s_jax.allocation import keep_freed_memory
from s2s_jax.batching import Examples, choose_buckets, num_batches
from s2s_jax.checkpointing import Progress, open_steps, restore_state, save_step
from s2s_jax.compilation import keep_compiled_programs
from s2s_jax.config import RunConfig
from s2s_jax.devices import agreed_signal, is_main, is_same_everywhere, start, wait_for_all
from s2s_jax.errors import UserError
from s2s_jax.evaluation import answer
from s2s_jax.interrupts import catch_interrupts
from s2s_jax.models import Seq2Seq
from s2s_jax.parallel import replicate
from s2s_jax.planning import Request, choose_folder, configure, extend, saved_run
from s2s_jax.preparation import Prepared
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

_EXAMPLES = 10


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
    saved = saved_run(request, folder)
    config, prepared = configure(request, saved, report.console.is_terminal)
    run = Run(config, prepared.source_vocabulary, prepared.target_vocabulary)
    training, validation = prepared.encode(prepared.training), prepared.encode(prepared.validation)
    model = Seq2Seq(config.model, dtype=getattr(jnp, config.train.precision))
    state, progress = make_state(model, config.train), Progress()
    _begin(folder, run, new=saved is None)
    with open_steps(folder, writable=True) as manager:
        if manager.latest_step() is not None:
            state, progress = _restore(manager, state)
            config = extend(config, progress, finished=(folder / EVALUATION).exists())
            if is_main():
                write_config(folder, config)
                (folder / EVALUATION).unlink(missing_ok=True)
        if not is_same_everywhere(f"{config} {progress.step}"):
            raise UserError("the processes differ in data or flags; give all of them the same.")
        _say_opening(report, config, prepared, training, folder, progress, state.params, mesh)

        def save(state: TrainState, progress: Progress, val_loss: float | None) -> None:
            save_step(manager, state.params, state.opt_state, progress, val_loss)
            if is_main():
                write_metrics(folder, progress.history)

        signum = _fit(report, config, state, progress, training, validation, save, mesh)
    if signum is not None:
        flags = [] if request.data.get("data") is None else ["--data", config.data.data]
        report.say(f"Stopped; what was reached is saved in {folder}. To go on:")
        report.say("  " + command("train.py", folder, *flags, "--resume"))
        return 128 + signum
    _say_closing(report, folder, prepared)
    return 0


def _begin(folder: Path, run: Run, new: bool) -> None:
    """Makes the folder of a new run, once for all processes."""
    # Until now each of them has looked at what was there before.
    wait_for_all("planned")
    if new and is_main():
        create_run(folder, run)
    wait_for_all("begun")
    if not holds_run(folder):
        raise UserError(
            f"process {jax.process_index()} does not find {folder}, which process 0 has made; "
            "--out must lie on a file system that all processes share."
        )


def summarize(request: Request, report: TrainingReport) -> int:
    """Prints the model that `train` would train; writes nothing."""
    folder = choose_folder(request)
    saved = read_run(folder) if request.resume and holds_run(folder) else None
    config, prepared = configure(request, saved, report.console.is_terminal)
    bucket = choose_buckets(prepared.encode(prepared.training).lengths())[-1]
    report.say(summary(config.model, config.train.batch_size, bucket))
    return 0


def _restore(manager: Any, state: TrainState) -> tuple[TrainState, Progress]:
    """The latest step of a run, on the device."""
    params, opt_state, progress = restore_state(
        manager, manager.latest_step(), state.params, state.opt_state
    )
    params, opt_state = jax.device_put((params, opt_state))
    return state.replace(
        params=params, opt_state=opt_state, step=jnp.int32(progress.step)
    ), progress


def _say_opening(
    report: TrainingReport,
    config: RunConfig,
    prepared: Prepared,
    training: Examples,
    folder: Path,
    progress: Progress,
    params: Any,
    mesh: Mesh | None,
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
    rows.append(("Device", device_text(mesh)))
    rows.append(("Run folder", str(folder)))
    if progress.step:
        reached = f"{progress.epoch} epochs"
        reached += f" and {progress.batch} batches" if progress.batch else ""
        rows.append(("Resumed", f"after {reached}, up to epoch {config.train.epochs}"))
    report.opening(rows)


def _fit(
    report: TrainingReport,
    config: RunConfig,
    state: TrainState,
    progress: Progress,
    training: Examples,
    validation: Examples,
    save: Any,
    mesh: Mesh | None,
) -> int | None:
    """Trains under the progress bar; the number of the signal that ended it, if one did."""
    batches = num_batches(training, config.train.batch_size)
    state = replicate(state, mesh)
    with catch_interrupts() as interrupt:
        signal = agreed_signal(lambda: interrupt.signum)
        report.should_stop = lambda: signal() is not None
        report.start(batches, config.train.epochs, progress)
        data = (training, validation)
        try:
            fit(state, progress, *data, config.train, save=save, listener=report, mesh=mesh)
        finally:
            report.stop()
        return signal(now=True)


def _say_closing(report: TrainingReport, folder: Path, prepared: Prepared) -> None:
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
    if is_main():
        write_evaluation(folder, evaluation)
    report.say("Next:")
    report.say("  " + command("decode.py", folder))
