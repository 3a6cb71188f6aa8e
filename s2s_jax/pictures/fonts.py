"""Fonts for any script, found among those installed by the characters that they have."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterable
from pathlib import Path

from s2s_jax.errors import RunWarning
from s2s_jax.runtime.files import shown

_BUNDLED = "DejaVu Sans"  # Comes with matplotlib.
_NAMED = 3  # Characters named where no font has them.


def families_for(texts: Iterable[str]) -> dict[str, list[str]]:
    """The font families to draw each text with, best first.

    A font that has all of a text comes first: marks combine only with letters of the same font.

    Warns:
      RunWarning: of characters that no installed font has, which are drawn as boxes.
    """
    from matplotlib.font_manager import fontManager

    texts = list(dict.fromkeys(texts))
    missing, chosen = set().union(*texts), dict[str, frozenset[str]]()
    for path in _font_files():
        family, characters = _coverage(path)
        if missing & characters:
            missing -= characters
            chosen[family] = characters
            fontManager.addfont(path)
        if not missing:
            break
    families = {
        text: sorted(chosen, key=lambda family: len(set(text) - chosen[family])) or [_BUNDLED]
        for text in texts
    }
    if missing:
        _warn_of(sorted(missing))
    return families


def _warn_of(missing: list[str]) -> None:
    from fontTools import unicodedata  # Which matplotlib brings.

    names = (unicodedata.script_name(unicodedata.script(c)) for c in missing)
    scripts = ", ".join(dict.fromkeys(names))
    named = " ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
    said = (
        f"no installed font has the script {scripts} ({shown(named)}), which is drawn as boxes; "
        "install one, such as Noto Sans, or Symbola for emoji (coloured ones cannot be drawn)"
    )
    warnings.warn(RunWarning(said), stacklevel=5)


def _font_files() -> list[str]:
    """matplotlib's own font, then those installed: plain ones first, each by its name."""
    from matplotlib import get_data_path
    from matplotlib.font_manager import findSystemFonts

    def rank(path: str) -> tuple[bool, bool, str]:
        name = Path(path).stem
        return "Regular" not in name, "Sans" not in name, name

    # A "last resort" font claims every character, and draws boxes.
    installed = (path for path in findSystemFonts() if "LastResort" not in path)
    bundled = Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return [str(bundled), *sorted(installed, key=rank)]


@functools.cache
def _coverage(path: str) -> tuple[str, frozenset[str]]:
    """The family of a font and its characters; none if it cannot be drawn with."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
    except (OSError, RuntimeError):  # Damaged.
        return "", frozenset()
    if not font.scalable:  # Of pictures in fixed sizes, as coloured emoji are.
        return "", frozenset()
    return font.family_name, frozenset(map(chr, font.get_charmap()))
