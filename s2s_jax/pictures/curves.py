"""Runs as a picture: their losses, errors and learning rates, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from s2s_jax.errors import UserError
from s2s_jax.pictures.drawing import new_figure
from s2s_jax.pictures.fonts import families_for
from s2s_jax.runs.history import best_epoch, read_evaluation, read_history
from s2s_jax.runtime.files import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RUNS = 10
"""In one picture: more colours cannot be told apart."""

_PANEL = (3.6, 3.0)  # Inches.
_LONGEST_NAME = 40

Epoch = Mapping[str, Any]
"""The metrics of an epoch, as a line of `metrics.jsonl`."""


class Curves(NamedTuple):
    """A run to draw."""

    name: str  # For the legend.
    history: Sequence[Epoch]
    evaluation: Mapping[str, Any] = {}  # The figures of the finished run; empty before.


class _Panel(NamedTuple):
    """A figure over the epochs: of the training part, dashed, and of the validation part."""

    title: str
    training: str
    validation: str
    convert: Callable[[float], float] = float


_PER_CHARACTER = _Panel("nats per character", "nats_per_character", "val_nats_per_character")
_PER_TOKEN = _Panel("nats per unit", "loss", "val_loss")
_WRONG_ANSWERS = _Panel("wrong answers, %", "", "val_error", lambda share: 100 * share)
_WRONG_UNITS = _Panel(
    "wrong units given those before, %", "accuracy", "val_accuracy", lambda share: 100 * (1 - share)
)
_RATE = _Panel("learning rate", "learning_rate", "")


def read_curves(folder: Path) -> Curves:
    """What a run folder has to draw.

    Raises:
      UserError: when it has no finished epoch, or is damaged.
    """
    history = read_history(folder)
    if not history:
        raise UserError(f"{folder} has no metrics to draw: train a run for an epoch there first.")
    return Curves(str(folder), history, read_evaluation(folder))


def draw_curves(runs: Sequence[Curves]) -> Figure:
    """Loss, errors and learning rate of some runs, side by side; the best epochs are marked.

    Losses are in nats per character, by which runs with different units compare, if all of the
    runs say so. Errors are wrong answers where every run has measured them, otherwise units. Each
    run has an epoch at least.

    Raises:
      UserError: where matplotlib is missing, or there are too many runs to tell apart.
    """
    if len(runs) > MOST_RUNS:
        raise UserError(f"a picture can show {MOST_RUNS} runs, not {len(runs)}; give fewer.")
    panels = _panels(runs)
    figure = new_figure(_PANEL[0] * len(panels), _PANEL[1])
    for place, panel in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), place)
        for number, run in enumerate(runs):
            _draw_run(axes, panel, run, f"C{number}")
        _finish(axes, panel.title)
    figure.subplots_adjust(wspace=0.3)
    _add_legend(figure, runs)
    return figure


def _panels(runs: Sequence[Curves]) -> list[_Panel]:
    """What all of the runs have measured."""

    def measured(key: str) -> bool:
        return all(key in run.history[-1] for run in runs)

    loss = _PER_CHARACTER if measured("nats_per_character") else _PER_TOKEN
    errors = _WRONG_ANSWERS if measured("val_error") else _WRONG_UNITS
    return [loss, errors, *([_RATE] if measured("learning_rate") else [])]


def _draw_run(axes: Axes, panel: _Panel, run: Curves, colour: str) -> None:
    """A solid line for the part that the run is judged by, and a dashed one for the other."""
    epochs = [epoch["epoch"] for epoch in run.history]
    keys = [key for key in (panel.validation, panel.training) if key in run.history[-1]]
    for key, style in zip(keys, ("-", "--"), strict=False):
        figures = (epoch.get(key) for epoch in run.history)
        # A gap where one was not finite.
        values = [math.nan if figure is None else panel.convert(figure) for figure in figures]
        dot = "." if len(epochs) == 1 else ""  # A line of one point cannot be seen.
        axes.plot(epochs, values, style, color=colour, marker=dot)
        if style == "-" and panel is not _RATE:
            best = best_epoch(run.history)
            axes.plot(best, values[best - 1], "o", color=colour)


def _finish(axes: Axes, title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, fontsize=10)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.grid(color="#d0d7de", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _add_legend(figure: Figure, runs: Sequence[Curves]) -> None:
    """A line of the legend for each run, below the panels."""
    from matplotlib.lines import Line2D

    labels = [_described(run) for run in runs]
    handles = [
        Line2D([], [], color=f"C{number}", marker="o", label=text)
        for number, text in enumerate(labels)
    ]
    if any("val_loss" in run.history[-1] for run in runs):
        handles.append(Line2D([], [], color="grey", linestyle="--", label="training part"))
    families = families_for(labels)
    legend = figure.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.05), frameon=False
    )
    for text, entry in zip(labels, legend.get_texts(), strict=False):
        entry.set(parse_math=False)
        entry.set_fontfamily(families[text])


def _described(run: Curves) -> str:
    """A run in a line: its name, its best epoch, and how good it is."""
    text = f"{shown(run.name, _LONGEST_NAME)}: best epoch {best_epoch(run.history)}"
    text += f" of {len(run.history)}"
    chrf, exact, sentences = (run.evaluation.get(key) for key in ("chrf", "exact", "sentences"))
    if isinstance(chrf, float):
        text += f", chrF {chrf:.1f}"
    if sentences:
        text += f", {exact / sentences:.1%} of {sentences:,} answers right"
    return text
