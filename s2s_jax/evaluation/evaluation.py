"""How accurate the answers of a run are, on sentences with references."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt64
from rich.progress import Progress

from s2s_jax.data.corpus import Pair
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.fingerprint import trained_on
from s2s_jax.evaluation.metrics import edit_errors, translation_metrics
from s2s_jax.runtime.progress_bar import progress_bar

_CHUNK = 4096  # Sentences between updates of the progress.


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
    """The figures of some answers.

    Attributes:
      sentences: distinct sources.
      references: pairs; all targets of a source are its references.
      exact: answers that equal one of their references, character for character.
      cer: character error rate: the edit distances to the closest references over their lengths.
      chrf: of sacrebleu, 0 to 100, and `chrf_signature` how it was computed; None without
        sacrebleu.
      bleu: likewise.
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
    """All answers and their figures.

    Attributes:
      answers: one for each distinct source.
      figures: of all answers.
      in_training: how many of the sources were trained on; None if the run has no record of them.
      not_in_training: figures of the others, if some but not all sources were trained on.
      sentences_per_second: decoded, without the time for compilation.
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
    training_sources: UInt64[np.ndarray, " sources"] | None,
    bar: Progress | None = None,
) -> Evaluation:
    """Decodes each distinct source of `pairs` once and compares it with all its targets.

    Args:
      translator: of the run.
      pairs: sources and references, at least one.
      config: how to decode; only the best answer counts.
      training_sources: from `fingerprint.read_training_sources`.
      bar: shows how far it is.
    """
    references: dict[str, list[str]] = {}
    tokenizer = translator.run.target_vocabulary.tokenizer
    for source, target in pairs:
        # As an answer would spell it: symbols that white space divides have one space between them.
        spelled = tokenizer.join(tokenizer.divide(target))
        references.setdefault(source, []).append(spelled)
    sources = list(references)
    bar = bar or progress_bar(enabled=False)
    task = bar.add_task("evaluating", total=len(sources) + len(pairs))  # Decoded, then scored.
    config = dataclasses.replace(config, n_best=1, scores=False)
    translator.warm_up(sources[:_CHUNK], config)
    start, decoded = time.perf_counter(), []
    for first in range(0, len(sources), _CHUNK):
        found = translator.translate(sources[first : first + _CHUNK], config)
        decoded += [translation.text for translation in found]
        bar.advance(task, len(found))
    seconds = time.perf_counter() - start
    answers = [Answer(s, tuple(references[s]), d) for s, d in zip(sources, decoded, strict=True)]
    losses = _losses(translator, answers, config.batch_size, lambda n: bar.advance(task, n))
    figures = figures_of(answers, losses)
    in_training = others = None
    if training_sources is not None:
        trained = trained_on(training_sources, sources)
        in_training = int(trained.sum())
        if 0 < in_training < len(sources):
            others = figures_of(list(itertools.compress(answers, ~trained)), losses[~trained])
    return Evaluation(answers, figures, in_training, others, len(answers) / seconds)


def _losses(
    translator: Translator,
    answers: Sequence[Answer],
    batch_size: int,
    advance: Callable[[int], None],
) -> Float[np.ndarray, "answers 2"]:
    """The loss of each answer's references in nats, and their number of tokens."""
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


def figures_of(answers: Sequence[Answer], losses: Float[np.ndarray, "answers 2"]) -> Figures:
    """The figures of some answers and their `_losses`."""
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
        perplexity=math.exp(min(loss, 700)),  # Larger losses overflow.
    )


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures for a person."""
    figures, others = evaluation.figures, evaluation.not_in_training
    lines = _figure_lines(figures)
    lines.append(f"Speed: {evaluation.sentences_per_second:,.0f} sentences per second")
    if evaluation.in_training is None:
        lines.append(
            "It is unknown whether these sentences were trained on: the run has no record."
        )
    elif evaluation.in_training:
        lines.append(
            f"Warning: {evaluation.in_training:,} of {figures.sentences:,} sentences were trained "
            "on and say nothing about new ones."
        )
    if others is not None:
        lines += ["Without those:", *_figure_lines(others)]
    if figures.chrf is None:
        lines.append("For chrF and BLEU install sacrebleu: pip install sacrebleu")
    elif figures.bleu_signature and "tok:char|" in figures.bleu_signature:
        lines.append("For BLEU of Japanese words install MeCab: pip install 'sacrebleu[ja]'")
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
    lines.append(f"Loss: {figures.loss:.4f} nats per token, perplexity {figures.perplexity:.2f}")
    return lines


def decoded_lines(answers: Sequence[Answer]) -> list[str]:
    """Source, reference and answer of every pair, as lines that `decode.py --evaluate` reads."""
    return [
        f"{answer.source}\t{reference}\t{answer.decoded}"
        for answer in answers
        for reference in answer.references
    ]
