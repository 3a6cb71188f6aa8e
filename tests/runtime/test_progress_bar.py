import io

import pytest
from rich.console import Console

from s2s_jax.runtime.progress_bar import progress_bar


def drawn(*figures, terminal, enabled=True, **fields):
    """All that a bar for half of the work prints."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with progress_bar(*figures, console=console, enabled=enabled) as bar:
        task = bar.add_task("reading [x].tsv", total=8, **fields)
        bar.advance(task, 4)
        bar.refresh()
    return console.file.getvalue()


def test_a_person_sees_what_is_done_and_the_bar_leaves_no_line():
    text = drawn(terminal=True)
    assert "reading [x].tsv" in text and "50%" in text
    assert text.endswith("\x1b[1A\x1b[2K")  # Up to the bar's line, and erased.


@pytest.mark.parametrize(("terminal", "enabled"), [(False, True), (True, False)])
def test_nobody_else_sees_anything(terminal, enabled):
    assert drawn(terminal=terminal, enabled=enabled) == ""


def test_other_figures_take_the_place_of_the_percentage():
    text = drawn("loss {task.fields[loss]}", terminal=True, loss=1.5)
    assert "loss 1.5" in text and "%" not in text
