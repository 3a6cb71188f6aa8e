"""What a text is answered with, as plain data, and how ids become it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.batches import HypothesisIds
from s2s_jax.errors import TextWarning


class Hypothesis(NamedTuple):
    """One possible answer to a text.

    Attributes:
      text: the answer.
      complete: false if it was cut off at the length limit.
      tokens: its symbols, `<eos>` included; only with `scores`.
      log_probs: their log-probabilities in nats, each given all before; only with `scores`.
      ranked: what beam search ranks by: log-probability over length penalty; None without a beam.
    """

    text: str
    complete: bool = True
    tokens: tuple[str, ...] = ()
    log_probs: tuple[float, ...] = ()
    ranked: float | None = None

    @property
    def score(self) -> float | None:
        """Log-probability of the whole answer in nats; None where nothing was scored."""
        return sum(self.log_probs) if self.log_probs else None


class Translation(NamedTuple):
    """A text and the answers to it.

    Attributes:
      source: the text as it was read: in Unicode NFC, without outer white space.
      unseen: its symbols that training never saw, each once.
      n_best: the answers, best first; never empty.
      doubts: what else speaks against the answers, a sentence each.
    """

    source: str
    unseen: tuple[str, ...]
    n_best: tuple[Hypothesis, ...]
    doubts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The best answer; empty if no symbol of the source is known."""
        return self.n_best[0].text

    @property
    def complete(self) -> bool:
        """False if the best answer was cut off at the length limit."""
        return self.n_best[0].complete

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the source or the best answer, a sentence each."""
        never = " ".join(map(repr, self.unseen))
        unseen = (f"training never saw {never}",) if self.unseen else ()
        cut = () if self.complete else ("the answer was cut off (raise `max_length`)",)
        return unseen + self.doubts + cut


def read_answer(
    vocabulary: Vocabulary,
    answer: HypothesisIds,
    log_probs: Float[np.ndarray, " time"] | None = None,
) -> Hypothesis:
    """An answer as text.

    Given log-probabilities, in nats, of each id and of any padding, it also has its `tokens`.
    """
    ids = answer.written.tolist()
    tokens, details = (), ()
    if log_probs is not None:
        tokens = tuple(vocabulary.names[i] for i in ids)
        details = tuple(map(float, log_probs[: len(ids)]))
    complete = Vocabulary.eos_id in ids
    return Hypothesis(vocabulary.decode(ids), complete, tokens, details, answer.ranked)


def warn_of_problems(found: Sequence[Translation]) -> None:
    """One `TextWarning` for all that is wrong in a whole call, at the caller's caller."""
    doubtful = [number for number, translation in enumerate(found, 1) if translation.problems]
    if doubtful:
        text = "; ".join(found[doubtful[0] - 1].problems)
        if len(found) > 1:
            text = f"text {doubtful[0]}: {text}"
        if len(doubtful) > 1:
            text += f" (one of {len(doubtful)} texts with problems; `translate` gives all)"
        warnings.warn(TextWarning(text), stacklevel=3)
