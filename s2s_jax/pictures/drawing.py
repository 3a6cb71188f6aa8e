"""Figures of matplotlib, drawn without a display and written whole."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
"""The suffixes of the files that a figure is written to."""

_DOTS = 120  # An inch, in a PNG.


def check_suffix(option: str, path: Path, suffixes: Collection[str]) -> None:
    """Checks the format that the value of an option asks for, before there is anything to write.

    Raises:
      UserError: for another format, and where matplotlib is needed but missing.
    """
    if path.suffix.lower() not in suffixes:
        *others, last = suffixes
        wanted = f"{', '.join(others)} or {last}"
        raise UserError(f"`{option}` needs a file name that ends in {wanted}, not {path.name!r}.")
    if path.suffix.lower() in FORMATS:
        new_figure(1, 1)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches.

    It is made without pyplot, so that neither a display nor the user's backend matters.

    Raises:
      UserError: where matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure  # Here: it takes a second, and is an extra.
    except ImportError:
        raise UserError(
            "pictures need matplotlib; install it with: pip install matplotlib"
        ) from None
    return Figure(figsize=(width, height), facecolor="white")


def write_figure(figure: Figure, path: Path) -> None:
    """Writes a figure in the format that the name ends in."""
    with replacing(path) as temporary:
        save_figure(figure, temporary, path.suffix.lower()[1:])


def save_figure(figure: Figure, file: Path | BinaryIO, kind: str) -> None:
    """Saves a figure as "png" or "svg", with all that reaches over its edge."""
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "s2s_jax"}), warnings.catch_warnings():
        # Whoever chose the fonts has said which characters they lack.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(
            file, format=kind, dpi=_DOTS, bbox_inches="tight", pad_inches=0.15,
            # Equal figures make equal files: no random names, and no date.
            metadata={"Date": None} if kind == "svg" else None,
        )  # fmt: skip
