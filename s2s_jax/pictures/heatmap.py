"""The picture of an answer: attention as a heat map, and the probability of every unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from s2s_jax.pictures.answers import ExplainedAnswer, is_right_to_left, is_turned, label
from s2s_jax.pictures.drawing import new_figure
from s2s_jax.pictures.fonts import families_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

_CELL = 0.22  # Inches.
_UNSURE = ("#e5484d", "#ffd84d", "#ffffff")  # Of probability 0, a half, and 1.


def draw(answer: ExplainedAnswer) -> Figure:
    """The units of the source from left to right, those of the answer from top to bottom.

    A source that is written from right to left is drawn so. Beside the answer stands how likely
    each of its units was, in per cent; without attention, that is all.

    Warns:
      RunWarning: where no installed font has some of the characters.

    Raises:
      UserError: where matplotlib is missing.
    """
    from matplotlib.colors import LinearSegmentedColormap

    height = len(answer.target) * _CELL
    columns = 0 if answer.weights is None else len(answer.source) + 1
    figure = new_figure((columns + 2) * _CELL, height)
    families = families_for([label(unit) for unit in (*answer.source, *answer.target)])
    unsure = LinearSegmentedColormap.from_list("unsure", _UNSURE)
    strip = _axes(figure, columns, 2, "%")
    strip.imshow(np.array(answer.probabilities)[:, None], unsure, vmin=0, vmax=1, aspect="auto")
    for row, probability in enumerate(answer.probabilities):
        strip.text(0, row, f"{100 * probability:.0f}", ha="center", va="center", fontsize=7)
    rows = strip
    if answer.weights is not None:
        strip.set_yticks([])
        rows = _axes(figure, 0, columns - 1, "")
        rows.imshow(answer.weights, "Blues", vmin=0, vmax=1, aspect="auto")
        _label(rows.xaxis, answer.source, families, upright=True)
        if is_right_to_left(answer.text):
            rows.invert_xaxis()
    _label(rows.yaxis, answer.target, families)
    return figure


def _axes(figure: Figure, left: int, columns: int, title: str) -> Axes:
    """Axes over all rows, from a column on."""
    width = figure.get_figwidth() / _CELL
    axes = figure.add_axes((left / width, 0, columns / width, 1))
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xticks([0], [title])
    for spine in axes.spines.values():
        spine.set_color("#8c959f")
    return axes


def _label(
    axis: Axis, units: Sequence[str], families: dict[str, list[str]], upright: bool = False
) -> None:
    """Names the units along an axis; of those that stand upright, long ones are turned."""
    texts = [label(unit) for unit in units]
    axis.set_ticks(range(len(texts)), texts, parse_math=False)
    for text, tick in zip(texts, axis.get_ticklabels(), strict=True):
        tick.set_fontfamily(families[text])
        tick.set_rotation(90 if upright and is_turned(text) else 0)
