"""What a person at the terminal sees of a training run; plain lines where nobody looks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from s2s_jax.command_line import command
from s2s_jax.config import RunConfig, TrainConfig, files
from s2s_jax.data.batching import Batches, Bucket, Examples
from s2s_jax.data.corpus import Corpus
from s2s_jax.data.preparation import Prepared
from s2s_jax.data.vocabulary import SPECIALS
from s2s_jax.evaluation.evaluation import Answer, Evaluation, evaluation_lines
from s2s_jax.runtime.progress_bar import progress_bar
from s2s_jax.training.progress import TrainingProgress

_EXAMPLES = 10
_LOG_WIDTH = 100  # Columns where nobody looks, so that a log's tables are not squeezed.


class TrainingReport:
    """Prints a run: the opening lines, a bar, a line per epoch, the closing table.

    It is a `loop.Listener`.
    """

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = max(self.console.width, _LOG_WIDTH)
        self._bar: Progress | None = None

    def say(self, text: str) -> None:
        """One line, as it is."""
        self.console.print(Text(text))

    def opening(self, rows: Sequence[tuple[str, str]]) -> None:
        """The facts of a run, a name and a text each."""
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(name, Text(text))
        self.console.print(table, soft_wrap=False)

    def start(self, batches: int, epochs: int, progress: TrainingProgress) -> None:
        """Begins the bar; `batches` is the number of batches an epoch."""
        self._batches, self._epochs = batches, epochs
        self._bar = progress_bar(
            "{task.fields[figures]}", TimeRemainingColumn(), "left", console=self.console
        )
        self._task = self._bar.add_task(
            f"epoch {self._epoch(progress.epoch)}",
            total=batches * epochs,
            completed=batches * progress.epoch + progress.batch,
            figures="compiling",
        )
        self._bar.start()

    def stop(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def _epoch(self, done: int) -> str:
        return f"{min(done + 1, self._epochs):>{len(str(self._epochs))}}/{self._epochs}"

    def on_step(self, progress: TrainingProgress) -> None:
        """Moves the bar and shows the epoch's running loss and accuracy."""
        loss, correct, tokens = progress.sums
        tokens = max(tokens, 1)  # None yet, where every update so far was skipped.
        self._bar.update(
            self._task,
            completed=self._batches * progress.epoch + progress.batch,
            description=f"epoch {self._epoch(progress.epoch)}",
            figures=f"loss {loss / tokens:.3f}  accuracy {correct / tokens:.3f}",
        )

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """Prints one line for an epoch."""
        text = f"epoch {self._epoch(metrics['epoch'] - 1)}"
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            if name in metrics:
                text += f"  {name} {math.nan if metrics[name] is None else metrics[name]:.4f}"
        rate = metrics["target_tokens_per_second"]
        self.say(f"{text}  {metrics['seconds']:.1f} s  {rate:,.0f} tokens/s")
        if "skipped_updates" in metrics:
            self.say(
                f"  {metrics['skipped_updates']:,} updates skipped: their loss or gradient was not "
                "finite"
            )
        self._bar.update(self._task, completed=self._batches * metrics["epoch"])

    def examples(self, answers: Sequence[Answer]) -> None:
        """A table of source, reference and decoded; right answers are green."""
        table = Table(title="Validation sentences, never trained on", title_justify="left")
        for name in ("source", "reference", "decoded"):
            table.add_column(name, overflow="fold")
        for answer in answers:
            # Of several references the one that was met, if any.
            reference = answer.decoded if answer.exact else answer.references[0]
            style = "green" if answer.exact else ""
            table.add_row(Text(answer.source), Text(reference), Text(answer.decoded, style=style))
        self.console.print(table, soft_wrap=False)

    def evaluated(self, evaluation: Evaluation) -> None:
        """Some of the answers, from all over, and the figures about all of them."""
        answers = evaluation.answers
        shown = np.linspace(0, len(answers) - 1, min(_EXAMPLES, len(answers))).astype(int)
        self.examples([answers[i] for i in shown])
        for line in evaluation_lines(evaluation):
            self.say(line)

    def nothing_to_do(self, folder: Path, config: TrainConfig, progress: TrainingProgress) -> None:
        """Why a finished run is not trained, and what to type to train it longer."""
        reason = f"has the {progress.epoch} epochs asked for"
        if progress.epoch < config.epochs:
            reason = (
                f"stopped after {progress.epoch} of {config.epochs} epochs, the last "
                f"{config.patience} of them without a better loss"
            )
        self.say(f"Nothing to do: {folder} {reason}. To train it longer:")
        self.say("  " + command("train.py", folder, "--more", str(progress.epoch)))
        self.finished(folder)

    def finished(self, folder: Path) -> None:
        """What to type next."""
        self.say("Next:")
        self.say("  " + command("decode.py", folder))

    def stopped(self, folder: Path, *flags: str) -> None:
        """What to type to go on with a run that was stopped; `flags` name its data."""
        self.say(f"Stopped; what was reached is saved in {folder}. To go on:")
        self.say("  " + command("train.py", folder, *flags, "--resume"))


