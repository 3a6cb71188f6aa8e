"""What a finished run shows of itself in its folder: its curves and its card."""

from __future__ import annotations

import contextlib
import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path

from s2s_jax.errors import RunWarning, UserError
from s2s_jax.pictures import CARD, CURVES
from s2s_jax.pictures.card import is_ours, write_card
from s2s_jax.pictures.curves import draw_curves, read_curves
from s2s_jax.pictures.drawing import write_figure
from s2s_jax.runs.history import read_history


def present(folder: Path, facts: Mapping[str, str]) -> None:
    """Writes the curves, where matplotlib is installed, and the card of a finished run.

    Warns:
      RunWarning: what cannot be written; the run is whole without it.
    """
    for write in (_write_curves, lambda folder: write_card(folder, facts)):
        try:
            write(folder)
        except UserError as error:
            warnings.warn(RunWarning(f"the run is finished, but {error}"), stacklevel=2)


def _write_curves(folder: Path) -> None:
    if importlib.util.find_spec("matplotlib") and read_history(folder):
        write_figure(draw_curves([read_curves(folder)]), folder / CURVES)


def withdraw(folder: Path) -> None:
    """Removes the curves and the card, which training makes out of date."""
    with contextlib.suppress(OSError):
        (folder / CURVES).unlink(missing_ok=True)
        if is_ours(folder / CARD):
            (folder / CARD).unlink(missing_ok=True)
