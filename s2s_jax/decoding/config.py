"""How answers are searched for: one frozen dataclass, for the command line and the library."""

from __future__ import annotations

import dataclasses

from s2s_jax.config import _Config
from s2s_jax.errors import UserError

_LARGEST_BEAM = 1_000
_LONGEST_ANSWER = 100_000  # Tokens; room for an answer of this length is set aside at once.
_STEEPEST_PENALTY = 5  # The longest answer's power of it is still a number in single precision.


@dataclasses.dataclass(frozen=True)
class DecodeConfig(_Config):
    """Greedy decoding unless something else is asked for; valid, or it does not exist.

    Attributes:
      beam: hypotheses kept for each sentence; 1 is greedy.
      length_penalty: alpha of Wu et al. (2016), eq. 14, by which beam search ranks; 0 ranks by
        log-probability alone, which favours short answers.
      n_best: how many of the hypotheses are given.
      sample: draw each token from the model's distribution in place of searching.
      temperature: divides the logits before drawing; above 1 is bolder, below 1 tamer.
      top_k: draw among the k likeliest tokens only; 0 among all.
      top_p: draw among the likeliest tokens that together reach this probability; 1 among all.
      seed: of the drawing; the answer to a sentence depends on it and on the sentence alone.
      scores: give the log-probability of every token, too; it takes a second pass.
      max_length: at most so many tokens an answer; 0 takes the longest of training.
      batch_size: at most so many hypotheses at a time.
      strict: refuse sentences with symbols never seen in training, in place of leaving these out.

    Raises:
      UserError: for a value out of its range, and for values that contradict each other.
    """

    beam: int = 1
    length_penalty: float = 0.6
    n_best: int = 1
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    scores: bool = False
    max_length: int = 0
    batch_size: int = 512
    strict: bool = False

    def __post_init__(self) -> None:
        for field in ("beam", "n_best", "batch_size"):
            self._integer(field, 1)
        for field in ("top_k", "seed", "max_length"):
            self._integer(field, 0)
        for field in ("sample", "scores", "strict"):
            self._boolean(field)
        self._number("length_penalty", 0, inclusive=True)
        self._number("temperature", 0)
        self._number("top_p", 0)
        for field, most in (
            ("beam", _LARGEST_BEAM),
            ("max_length", _LONGEST_ANSWER),
            ("seed", 2**32 - 1),
            ("top_p", 1),
            ("length_penalty", _STEEPEST_PENALTY),
        ):
            if getattr(self, field) > most:
                raise UserError(f"`{field}` must be at most {most}, not {getattr(self, field)}.")
        self._check_together()

    def _check_together(self) -> None:
        if self.n_best > self.beam:
            raise UserError(
                f"`n_best` {self.n_best} needs a beam of at least that many hypotheses, but "
                f"`beam` is {self.beam}; raise `beam` or lower `n_best`."
            )
        if self.sample and self.beam > 1:
            raise UserError("`sample` draws answers and `beam` searches for them; give one.")
        shaping = (self.temperature, self.top_k, self.top_p)
        if not self.sample and shaping != (1.0, 0, 1.0):
            raise UserError(
                "`temperature`, `top_k` and `top_p` say how to draw; give `sample` with them."
            )
