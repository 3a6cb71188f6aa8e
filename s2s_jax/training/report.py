"""What a training run prints: bars and tables on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import datetime
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import ProgressColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from s2s_jax.command_line import command, counted
from s2s_jax.config import TrainConfig
from s2s_jax.evaluation.evaluation import Evaluation, evaluation_lines
from s2s_jax.evaluation.figures import Answer
from s2s_jax.runs.history import best_epoch
from s2s_jax.runtime.progress_bar import Bar, progress_bar, sparkline
from s2s_jax.training.fitting.progress import TrainingProgress, without_errors

_EXAMPLES = 10
_CURVE = 40  # Columns at most.
_BESIDE = 28  # Columns of the names and figures beside a curve.


class TrainingReport:
    """Prints a run: the opening lines, a bar, a line per epoch, the closing table."""

    def __init__(self, quiet: bool = False) -> None:
        # In Jupyter, where rich would give each line an area and a scroll bar of its own, lines are
        # plain output, and bars are drawn by another console. It calls itself a terminal.
        self._in_jupyter = Console().is_jupyter
        self.console = Console(
            highlight=False,
            soft_wrap=True,
            quiet=quiet,
            force_jupyter=False,
            force_terminal=False if self._in_jupyter else None,
        )
        self._history: list[dict[str, Any]] = []
        self._begun = time.monotonic()

    @property
    def is_watched(self) -> bool:
        """Whether a person looks, so that bars are drawn."""
        return (self.console.is_terminal or self._in_jupyter) and not self.console.quiet

    def bar(self, *figures: ProgressColumn | str) -> Bar:
        """A progress bar above the lines; for a person only."""
        console = self.console if self.console.is_terminal else None
        return progress_bar(*figures, console=console, enabled=self.is_watched)

    def say(self, text: str) -> None:
        """One line, as it is."""
        self.console.print(Text(text))

    def tell(self, text: str) -> None:
        """Sentences, which a terminal shows with no word cut in two."""
        self.console.print(Text(text), soft_wrap=not self.console.is_terminal)

    def opening(self, rows: Sequence[tuple[str, str]]) -> None:
        """The facts of a run, a name and a text each."""
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style="bold")
        table.add_column(overflow="fold")
        for name, text in rows:
            table.add_row(name, Text(text))
        self.console.print(table, soft_wrap=False)

    def chosen(self, recipe: str | None) -> None:
        """Which recipe was chosen, if one was, where it may surprise."""
        if recipe == "small":
            self.tell("Few pairs: --recipe small learns them; --recipe tutorial is the tutorial's.")

    def started(self, origin: str, val_loss: float | None) -> None:
        """Where the weights of a new run are from, and how well they do on its data."""
        loss = "" if val_loss is None else f"; val_loss before training {val_loss:.4f}"
        self.tell(f"Started from {origin}{loss}")

    @contextlib.contextmanager
    def training(self, batches: int, epochs: int, progress: TrainingProgress) -> Iterator[None]:
        """Shows the bar inside; `batches` is the number of batches an epoch."""
        self._batches, self._epochs, self._history = batches, epochs, [*progress.history]
        if not self.is_watched:
            self.say("Compiling, then training ...")
        with self.bar("{task.fields[figures]}", TimeRemainingColumn(), "left") as self._bar:
            self._task = self._bar.add_task(
                f"epoch {self._epoch(progress.epoch)}",
                total=batches * epochs,
                completed=batches * progress.epoch + progress.batch,
                figures="compiling",
            )
            yield

    def _epoch(self, done: int) -> str:
        return f"{min(done + 1, self._epochs):>{len(str(self._epochs))}}/{self._epochs}"

    def on_step(self, progress: TrainingProgress) -> None:
        """Moves the bar and shows the epoch's running loss and accuracy."""
        loss, correct, tokens = progress.sums
        tokens = max(tokens, 1)  # None yet, where every update so far was skipped.
        ended = "  validating" if progress.batch == self._batches else ""
        self._bar.update(
            self._task,
            completed=self._batches * progress.epoch + progress.batch,
            description=f"epoch {self._epoch(progress.epoch)}",
            figures=f"loss {loss / tokens:.3f}  accuracy {correct / tokens:.3f}{ended}",
        )

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """Prints one line for an epoch, which fits a narrow terminal; `metrics.jsonl` has all."""
        text = f"epoch {self._epoch(metrics['epoch'] - 1)}"
        second = "val_error" if "val_error" in metrics else "val_accuracy"
        judged = ("val_loss", second) if "val_loss" in metrics else ("accuracy",)
        for name in ("loss", *judged):
            text += f"  {name} {math.nan if metrics[name] is None else metrics[name]:.4f}"
        seconds = metrics["seconds"]
        text += f"  {seconds:.1f} s" if seconds < 100 else f"  {seconds:.0f} s"
        self._history.append(metrics)
        best = best_epoch(self._history) == len(self._history)
        self.say(text + ("  best" if best else ""))
        if "skipped_updates" in metrics:
            self.say(
                f"  {metrics['skipped_updates']:,} updates skipped: their loss or gradient was not "
                "finite"
            )
        if self.console.is_terminal and not self.console.options.ascii_only:
            self._bar.below = curve_lines(self._history, self.console.width)
        self._bar.update(self._task, completed=self._batches * metrics["epoch"])

    def examples(self, title: str, answers: Sequence[Answer]) -> None:
        """A table of source, reference and decoded; right answers are green."""
        table = Table(title=title, title_justify="left")
        for name in ("source", "reference", "decoded"):
            table.add_column(name, overflow="fold")
        for answer in answers:
            # Of several references the one that was met, if any.
            reference = answer.decoded if answer.exact else answer.references[0]
            style = "green" if answer.exact else ""
            table.add_row(Text(answer.source), Text(reference), Text(answer.decoded, style=style))
        self.console.print(table, soft_wrap=False)

    def evaluated(self, title: str, evaluation: Evaluation) -> None:
        """Some of the answers, from all over, and the figures about all of them."""
        answers = evaluation.answers
        shown = np.linspace(0, len(answers) - 1, min(_EXAMPLES, len(answers))).astype(int)
        self.examples(title, [answers[i] for i in shown])
        for line in evaluation_lines(evaluation):
            self.tell(line)

    def nothing_to_do(self, folder: Path, config: TrainConfig, progress: TrainingProgress) -> None:
        """Says why a finished run is not trained, and which command trains it longer."""
        epochs = counted(progress.epoch, "epoch")
        reason = f"has the {epochs} asked for"
        if progress.epoch > config.epochs:
            reason = f"has {epochs}, more than the {config.epochs:,} asked for"
        if progress.epoch < config.epochs:
            reason = f"stopped {_early(config, progress)}"
        self.tell(f"Nothing to do: {folder} {reason}. To train it longer:")
        self.say("  " + command("train.py", folder, "--more", str(progress.epoch)))
        self.finished(folder)

    def ended(self, config: TrainConfig, progress: TrainingProgress) -> None:
        """Says why training has ended before its last epoch, if it has."""
        if self._history and progress.epoch < config.epochs:
            self.tell(f"Stopped {_early(config, progress)}.")

    def finished(self, folder: Path, sources: Sequence[str] = ()) -> None:
        """Prints the time it took and the next command, with sources that the model knows."""
        if self._history:
            taken = datetime.timedelta(seconds=round(time.monotonic() - self._begun))
            best, epochs = best_epoch(self._history), counted(len(self._history), "epoch")
            self.say(f"Total time: {taken}; the best of {epochs} is number {best:,}.")
        self.say("Next:")
        self.say("  " + command("decode.py", folder, *sources))

    def stopped(self, folder: Path) -> None:
        """Prints the command that resumes a stopped run."""
        self.tell(f"Stopped; what was reached is saved in {folder}. To resume:")
        self.say("  " + command("train.py", folder, "--resume"))


def _early(config: TrainConfig, progress: TrainingProgress) -> str:
    """When and why a run ended before its last epoch."""
    why = f"at the end of its --patience {config.patience}"
    if without_errors(progress):
        why = "the last two without a wrong answer to the validation part"
    return f"after {progress.epoch} of {counted(config.epochs, 'epoch')}, {why}"


def curve_lines(history: Sequence[Mapping[str, Any]], width: int) -> tuple[str, ...]:
    """The losses of two epochs or more as small curves, a line of some width for each part."""
    key = "nats_per_character" if "nats_per_character" in history[-1] else "loss"
    lines = []
    for part, name in (("training", key), ("validation", f"val_{key}")):
        values = [epoch[name] for epoch in history if epoch.get(name) is not None]
        if len(values) > 1:
            curve = sparkline(values, max(1, min(_CURVE, width - _BESIDE)))
            lines.append(f"{part:<10} {values[0]:7.3f} {curve} {values[-1]:.3f}")
    return tuple(lines)
