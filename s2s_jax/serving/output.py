"""Answers as lines of output: plain, with scores, or JSON."""

from __future__ import annotations

import json
from typing import Any

from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.errors import spell_options

SURE, UNSURE = 0.9, 0.5
"""Probabilities from which on a symbol is not coloured, or yellow; others are red."""

_DECIMALS = 6  # What single precision holds.


def problems_of(translation: Translation, problem: str | None, prefix: str = "--") -> list[str]:
    """What is wrong with the line (`problem`), its text or the answer, in words.

    `prefix` is what options begin with where they are typed.
    """
    found = [] if problem is None else [problem]
    return found + [spell_options(problem, prefix) for problem in translation.problems]


def plain_line(translation: Translation, n_best: int, scores: bool) -> str:
    """The answers side by side, separated by tabs, each followed by its scores if asked for.

    Every line has as many columns, also where there is nothing to say.
    """
    ranked, columns = n_best > 1, []
    for hypothesis in translation.n_best[:n_best]:
        columns.append(hypothesis.text)
        columns += score_columns(hypothesis, ranked) if scores else []
    missing = n_best * (1 + scores * (2 + ranked)) - len(columns)
    return "\t".join(columns + [""] * missing)


def score_line(translation: Translation) -> str:
    """The log-probability of a given target and its mean per token, separated by a tab."""
    return "\t".join(score_columns(translation.n_best[0]))


def score_columns(hypothesis: Hypothesis, ranked: bool = False) -> list[str]:
    """Log-probability, its mean per token, and with `ranked` what the hypothesis is ranked by.

    They are empty where nothing was scored.
    """
    if hypothesis.score is None:
        return [""] * (2 + ranked)
    figures = [hypothesis.score, hypothesis.score / len(hypothesis.log_probs)]
    if ranked and hypothesis.ranked is not None:
        figures.append(hypothesis.ranked)
    return [f"{figure:.4f}" for figure in figures]


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
