"""What a person at the terminal sees of a training run; plain lines where nobody looks."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from s2s_jax.batching import Bucket
from s2s_jax.checkpointing import Progress as TrainingProgress
from s2s_jax.corpus import Corpus
from s2s_jax.evaluation import Answer

_LOG_WIDTH = 100  # Columns where nobody looks, so that a log's tables are not squeezed.


class TrainingReport:
    """Prints a run: the opening lines, a bar, a line per epoch, the closing table.

    It is a `training.Listener`, apart from `should_stop`.
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
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not (self.console.is_terminal or self.console.is_jupyter),
            # The first step of each shape compiles: a short window forgets it soon.
            speed_estimate_period=60,
        )
        self._task = self._bar.add_task(
            "",
            total=batches * epochs,
            completed=batches * progress.epoch + progress.batch,
            epoch=self._epoch(progress.epoch),
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
            epoch=self._epoch(progress.epoch),
            figures=f"loss {loss / tokens:.3f}  accuracy {correct / tokens:.3f}",
        )

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """Prints one line for an epoch."""
        epoch = self._epoch(metrics["epoch"] - 1)
        text = f"epoch {epoch}  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.4f}"
        if "val_loss" in metrics:
            text += f"  val_loss {metrics['val_loss']:.4f}"
            text += f"  val_accuracy {metrics['val_accuracy']:.4f}"
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


def corpus_rows(data: str, corpus: Corpus, training: int, validation: int) -> list[tuple[str, str]]:
    """The opening lines about the pairs and what was skipped."""
    total = f"{len(corpus.pairs):,} pairs: {training:,} for training, {validation:,} for validation"
    rows = [("Data", data), ("Samples", total)]
    for reason, skipped in corpus.skipped.items():
        lines = ", ".join(map(str, skipped.first_lines))
        more = ", ..." if skipped.count > len(skipped.first_lines) else ""
        rows.append(("Skipped", f"{reason}: {skipped.count:,} (line {lines}{more})"))
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


def command(script: str, folder: Path, *more: str) -> str:
    """A command line to type next."""
    flag = "--checkpoint" if script == "decode.py" else "--out"
    return shlex.join(["python", script, flag, str(folder), *more])
