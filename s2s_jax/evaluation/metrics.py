"""How near answers are to their references; knows no model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple


class Metric(NamedTuple):
    """A score of sacrebleu, from 0 to 100, and the signature that says how it was computed."""

    score: float
    signature: str


def edit_distance(a: str, b: str) -> int:
    """The fewest insertions, deletions and substitutions of characters that turn `a` into `b`.

    A column of Levenshtein's table is held as the bits of two integers, where it rises and
    where it falls (Myers 1999; in the form of Hyyrö 2003, section 3).
    """
    if not a or not b:
        return len(a) + len(b)
    places: dict[str, int] = {}
    for i, character in enumerate(a):
        places[character] = places.get(character, 0) | 1 << i
    everywhere, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    rises, falls, distance = everywhere, 0, len(a)
    for character in b:
        here = places.get(character, 0)
        diagonal = (((here & rises) + rises) ^ rises) | here | falls
        right_rises = falls | ~(diagonal | rises)
        right_falls = rises & diagonal
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises = right_rises << 1 | 1
        rises = (right_falls << 1 | ~(diagonal | right_rises)) & everywhere
        falls = right_rises & diagonal & everywhere
    return distance


def character_errors(decoded: str, references: Sequence[str]) -> tuple[int, int]:
    """Edit distance to the closest reference (the first of equals), and that one's length."""
    return min(
        ((edit_distance(decoded, reference), len(reference)) for reference in references),
        key=lambda found: found[0],
    )


def translation_metrics(
    decoded: Sequence[str], references: Sequence[Sequence[str]]
) -> dict[str, Metric]:
    """BLEU and chrF of a whole text by sacrebleu, each sentence with all its references.

    Returns:
      "chrf" and "bleu"; nothing where sacrebleu is not installed (extra `[eval]`).
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        return {}
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    # Streams: the first reference of each sentence, the second of each that has one, ...
    most = max(map(len, references))
    streams = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
    found = {}
    for name, metric in (("chrf", CHRF()), ("bleu", BLEU())):
        score = metric.corpus_score(list(decoded), streams).score
        found[name] = Metric(round(score, 4), str(metric.get_signature()))
    return found
