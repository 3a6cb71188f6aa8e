"""A sentence pattern: axes of parts, and the function that joins one part of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

LONGEST_ENGLISH = 38
LONGEST_FRENCH = 45
SHORT, MEDIUM = 26, 33
"""Bounds on the English side that keep the mean length low."""

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Pattern:
    """All sentences of one shape: `build` takes one part from each axis.

    `kind` names the sentence type and `weight` is the pattern's share of a draw, in
    arbitrary units, as long as it has sentences left. `longest` bounds the English side, so
    that the patterns with many parts are drawn short.
    """

    kind: str
    weight: float
    build: Callable[..., Pair | None]
    axes: tuple[Sequence[Any], ...]
    longest: int = MEDIUM

    @property
    def size(self) -> int:
        """Return the number of combinations, those that are no sentence included."""
        return prod(len(axis) for axis in self.axes)

    def sentence(self, index: int) -> Pair | None:
        """Return the combination at `index`, or None where it makes no short sentence."""
        parts = []
        for axis in self.axes:
            index, position = divmod(index, len(axis))
            parts.append(axis[position])
        pair = self.build(*parts)
        if pair is None or len(pair[0]) > self.longest or len(pair[1]) > LONGEST_FRENCH:
            return None
        return pair
