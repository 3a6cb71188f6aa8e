"""An answer unit by unit: how likely each was, and what attention looked at."""

from __future__ import annotations

import math
import unicodedata
from typing import NamedTuple

import numpy as np
import regex
from jaxtyping import Float

from s2s_jax.decoding.alignment import align
from s2s_jax.decoding.translation import Translation
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

MOST_UNITS = 150
"""Of a source or an answer; a picture of more could not be read."""

_LONGEST_LABEL = 24


class ExplainedAnswer(NamedTuple):
    """An answer and what the model says of each of its units."""

    text: str  # The source.
    source: tuple[str, ...]  # Its units, as the model read them.
    target: tuple[str, ...]  # The units of the answer, with `<eos>` unless it was cut off.
    probabilities: tuple[float, ...]  # Of each of these, given the source and those before.
    weights: Float[np.ndarray, "target source"] | None  # As in `Alignment`; None without attention.
    joiner: str = ""  # What stands between the units of the answer, see `Tokenizer`.


def explain(translator: Translator, translation: Translation) -> ExplainedAnswer:
    """What the model says of its best answer to a text, which was decoded with `scores`.

    Raises:
      UserError: for an answer without units, as to a source without a known symbol, and for one
        that is too long to be read in a picture.
    """
    best, text = translation.n_best[0], translation.source
    if not best.tokens:
        raise UserError(f"training saw no symbol of {shown(text, 60)!r}; there is nothing to draw.")
    if translator.run.config.model.attention == "none":
        source, weights = (), None
    else:
        source, _, weights = align(translator, text, best.tokens)
    for side, units in (("source", source), ("answer", best.tokens)):
        if len(units) > MOST_UNITS:
            raise UserError(
                f"a picture can show {MOST_UNITS} units, but the {side} of {shown(text, 40)!r} has "
                f"{len(units)}; give a shorter text."
            )
    probabilities = tuple(map(math.exp, best.log_probs))
    joiner = translator.run.target_vocabulary.tokenizer.joiner
    return ExplainedAnswer(text, source, best.tokens, probabilities, weights, joiner)


def label(unit: str) -> str:
    """A unit as it can stand alone: white space is visible, and a mark stands on a circle."""
    text = "".join("␣" if unicodedata.category(c) == "Zs" else c for c in unit)
    if text and unicodedata.category(text[0]).startswith("M"):
        text = f"\N{DOTTED CIRCLE}{text}"
    return shown(text, _LONGEST_LABEL)


def is_turned(label: str) -> bool:
    """Whether a label above a column is turned, as it is longer than two characters.

    A syllable of Devanagari or an emoji is one, of however many code points.
    """
    return len(regex.findall(r"\X", label)) > 2


def is_right_to_left(text: str) -> bool:
    """Whether a text is written from right to left, by its first letter that has a direction."""
    directions = (unicodedata.bidirectional(character) for character in text)
    return next((way for way in directions if way in ("L", "R", "AL")), "L") != "L"
