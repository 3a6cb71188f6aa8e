"""How close answers are to their references; knows no model."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import re
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, cast

_KANA = re.compile("[\u3041-\u30ff]")
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_ENOUGH = 10_000  # References, to tell their script.


class Metric(NamedTuple):
    """A score of sacrebleu, from 0 to 100, and the signature that says how it was computed."""

    score: float
    signature: str


def edit_errors(
    decoded: Sequence[Hashable], references: Sequence[Sequence[Hashable]]
) -> tuple[int, int]:
    """The edit distance to the closest reference (the first of equals), and that one's length.

    The units are the characters of strings, the elements of other sequences.
    """
    from rapidfuzz.distance import Levenshtein  # Here, so that decoding starts sooner.

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
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        return {}
    logging.getLogger("sacrebleu").setLevel(logging.ERROR)
    # Streams: the first reference of each sentence, the second of each that has one, ...
    most = max(map(len, references))
    streams = [[row[i] if i < len(row) else None for row in references] for i in range(most)]
    bleu = BLEU(tokenize=bleu_tokenizer(itertools.chain.from_iterable(references)))
    found = {}
    for name, metric in (("chrf", CHRF()), ("bleu", bleu)):
        score = metric.corpus_score(decoded, cast(list[list[str]], streams)).score
        found[name] = Metric(round(score, 4), str(metric.get_signature()))
    return found


def bleu_tokenizer(references: Iterable[str]) -> str:
    """The tokenizer of sacrebleu that divides references into words, by their script.

    Chinese and Japanese have no spaces, where its default ("13a") expects some. Japanese is
    divided at characters if MeCab is not installed (`pip install "sacrebleu[ja]"`).
    """
    text = "".join(itertools.islice(references, _ENOUGH))
    kana, han = len(_KANA.findall(text)), len(_HAN.findall(text))
    if kana + han <= sum(map(str.isalpha, text)) / 2:
        return "13a"
    if kana < (kana + han) / 10:
        return "zh"
    has_mecab = all(importlib.util.find_spec(name) for name in ("MeCab", "ipadic"))
    return "ja-mecab" if has_mecab else "char"
