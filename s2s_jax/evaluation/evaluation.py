"""How accurate the answers of a run are, on sentences with references."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from rich.progress import Progress

from s2s_jax.data.corpus import Pair
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.figures import Answer, Figures, figure_lines, figures_of
from s2s_jax.evaluation.fingerprint import sources_of, trained_on
from s2s_jax.runtime.memory import release_freed_memory

_CHUNK = 4096  # Sentences between updates of the progress.


class Evaluation(NamedTuple):
    """All answers and their figures."""

    answers: list[Answer]  # One for each distinct source.
    figures: Figures  # Of all answers.
    in_training: int | None  # Sources that were trained on; None if the run has no record of them.
    not_in_training: Figures | None  # Of the others, if some but not all were trained on.
    sentences_per_second: float  # Decoded, without the time for compilation.
    is_text: bool = True  # Whether chrF and BLEU are made for such answers.

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
    bar: Progress,
) -> Evaluation:
    """Decodes each distinct source of `pairs` once and compares it with all its targets.

    Only the best answer counts. There is a pair at least; `bar` shows how far it is.

    Raises:
      UserError: if the record of what the run was trained on is damaged.
    """
    training_sources = sources_of([folder for folder, _ in translator.origins])
    tokenizer = translator.run.target_vocabulary.tokenizer
    sources = list(dict.fromkeys(source for source, _ in pairs))
    task = bar.add_task("evaluating", total=len(sources) + len(pairs))  # Decoded, then scored.
    config = dataclasses.replace(config, n_best=1, scores=False)
    translator.warm_up(sources[:_CHUNK], config)
    release_freed_memory()  # Compiling, decoding, scoring and drawing need other blocks each.
    start = time.perf_counter()
    answers = answers_of(translator, pairs, config, lambda n: bar.advance(task, n))
    seconds = time.perf_counter() - start
    release_freed_memory()
    losses = _losses(translator, answers, config.batch_size, lambda n: bar.advance(task, n))
    release_freed_memory()
    figures = figures_of(answers, losses, tokenizer)
    in_training = others = None
    if training_sources is not None:
        trained = trained_on(training_sources, sources)
        in_training = int(trained.sum())
        if 0 < in_training < len(sources):
            untrained = list(itertools.compress(answers, ~trained))
            others = figures_of(untrained, losses[~trained], tokenizer)
    speed = len(answers) / seconds
    return Evaluation(answers, figures, in_training, others, speed, tokenizer.is_text)


def answers_of(
    translator: Translator,
    pairs: Sequence[Pair],
    config: DecodeConfig,
    advance: Callable[[int], object] = lambda _: None,
) -> list[Answer]:
    """The best answer to each distinct source of `pairs`, with all its targets.

    `advance` is told of every so many answers.
    """
    references: dict[str, list[str]] = {}
    tokenizer = translator.run.target_vocabulary.tokenizer
    for source, target in pairs:
        # As an answer would spell it: symbols that white space divides have one space between them.
        spelled = tokenizer.join(tokenizer.divide(target))
        references.setdefault(source, []).append(spelled)
    sources, decoded = list(references), []
    for first in range(0, len(sources), _CHUNK):
        found = translator.translate(sources[first : first + _CHUNK], config)
        decoded += [translation.text for translation in found]
        advance(len(found))
    return [Answer(s, tuple(references[s]), d) for s, d in zip(sources, decoded, strict=True)]


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


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """The figures for a person."""
    figures, others = evaluation.figures, evaluation.not_in_training
    lines = figure_lines(figures)
    lines.append(f"Speed: {evaluation.sentences_per_second:,.0f} sentences per second")
    if evaluation.in_training is None:
        lines.append(
            "It is unknown whether these sentences were trained on: the run has no record."
        )
    elif evaluation.in_training:
        known = f"{evaluation.in_training:,} of {figures.sentences:,} sentences"
        what = (
            "was trained on and says" if evaluation.in_training == 1 else "were trained on and say"
        )
        lines.append(f"Warning: {known} {what} nothing about new ones.")
    if others is not None:
        lines += ["Without those:", *figure_lines(others)]
    if figures.chrf is None and evaluation.is_text:
        lines.append("For chrF and BLEU install sacrebleu: pip install sacrebleu")
    elif figures.bleu_signature and "tok:char|" in figures.bleu_signature:
        lines.append("For BLEU of Japanese words install MeCab: pip install 'sacrebleu[ja]'")
    return lines


def decoded_lines(answers: Sequence[Answer]) -> list[str]:
    """Source, reference and answer of every pair, as lines that `decode.py --evaluate` reads."""
    return [
        f"{answer.source}\t{reference}\t{answer.decoded}"
        for answer in answers
        for reference in answer.references
    ]
