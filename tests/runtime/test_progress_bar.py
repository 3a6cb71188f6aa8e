import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from s2s_jax.runtime.progress_bar import progress_bar, sparkline


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


@given(st.lists(st.floats(-1e9, 1e9), min_size=1), st.integers(1, 50))
def test_a_sparkline_keeps_its_width_and_the_order_of_its_values(values, width):
    text = sparkline(values, width)
    assert 0 < len(text) <= width
    if len(values) <= width:
        assert len(text) == len(values)
        for (a, x), (b, y) in zip(zip(values, text), zip(values[1:], text[1:])):  # noqa: B905
            assert x <= y if a <= b else x >= y  # The blocks stand in the order of their heights.


def test_a_sparkline_goes_from_the_bottom_to_the_top():
    assert sparkline([3.0, 2.0, 1.0], 10) == "█▅▁"
    assert sparkline([1.0], 10) == "▁"
    assert sparkline(list(range(100)), 5)[-1] == "█"  # The last value is always there.


def test_lines_below_a_bar_are_cut_not_wrapped_and_leave_with_it():
    console = Console(file=io.StringIO(), force_terminal=True, width=40)
    with progress_bar(console=console) as bar:
        bar.add_task("x", total=1)
        bar.below = ("loss " + "▁" * 100,)
        bar.refresh()
    text = console.file.getvalue()
    assert "loss ▁" in text and "▁" * 40 not in text
    assert text.endswith("\x1b[1A\x1b[2K" * 2)
