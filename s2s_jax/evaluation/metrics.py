"""How near answers are to their references; knows no model."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Metric(NamedTuple):
    """A score of sacrebleu, from 0 to 100, and the signature that says how it was computed."""

    score: float
    signature: str


def edit_errors(
    decoded: Sequence[Hashable], references: Sequence[Sequence[Hashable]]
) -> tuple[int, int]:
    """The edit distance to the closest reference (the first of equals), and that one's length.

    Of strings the units are characters; of sequences, their elements.
    """
    from rapidfuzz.distance import Levenshtein  # Not needed to decode, which starts sooner.

    return min(
        ((Levenshtein.distance(decoded, r), len(r)) for r in references),
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
