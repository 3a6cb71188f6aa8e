"""Which pairs are held out for validation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np

from s2s_jax.data.corpus import Pair
from s2s_jax.errors import UserError


def split_pairs(
    pairs: Sequence[Pair],
    fraction: float,
    how: str,
    seed: int,
    always_train: Collection[Pair] = (),
) -> tuple[list[Pair], list[Pair]]:
    """Divides the pairs into (training, validation), each in the order given.

    Args:
      pairs: what to divide.
      fraction: the share for validation, at least 0 and less than 1; 0 means none.
      how: "source" draws whole source sentences at random, so that none is on both sides;
        "tail" takes the last pairs, as Keras's `validation_split` does.
      seed: decides which sources are drawn.
      always_train: pairs whose sources are never held out.

    Raises:
      UserError: a part would be left empty.
    """
    if fraction == 0:
        return list(pairs), []
    kept = {pair.source for pair in pairs if pair in always_train}
    free = [place for place, pair in enumerate(pairs) if pair.source not in kept]
    if how == "tail":
        first = int(len(pairs) * (1 - fraction))
        held_out = {place for place in free if place >= first}
    else:
        drawn = _draw_sources([pairs[place] for place in free], fraction * len(pairs), seed)
        held_out = {place for place in free if pairs[place].source in drawn}
    training = [pair for place, pair in enumerate(pairs) if place not in held_out]
    validation = [pair for place, pair in enumerate(pairs) if place in held_out]
    if not training or not validation:
        sources = len({pair.source for pair in pairs})
        raise UserError(
            f"`validation_split` {fraction} with `split` {how} must leave pairs on both sides, but"
            f" of {len(pairs)} pairs ({sources} distinct sources) it takes {len(training)} for"
            f" training and {len(validation)} for validation; use more pairs, another fraction, or"
            " `validation_split` 0"
        )
    return training, validation


def _draw_sources(pairs: Sequence[Pair], wanted: float, seed: int) -> set[str]:
    """Sources that together have as many pairs as wanted, or all but one of the sources."""
    counts = Counter(pair.source for pair in pairs)  # in the order of the file, so reproducible
    sources = list(counts)
    drawn: set[str] = set()
    held = 0
    for index in np.random.default_rng(seed).permutation(len(sources))[:-1]:
        if held >= round(wanted):
            break
        drawn.add(sources[index])
        held += counts[sources[index]]
    return drawn
