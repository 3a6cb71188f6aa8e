"""Seeded draws of distinct sentence pairs from the patterns."""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from random import Random

from .actions import action_patterns
from .descriptions import description_patterns
from .everyday import everyday_patterns
from .moments import moment_patterns
from .motions import motion_patterns
from .patterns import Pair, Pattern


@cache
def all_patterns() -> tuple[Pattern, ...]:
    """Return every sentence pattern of the grammar."""
    return (
        *action_patterns(),
        *motion_patterns(),
        *description_patterns(),
        *moment_patterns(),
        *everyday_patterns(),
    )


def _shuffled(size: int, rng: Random) -> Iterator[int]:
    """Yield range(size) in random order, at a cost for what is taken only.

    This is the Fisher-Yates shuffle of a list that is never written out: `moved` holds the
    places whose content is not their own index. Only `Random.random` is used, the one
    method whose sequence Python promises to keep.
    """
    moved: dict[int, int] = {}
    for last in range(size - 1, -1, -1):
        pick = int(rng.random() * (last + 1))
        yield moved.get(pick, pick)
        moved[pick] = moved.pop(last, last)


def _sentences(pattern: Pattern, rng: Random) -> Iterator[Pair]:
    for index in _shuffled(pattern.size, rng):
        pair = pattern.sentence(index)
        if pair is not None:
            yield pair


def draw(seed: int) -> Iterator[tuple[str, Pair]]:
    """Yield (kind, pair) with distinct English sides until the grammar is used up."""
    rng = Random(seed)
    sources = [(pattern, _sentences(pattern, rng)) for pattern in all_patterns()]
    seen: set[str] = set()
    while sources:
        marks = list(accumulate(pattern.weight for pattern, _ in sources))
        used_up = None
        while used_up is None:
            chosen = bisect_right(marks, rng.random() * marks[-1], hi=len(marks) - 1)
            pattern, sentences = sources[chosen]
            # Should two patterns ever share a sentence, it is drawn once.
            for pair in sentences:
                if pair[0] not in seen:
                    seen.add(pair[0])
                    yield pattern.kind, pair
                    break
            else:
                used_up = chosen
        del sources[used_up]


def embedded_pairs(seed: int = 0) -> Iterator[Pair]:
    """Yield all (English, French) pairs of the grammar in random order.

    No English sentence comes twice. The order depends on the seed only, and what is not taken
    is not composed, so that the first few cost little.
    """
    return (pair for _, pair in draw(seed))
