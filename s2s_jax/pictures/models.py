"""A model as a picture, or as Mermaid text for a README."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from s2s_jax.config import ModelConfig
from s2s_jax.pictures.diagram import Box, View, parameter_counts, three_views
from s2s_jax.pictures.drawing import FORMATS, new_figure, write_figure
from s2s_jax.runtime.files import write_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MERMAID = ".mmd"
SUFFIXES = (*FORMATS, MERMAID)
"""Of the files that a model is written to."""

_COLOURS = {  # Of each part, the ground and the line.
    "encoder": ("#eef6ff", "#0969da"),
    "decoder": ("#fff8e6", "#bf8700"),
    "": ("#f6f8fa", "#8c959f"),
}
_BOX, _STEP = (2.2, 0.66), (3.5, 1.05)  # Inches: width and height, and from one to the next.
_INK, _FAINT = "#1f2328", "#57606a"


def write_model(config: ModelConfig, path: Path) -> None:
    """Draws a model in the format that the name ends in, one of `SUFFIXES`.

    Raises:
      UserError: where matplotlib is needed but missing, or the file cannot be written.
    """
    if path.suffix.lower() == MERMAID:
        write_lines(path, mermaid(config))
    else:
        write_figure(draw_model(config), path)


def mermaid(config: ModelConfig) -> list[str]:
    """The lines of a flowchart of the three views; GitHub draws it in a block named mermaid."""
    counts = parameter_counts(config)
    lines = ["flowchart BT"]
    for number, view in enumerate(three_views(config)):
        lines += [f'  subgraph view{number}["{view.name}<br/>{view.about}"]', "    direction BT"]
        for box in view.boxes:
            text = "<br/>".join([box.title, *_details(box, counts)])
            lines.append(f'    {box.key}_{number}["{text}"]:::{box.part or "data"}')
        for source, target, label in view.arrows:
            said = f'-- "{label}" ' if label else ""
            lines.append(f"    {source}_{number} {said}--> {target}_{number}")
        lines.append("  end")
    for part, (ground, line) in _COLOURS.items():
        lines.append(f"  classDef {part or 'data'} fill:{ground},stroke:{line},color:{_INK}")
    return lines


def draw_model(config: ModelConfig) -> Figure:
    """The three views side by side; what is drawn in several is one set of weights."""
    views, counts = three_views(config), parameter_counts(config)
    columns = [1 + max(box.column for box in view.boxes) for view in views]
    rows = 1 + max(box.row for view in views for box in view.boxes)
    width, height = sum(columns) * _STEP[0], (rows + 1) * _STEP[1]
    figure = new_figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    left = 0
    for view, count in zip(views, columns, strict=True):
        _draw_view(axes, view, left * _STEP[0], counts)
        middle = (left + count / 2) * _STEP[0]
        top = rows * _STEP[1] + 0.3
        axes.text(middle, top + 0.3, view.name, ha="center", weight="bold", color=_INK)
        axes.text(middle, top, view.about, ha="center", color=_FAINT, fontsize=9)
        left += count
        if left < sum(columns):
            axes.axvline(left * _STEP[0], ymin=0.05, color="#d0d7de")
    total = f"{sum(counts.values()):,} parameters; boxes that are alike are one set of weights"
    axes.text(width / 2, 0, total, ha="center", va="top", color=_FAINT)
    return figure


def _draw_view(axes: Axes, view: View, left: float, counts: dict[str, int]) -> None:
    from matplotlib.patches import FancyBboxPatch

    places = {}
    for box in view.boxes:
        x, y = left + (box.column + 0.5) * _STEP[0], (box.row + 0.6) * _STEP[1]
        places[box.key] = (x, y)
        ground, line = _COLOURS[box.part]
        corner = (x - _BOX[0] / 2, y - _BOX[1] / 2)
        shape = "round,pad=0,rounding_size=0.1"
        axes.add_patch(
            FancyBboxPatch(corner, *_BOX, boxstyle=shape, facecolor=ground, edgecolor=line)
        )
        lines = [box.title, *_details(box, counts)]
        for number, text in enumerate(lines):
            at = y + (len(lines) - 1 - 2 * number) * 0.09
            size = 7 if number else 10
            axes.text(x, at, text, ha="center", va="center", fontsize=size, color=_INK)
    for source, target, label in view.arrows:
        _draw_arrow(axes, places[source], places[target], label)


def _draw_arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], label: str
) -> None:
    """Up within a column; from side to side between two, with its label along the line."""
    upright, far = start[0] == end[0], end[1] - start[1] > 1.5 * _STEP[1]
    half = (_BOX[0] / 2, _BOX[1] / 2)
    tail, head = (start[0] + half[0], start[1]), (end[0] - half[0], end[1])
    if upright:
        tail, head = (start[0], start[1] + half[1]), (end[0], end[1] - half[1])
    if upright and far:  # Past the box between them.
        tail, head = (start[0] + half[0], start[1]), (end[0] + half[0], end[1])
    bend = "arc3,rad=0.35" if upright and far else "arc3"
    arrow = {"arrowstyle": "-|>", "color": _FAINT, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=head, xytext=tail, arrowprops={**arrow, "connectionstyle": bend})
    if label:
        # Nearer to its tail, where arrows that cross have not met.
        x, y = (0.65 * a + 0.35 * b for a, b in zip(tail, head, strict=True))
        ground = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(x, y, label, ha="center", va="center", fontsize=7, color=_FAINT, bbox=ground)


def _details(box: Box, counts: dict[str, int]) -> list[str]:
    """The lines below a box's title."""
    count = [f"{counts[box.key]:,} parameters"] if box.key in counts else []
    return [line for line in (box.detail, *count) if line]
