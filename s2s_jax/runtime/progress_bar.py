"""The one place where progress bars are assembled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_NOTEBOOK_WIDTH = 79  # Columns; where a line is wider than its cell, Jupyter adds a scroll bar.
_SPEED_WINDOW = 60  # Seconds; a short window soon forgets the time that compiling took.
_BLOCKS = "▁▂▃▄▅▆▇█"


class Bar(Progress):
    """A progress bar with lines of text below it.

    Attributes:
      below: the lines.
    """

    below: tuple[str, ...] = ()

    def stop(self) -> None:
        if not self.disable:  # rich 14.1 ends what it has not drawn with an empty line.
            super().stop()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(line, no_wrap=True, overflow="crop") for line in self.below)


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve of block characters, the lowest value at the bottom.

    Args:
      values: finite numbers, at least one.
      width: the most characters; of more values some stand for all, the last among them.
    """
    skip = -(-len(values) // width)
    drawn = values[::-1][::skip][::-1]
    low, high = min(drawn), max(drawn)
    scale = (len(_BLOCKS) - 1) / ((high - low) or 1)
    return "".join(_BLOCKS[round((value - low) * scale)] for value in drawn)


def progress_bar(
    *figures: ProgressColumn | str, console: Console | None = None, enabled: bool = True
) -> Bar:
    """A bar between a task's description and its figures, which disappears when it ends.

    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(pairs))
        bar.advance(task, 100)

    It is drawn on a terminal or in a notebook; elsewhere the same calls print nothing.

    Args:
      figures: columns after the bar; the percentage and the time left by default.
      console: where to draw; stderr by default.
      enabled: false never draws.
    """
    console = console or Console(stderr=True)
    if console.is_jupyter:
        console.width = _NOTEBOOK_WIDTH
    return Bar(
        TextColumn("{task.description}", markup=False),  # A file name may contain brackets.
        BarColumn(),
        *(figures or (TaskProgressColumn(), TimeRemainingColumn())),
        console=console,
        transient=True,
        disable=not (enabled and (console.is_terminal or console.is_jupyter)),
        speed_estimate_period=_SPEED_WINDOW,
    )
