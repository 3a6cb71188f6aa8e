"""How answers are searched for: one frozen dataclass, for the command line and the library."""

import dataclasses
from typing import TypedDict

from s2s_jax.config import SearchConfig
from s2s_jax.config.options import option
from s2s_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class DecodeConfig(SearchConfig):
    """Greedy decoding unless something else is asked for; a configuration that exists is valid.

    Attributes:
      n_best: how many of the hypotheses are returned.
      sample: draw each token from the model's distribution instead of searching.
      temperature: divides the logits before drawing; above 1 is bolder, below 1 more cautious.
      top_k: draw among the k likeliest tokens only; 0 among all.
      top_p: draw among the likeliest tokens that together reach this probability; 1 among all.
      seed: of the drawing; the answer to a sentence depends on it and on the sentence alone.
      scores: also return the log-probability of every token; this takes a second pass.
      max_length: the most tokens in an answer; 0 takes the longest of training.
      batch_size: the most hypotheses at a time.
      strict: refuse sentences with symbols never seen in training instead of dropping those.

    Raises:
      UserError: for a value out of its range, and for values that contradict each other.
    """

    n_best: int = option(1, least=1, metavar="K", help="give the K best answers; at most the beam")
    sample: bool = option(False, help="draw each symbol from the model's distribution")
    temperature: float = option(
        1.0, above=0, metavar="T", help="below 1 more cautious, above 1 bolder"
    )
    top_k: int = option(0, least=0, metavar="K", help="draw among the K likeliest symbols; 0 = all")
    top_p: float = option(
        1.0, above=0, most=1, metavar="P",
        help="draw among the likeliest symbols that together reach probability P; 1 = all",
    )  # fmt: skip
    seed: int = option(
        0, least=0, most=2**32 - 1, metavar="N",
        help="seed of the draws: a sentence and a seed give the same answer in any batch",
    )  # fmt: skip
    scores: bool = option(
        False,
        help="after each answer its log-probability, the mean per token and, of several answers, "
        "the score that ranks them, separated by tabs",
    )
    # Room for an answer of this length is set aside at once.
    max_length: int = option(
        0, least=0, most=100_000, metavar="N",
        help="cut answers off after N tokens; 0 = the longest of training",
    )  # fmt: skip
    batch_size: int = option(512, least=1, metavar="N", help="hypotheses decoded at a time")
    strict: bool = option(
        False, help="refuse sentences with symbols never seen in training instead of dropping these"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
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


def search_text(search: SearchConfig) -> str:
    """How answers are searched for, in a few words."""
    if search.beam == 1:
        return "greedy"
    return f"beam {search.beam}, length penalty {search.length_penalty:g}"


class DecodeOptions(TypedDict, total=False):
    """The options of `DecodeConfig` that a call of a `Translator` hands on."""

    beam: int
    length_penalty: float
    sample: bool
    temperature: float
    top_k: int
    top_p: float
    seed: int
    max_length: int
    batch_size: int
    strict: bool
