"""The one place where progress bars are assembled."""

from __future__ import annotations

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

_NOTEBOOK_WIDTH = 79  # Columns; where a line is wider than its cell, Jupyter adds a scroll bar.
_SPEED_WINDOW = 60  # Seconds; a short window soon forgets the time that compiling took.


def progress_bar(
    *figures: ProgressColumn | str, console: Console | None = None, enabled: bool = True
) -> Progress:
    """A bar between a task's description and its figures, which disappears when it ends.

    with progress_bar() as bar:
        task = bar.add_task("evaluating", total=len(pairs))
        bar.advance(task, 100)

    It is drawn on a terminal or in a notebook; elsewhere the same calls print nothing.

    Args:
      figures: columns behind the bar; the percentage and the time left by default.
      console: where to draw; stderr by default.
      enabled: false never draws.
    """
    console = console or Console(stderr=True)
    if console.is_jupyter:
        console.width = _NOTEBOOK_WIDTH
    return Progress(
        TextColumn("{task.description}", markup=False),  # A file name may contain brackets.
        BarColumn(),
        *(figures or (TaskProgressColumn(), TimeRemainingColumn())),
        console=console,
        transient=True,
        disable=not (enabled and (console.is_terminal or console.is_jupyter)),
        speed_estimate_period=_SPEED_WINDOW,
    )
