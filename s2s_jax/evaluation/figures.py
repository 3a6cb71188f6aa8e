"""The figures of answers, for people and for programs; knows no model."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from s2s_jax.data.tokenizers import Tokenizer
from s2s_jax.evaluation.metrics import edit_errors, translation_metrics


class Answer(NamedTuple):
    """A source sentence, all its references, and what was decoded."""

    source: str
    references: tuple[str, ...]
    decoded: str

    @property
    def exact(self) -> bool:
        """Whether the answer is one of the references, character for character."""
        return self.decoded in self.references


@dataclasses.dataclass(frozen=True)
class Figures:
    """The figures of some answers."""

    sentences: int  # Distinct sources.
    references: int  # Pairs; all targets of a source are its references.
    exact: int  # Answers that equal one of their references, character for character.
    # The share of the others, 0 to 1: the word error rate where sources are words.
    sequence_error_rate: float
    # The edit distances to the closest references over their lengths, in symbols of the target.
    symbol_error_rate: float
    unit: str  # What these symbols are called, in the plural.
    cer: float  # Character error rate: likewise, in characters.
    # Of sacrebleu, 0 to 100, and how it was computed; None without it, and for what is no text.
    chrf: float | None
    chrf_signature: str | None
    bleu: float | None  # Likewise.
    bleu_signature: str | None
    loss: float  # Nats per reference token, `<eos>` included, as in training.
    perplexity: float  # e to the power of the loss.


def figures_of(
    answers: Sequence[Answer], losses: Float[np.ndarray, "answers 2"], tokenizer: Tokenizer
) -> Figures:
    """The figures of some answers, at least one.

    `losses` are those of each answer's references in nats, and their number of tokens.
    """
    divide, metrics = tokenizer.divide, {}
    if tokenizer.is_text:
        metrics = translation_metrics(
            [answer.decoded for answer in answers], [answer.references for answer in answers]
        )
    chrf, bleu = (metrics.get(name, (None, None)) for name in ("chrf", "bleu"))
    nats, tokens = losses.sum(axis=0)
    loss = float(nats / tokens)
    return Figures(
        sentences=len(answers),
        references=sum(len(answer.references) for answer in answers),
        exact=sum(answer.exact for answer in answers),
        sequence_error_rate=sequence_error_rate(answers),
        symbol_error_rate=_error_rate(
            (divide(answer.decoded), [*map(divide, answer.references)]) for answer in answers
        ),
        unit=tokenizer.unit,
        cer=_error_rate((answer.decoded, answer.references) for answer in answers),
        chrf=chrf[0],
        chrf_signature=chrf[1],
        bleu=bleu[0],
        bleu_signature=bleu[1],
        loss=loss,
        perplexity=math.exp(min(loss, 700)),  # Larger losses overflow.
    )


def _error_rate(answers: Iterable[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> float:
    """The edits between answers and their closest references, over the lengths of these."""
    edits, lengths = zip(*itertools.starmap(edit_errors, answers), strict=True)
    return sum(edits) / sum(lengths)


def sequence_error_rate(answers: Sequence[Answer]) -> float:
    """The share of the answers, 0 to 1, that equal none of their references."""
    return sum(not answer.exact for answer in answers) / len(answers)


def figure_lines(figures: Figures) -> list[str]:
    """The figures for a person."""
    lines = [
        f"Exactly right: {figures.exact:,} of {figures.sentences:,} sentences "
        f"({figures.exact / figures.sentences:.1%}; {figures.references:,} references)",
        f"Sequence error rate: {figures.sequence_error_rate:.1%}",
        f"{figures.unit.removesuffix('s').capitalize()} error rate: "
        f"{figures.symbol_error_rate:.1%}",
    ]
    if figures.unit != "characters":
        lines.append(f"Character error rate: {figures.cer:.1%}")
    if figures.chrf is not None:
        lines.append(f"chrF: {figures.chrf:.1f} ({figures.chrf_signature})")
        lines.append(f"BLEU: {figures.bleu:.1f} ({figures.bleu_signature})")
    lines.append(f"Loss: {figures.loss:.4f} nats per token, perplexity {figures.perplexity:.2f}")
    return lines