def opening_rows(
    config: RunConfig,
    prepared: Prepared,
    training: Batches,
    folder: Path,
    progress: TrainingProgress,
    params: Any,
    mesh: Mesh | None,
) -> list[tuple[str, str]]:
    """The opening lines of a run, a name and a text each.

    Args:
      config: of the run.
      prepared: its data.
      training: the batches of the training part.
      folder: the run folder.
      progress: what was reached, if the run is resumed.
      params: whose numbers are counted.
      mesh: the devices; None for one alone.
    """
    pairs = (len(prepared.training), len(prepared.validation))
    rows = corpus_rows(" ".join(files(config.data.data)), prepared.corpus, *pairs)
    rows += symbol_rows(prepared, training.examples)
    rows.append(("Shapes", buckets_text(training.buckets)))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    rows.append(("Parameters", f"{count:,} ({config.model.latent_dim} units)"))
    rows.append(("Device", device_text(mesh)))
    rows.append(("Run folder", str(folder)))
    if progress.step:
        reached = f"{progress.epoch} epochs"
        reached += f" and {progress.batch} batches" if progress.batch else ""
        rows.append(("Resumed", f"after {reached}, up to epoch {config.train.epochs}"))
    return rows + part_rows(prepared)


def symbol_rows(prepared: Prepared, training: Examples) -> list[tuple[str, str]]:
    """The opening lines about the symbols that texts are divided into."""
    sides = (prepared.source_vocabulary, prepared.target_vocabulary)
    source, target = (vocabulary.tokenizer.unit for vocabulary in sides)
    unique = [len(vocabulary) - len(SPECIALS) for vocabulary in sides]
    longest = training.lengths().max(axis=0) - (0, 1)
    if source == target:
        rows = [
            (f"Unique {target}", f"source {unique[0]:,}, target {unique[1]:,}"),
            ("Longest", f"source {longest[0]}, target {longest[1]} {target}"),
        ]
    else:
        rows = [
            ("Unique", f"source {unique[0]:,} {source}, target {unique[1]:,} {target}"),
            ("Longest", f"source {longest[0]} {source}, target {longest[1]} {target}"),
        ]
    unknown = [
        vocabulary.unknown_share(pair[side] for pair in prepared.validation)
        for side, vocabulary in enumerate(sides)
    ]
    if any(unknown):
        shares = f"source {unknown[0]:.2%}, target {unknown[1]:.2%} of the validation part"
        rows.append(("<unk>", f"{shares}; counted as wrong"))
    return rows


def corpus_rows(data: str, corpus: Corpus, training: int, validation: int) -> list[tuple[str, str]]:
    """The opening lines about the pairs and what was skipped."""
    total = f"{training + validation:,} pairs: {training:,} for training, {validation:,} for "
    rows = [("Data", data), ("Samples", total + "validation")]
    if corpus.form:
        rows.append(("Layout", corpus.form))
    return rows + [("Skipped", text) for text in corpus.skipped_texts()]


def part_rows(prepared: Prepared) -> list[tuple[str, str]]:
    """The opening lines about the parts that were given: what was skipped, and what leaks."""
    rows = []
    for name, part in prepared.parts.items():
        rows += [("Skipped", f"of the {name} part: {text}") for text in part.skipped_texts()]
        if leaks := prepared.leaks[name]:
            share = f"{leaks:,} of {len(part.pairs):,} pairs of the {name} part"
            rows.append(("Leaks", f"{share} have a source that is trained on"))
    return rows


def device_text(mesh: Mesh | None) -> str:
    """The devices that a run is trained on."""
    devices = jax.local_devices()[:1] if mesh is None else mesh.devices.flatten()
    kind, platform = devices[0].device_kind, devices[0].platform
    name = platform if kind == platform else f"{platform} ({kind})"
    of = f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{len(devices)} x {name}{of}, jax {jax.__version__}"


def buckets_text(buckets: Sequence[Bucket]) -> str:
    """The shapes that a training step is compiled for."""
    shapes = ", ".join(f"{b.source}+{b.target}" for b in buckets)
    return f"{len(buckets)} (source + target positions: {shapes})"
