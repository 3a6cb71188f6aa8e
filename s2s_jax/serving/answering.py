"""Lines of input become lines of output: answers, or the scores of given ones."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.serving.output import json_line, plain_line, problems_of, score_line
from s2s_jax.serving.streaming import Line


def answerer(
    translator: Translator,
    config: DecodeConfig,
    *,
    json: bool,
    score: bool,
    swap: bool,
    keep: Callable[[Sequence[Translation]], None] | None = None,
) -> Callable[[list[Line], int], list[str]]:
    """What turns lines into lines of output; problems go into the JSON or to stderr.

    Args:
      translator, config: what answers, and how.
      json: whether lines of output are JSON.
      score: score given targets instead of decoding.
      swap: whether these stand before their sources.
      keep: takes what was found, with scores.
    """
    said_scores = config.scores
    if json or keep is not None:
        config = dataclasses.replace(config, scores=True)

    def respond(lines: list[Line], first: int) -> list[str]:
        """Answers lines, whose first has this number (from 1); raises `UserError` if strict."""
        if score:
            lines, found = _score(translator, lines, first, config, swap)
        else:
            found = translator.translate([line.text for line in lines], config, first=first)
        if keep is not None:
            keep(found)
        output = []
        for number, (line, translation) in enumerate(zip(lines, found, strict=True), first):
            said = problems_of(translation, line.problem)
            if json:
                output.append(json_line(translation, said))
                continue
            for warning in said:
                print(f"line {number}: {warning}", file=sys.stderr)
            output.append(
                score_line(translation)
                if score
                else plain_line(translation, config.n_best, said_scores)
            )
        return output

    return respond


def _score(
    translator: Translator, lines: list[Line], first: int, config: DecodeConfig, swap: bool
) -> tuple[list[Line], list[Translation]]:
    """The scores of lines of two columns; a line of one column has none and a problem."""
    columns = [line.text.split("\t") for line in lines]
    pairs = [(row[swap], row[not swap]) if len(row) > 1 else None for row in columns]
    if config.strict and None in pairs:
        raise UserError(f"line {first + pairs.index(None)} needs source<TAB>target; add a tab.")
    scored = translator.score(
        [pair or ("", "") for pair in pairs],
        batch_size=config.batch_size, strict=config.strict, first=first,
    )  # fmt: skip
    lines = list(lines)
    for i, line in enumerate(lines):
        if pairs[i] is None:
            problem = line.problem or "no tab between source and target; it has no score"
            lines[i] = line._replace(problem=problem)
            scored[i] = Translation(line.text, (), (Hypothesis(""),))
    return lines, scored
