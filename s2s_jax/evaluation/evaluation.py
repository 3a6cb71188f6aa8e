"""How right the answers of a run are, on sentences with references."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.data.corpus import Pair
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.fingerprint import trained_on
from s2s_jax.evaluation.metrics import edit_errors, translation_metrics

_CHUNK = 4096  # Sentences between two reports of progress.


class Answer(NamedTuple):
    """A source sentence, all its references, and what was decoded."""

    source: str
    references: tuple[str, ...]
    decoded: str

    @property
    def exact(self) -> bool:
        """Whether the answer is one of the references, letter for letter."""
        return self.decoded in self.references


@dataclasses.dataclass(frozen=True)
class Figures:
    """What is reported about some answers.

    Attributes:
      sentences: distinct sources.
      references: pairs; all the targets of a source are its references.
      exact: answers that are one of their references, letter for letter.
      cer: character error rate: edit distances to the closest references, over the length of
        these.
      chrf, bleu: of sacrebleu, 0 to 100, with their signatures; None without sacrebleu.
      loss: nats per reference token, `<eos>` included, as in training.
      perplexity: e to the power of the loss.
    """

    sentences: int
    references: int
    exact: int
    cer: float
    chrf: float | None
    chrf_signature: str | None
    bleu: float | None
    bleu_signature: str | None
    loss: float
    perplexity: float


class Evaluation(NamedTuple):
    """All answers, and the figures about them.

    Attributes:
      answers: one for each distinct source.
      figures: about all of them.
      in_training: how many of the sources were trained on; None if the run does not say.
      not_in_training: about the others, where some but not all sources were trained on.
      sentences_per_second: decoded, compilation aside.
    """

    answers: list[Answer]
    figures: Figures
    in_training: int | None
    not_in_training: Figures | None
    sentences_per_second: float

    def to_dict(self) -> dict[str, Any]:
        """The figures in plain values, ready for JSON."""
        values = dataclasses.asdict(self.figures)
        values["sentences_per_second"] = round(self.sentences_per_second, 1)
        values["in_training"] = self.in_training
        if self.not_in_training is not None:
            values["not_in_training"] = dataclasses.asdict(self.not_in_training)
        return values


def evaluate(
    translator: Translator,
    pairs: Sequence[Pair],
    config: DecodeConfig,
    training_sources: np.ndarray | None,
    advance: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Decodes each distinct source of `pairs` once and compares with all its targets.

    Args:
      translator: of the run.
      pairs: sources and references, at least one.
      config: how to decode; only the best answer counts.
      training_sources: what `fingerprint.read_training_sources` says.
      advance: is told how many sentences or pairs are done since the last time.
    """
    references: dict[str, list[str]] = {}
    for source, target in pairs:
        references.setdefault(source, []).append(target)
    sources = list(references)
    config = dataclasses.replace(config, n_best=1, scores=False)
    translator.warm_up(sources[:_CHUNK], config)
    start, decoded = time.perf_counter(), []
    for first in range(0, len(sources), _CHUNK):
        found = translator.translate(sources[first : first + _CHUNK], config)
        decoded += [translation.text for translation in found]
        advance(len(found))
    seconds = time.perf_counter() - start
    answers = [Answer(s, tuple(references[s]), d) for s, d in zip(sources, decoded, strict=True)]
    losses = _losses(translator, answers, config.batch_size, advance)
    figures = figures_of(answers, losses)
    if training_sources is None:
        return Evaluation(answers, figures, None, None, len(answers) / seconds)
    trained = trained_on(training_sources, sources)
    others = None
    if trained.any() and not trained.all():
        others = figures_of(list(itertools.compress(answers, ~trained)), losses[~trained])
    return Evaluation(answers, figures, int(trained.sum()), others, len(answers) / seconds)


def _losses(
    translator: Translator,
    answers: Sequence[Answer],
    batch_size: int,
    advance: Callable[[int], None],
) -> np.ndarray:
    """For each answer the loss of its references in nats, and their tokens; `[answers, 2]`."""
    losses = np.zeros((len(answers), 2))
    pairs = [(i, answer.source, r) for i, answer in enumerate(answers) for r in answer.references]
    for first in range(0, len(pairs), _CHUNK):
        chunk = pairs[first : first + _CHUNK]
        scored = translator.score([(s, t) for _, s, t in chunk], batch_size=batch_size)
        for (i, _, _), translation in zip(chunk, scored, strict=True):
            log_probs = translation.n_best[0].log_probs
            losses[i] += (-sum(log_probs), len(log_probs))
        advance(len(chunk))
    return losses


def figures_of(answers: Sequence[Answer], losses: np.ndarray) -> Figures:
    """The figures about some answers and their `_losses`."""
    errors = [edit_errors(answer.decoded, answer.references) for answer in answers]
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
        cer=sum(distance for distance, _ in errors) / sum(length for _, length in errors),
        chrf=chrf[0],
        chrf_signature=chrf[1],
        bleu=bleu[0],
        bleu_signature=bleu[1],
        loss=loss,
        perplexity=math.exp(min(loss, 700)),  # Beyond that the largest number is reached.
    )


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures for a person."""
    figures, others = evaluation.figures, evaluation.not_in_training
    lines = _figure_lines(figures)
    lines.append(f"Speed: {evaluation.sentences_per_second:,.0f} sentences a second")
    if evaluation.in_training is None:
        lines.append("Whether these sentences were trained on is unknown: the run does not say.")
    elif evaluation.in_training:
        lines.append(
            f"Warning: {evaluation.in_training:,} of {figures.sentences:,} sentences were trained "
            "on, and tell nothing about new ones."
        )
    if others is not None:
        lines += ["Without these:", *_figure_lines(others)]
    if figures.chrf is None:
        lines.append('For chrF and BLEU install sacrebleu: pip install -e ".[eval]"')
    elif figures.bleu_signature and "tok:char|" in figures.bleu_signature:
        lines.append('For BLEU of Japanese words install MeCab: pip install "sacrebleu[ja]"')
    return lines


def _figure_lines(figures: Figures) -> list[str]:
    lines = [
        f"Exactly right: {figures.exact:,} of {figures.sentences:,} sentences "
        f"({figures.exact / figures.sentences:.1%}; {figures.references:,} references)",
        f"Character error rate: {figures.cer:.1%}",
    ]
    if figures.chrf is not None:
        lines.append(f"chrF: {figures.chrf:.1f} ({figures.chrf_signature})")
        lines.append(f"BLEU: {figures.bleu:.1f} ({figures.bleu_signature})")
    lines.append(f"Loss: {figures.loss:.4f} nats a token, perplexity {figures.perplexity:.2f}")
    return lines


def decoded_lines(answers: Sequence[Answer]) -> list[str]:
    """Source, reference and answer of every pair; `decode.py --evaluate` reads these, too."""
    return [
        f"{answer.source}\t{reference}\t{answer.decoded}"
        for answer in answers
        for reference in answer.references
    ]
