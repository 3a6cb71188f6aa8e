"""Answers in batches of fixed shapes, with all that there is to see in them, for a service.

A service must compile nothing while people wait, so nothing of a batch's shape may depend on what
they ask: rows and lengths are given, and answers have room for the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from s2s_jax.data.batching import pad
from s2s_jax.decoding.alignment import Alignment
from s2s_jax.decoding.batches import HypothesisIds, decode_batch, power_of_two
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.programs import beam, greedy, sample, score_and_attend
from s2s_jax.decoding.sources import Source
from s2s_jax.decoding.translation import Hypothesis, Translation, read_answer
from s2s_jax.decoding.translator import Translator

_MOST_WRITTEN = 512  # Tokens of an answer.
_MOST_ROWS = 32
# What bounds the memory of a batch: the logits of its answers, and the tokens of its sources.
_MOST_LOGITS, _MOST_READ = 2**24, 2**14


class Answered(NamedTuple):
    """A text, the answers to it, and what the best of them rests on."""

    translation: Translation  # Its best answer has symbols and their log-probabilities.
    scores: tuple[float, ...]  # The log-probability of each answer, in nats.
    alignment: Alignment | None  # Of the best answer; None without attention or a known symbol.


def batch_sizes(translator: Translator, length: int) -> list[int]:
    """The numbers of rows that batches of sources of `length` tokens are padded to, ascending."""
    logits = _capacity(translator) * translator.model.config.target_vocab_size
    most = min(_MOST_ROWS, _MOST_LOGITS // logits, _MOST_READ // length)
    return [1] + [rows for rows in (8, 32) if rows <= most]


def answer_batch(
    translator: Translator, sources: Sequence[Source], config: DecodeConfig, rows: int, length: int
) -> list[Answered]:
    """The answers to a batch of texts, on one device.

    What is compiled depends on the model, on `rows` and `length` of the padded batch, and on
    `beam`, `n_best` and the kind of search alone. Answers end at the longest of training, or at 512
    tokens.
    """
    model, params = translator.model, translator.params
    source, mask = pad([source.ids for source in sources], rows, length)
    capacity = _capacity(translator)
    limit = min(translator.run.config.max_length, _MOST_WRITTEN)
    found = decode_batch(model, params, None, config, capacity, limit, source, mask)
    # A row without ids has no answer: the search ends before it begins.
    target = np.stack([row[0].ids for row in found])
    log_probs, weights = score_and_attend(model, params, source, mask, target)
    attended = [None] * rows if weights is None else np.asarray(weights)
    each = zip(sources, found, np.asarray(log_probs), attended, strict=False)
    return [_answered(translator, *row) for row in each]


def forget() -> None:
    """Gives back all that was compiled to answer; what is needed again is compiled again."""
    programs: tuple[Any, ...] = greedy, sample, beam, score_and_attend  # JAX types no clear_cache.
    for program in programs:
        program.clear_cache()


def _capacity(translator: Translator) -> int:
    return power_of_two(min(translator.run.config.max_length, _MOST_WRITTEN))


def _answered(
    translator: Translator,
    source: Source,
    answers: list[HypothesisIds],
    log_probs: Float[np.ndarray, " capacity"],
    weights: Float[np.ndarray, "capacity length"] | None,
) -> Answered:
    """One row of a batch."""
    if not len(source.ids):
        nothing = Translation(source.text, source.unseen, (Hypothesis(""),), source.doubts)
        return Answered(nothing, (0.0,), None)
    run = translator.run
    best = read_answer(run.target_vocabulary, answers[0], log_probs)
    others = [read_answer(run.target_vocabulary, answer) for answer in answers[1:]]
    scores = tuple(sum(best.log_probs) if a.log_prob is None else a.log_prob for a in answers)
    alignment = None
    if weights is not None:
        read = tuple(run.source_vocabulary.symbols[i] for i in source.ids)
        written = len(best.tokens)
        alignment = Alignment(read, best.tokens, weights[:written, : len(read)])
    translation = Translation(source.text, source.unseen, (best, *others), source.doubts)
    return Answered(translation, scores, alignment)
