"""How the answers of a run are searched for unless its user says otherwise."""

import dataclasses

from s2s_jax.config.options import Config, option

WIDEST_BEAM = 1000
"""Hypotheses; the most that are kept for a sentence."""


@dataclasses.dataclass(frozen=True)
class SearchConfig(Config):
    """A beam search, or with a beam of 1 the likeliest symbol at every step.

    Attributes:
      beam: hypotheses kept for each sentence; 1 is greedy.
      length_penalty: alpha of Wu et al. (2016), eq. 14, by which beam search ranks; 0 ranks by
        log-probability alone, which favours short answers.
    """

    beam: int = option(
        1, least=1, most=WIDEST_BEAM, metavar="N",
        help="keep the N likeliest hypotheses at every step",
    )  # fmt: skip
    # With a penalty of 5 the longest answer's length to that power still fits single precision.
    length_penalty: float = option(
        0.6, least=0, most=5, metavar="A",
        help="rank by log-probability / ((5 + length) / 6) ** A (Wu et al. 2016); 0 = none",
    )  # fmt: skip
