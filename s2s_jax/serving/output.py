"""Answers as lines of output: plain, with scores, or JSON."""

from __future__ import annotations

import json
from typing import Any

from s2s_jax.decoding.translator import Hypothesis, Translation

_DECIMALS = 6  # What single precision holds.


def problems_of(translation: Translation, problem: str | None) -> list[str]:
    """What was wrong with the input or the answer, in words."""
    found = [] if problem is None else [problem]
    if translation.unseen:
        found.append(f"training never saw {' '.join(map(repr, translation.unseen))}")
    if not translation.complete:
        found.append("the answer was cut off; raise --max-length")
    return found


def plain_line(translation: Translation, n_best: int, scores: bool) -> str:
    """The answers side by side, separated by tabs; each with its scores behind it, if asked for.

    Every line has as many columns, also where there is nothing to say.
    """
    columns = []
    for hypothesis in translation.n_best[:n_best]:
        columns.append(hypothesis.text)
        columns += score_columns(hypothesis) if scores else []
    missing = n_best * (3 if scores else 1) - len(columns)
    return "\t".join(columns + [""] * missing)


def score_line(translation: Translation) -> str:
    """The log-probability of a given target and its mean per token, separated by a tab."""
    return "\t".join(score_columns(translation.n_best[0]))


def score_columns(hypothesis: Hypothesis) -> list[str]:
    """Log-probability and its mean per token; empty where nothing was scored."""
    if hypothesis.score is None:
        return ["", ""]
    mean = hypothesis.score / len(hypothesis.log_probs)
    return [f"{hypothesis.score:.4f}", f"{mean:.4f}"]


def json_line(translation: Translation, problems: list[str]) -> str:
    """All that is known of an answer, as one JSON object."""
    values = {"source": translation.source, **_values(translation.n_best[0])}
    values["n_best"] = [_values(hypothesis) for hypothesis in translation.n_best]
    return json.dumps(values | {"warnings": problems}, ensure_ascii=False)


def _values(hypothesis: Hypothesis) -> dict[str, Any]:
    """A hypothesis in plain values; the score is the log-probability."""
    score, count = hypothesis.score, len(hypothesis.log_probs)
    values = {
        "text": hypothesis.text,
        "complete": hypothesis.complete,
        "score": None if score is None else round(score, _DECIMALS),
        "mean_score": None if score is None else round(score / count, _DECIMALS),
        "tokens": hypothesis.tokens,
        "log_probs": [round(x, _DECIMALS) for x in hypothesis.log_probs],
    }
    if hypothesis.ranked is not None:
        values["ranked"] = round(hypothesis.ranked, _DECIMALS)
    return values
