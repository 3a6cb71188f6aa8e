"""Seeded draws of distinct sentence pairs from the patterns."""

from collections.abc import Iterator
from functools import cache
from random import Random

from ..errors import UserError
from .actions import action_patterns
from .descriptions import description_patterns
from .moments import moment_patterns
from .motions import motion_patterns
from .patterns import Pair, Pattern


@cache
def all_patterns() -> tuple[Pattern, ...]:
    """Return every sentence pattern; an empty one cannot occur."""
    return (*action_patterns(), *motion_patterns(), *description_patterns(), *moment_patterns())


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
    total = sum(pattern.weight for pattern, _ in sources)
    seen: set[str] = set()
    while sources:
        mark = rng.random() * total
        chosen = 0
        while chosen < len(sources) - 1 and mark >= sources[chosen][0].weight:
            mark -= sources[chosen][0].weight
            chosen += 1
        pattern, sentences = sources[chosen]
        # Patterns overlap in a few sentences, such as "He was born on Monday.".
        pair = next((pair for pair in sentences if pair[0] not in seen), None)
        if pair is None:
            del sources[chosen]
            total = sum(pattern.weight for pattern, _ in sources)
            continue
        seen.add(pair[0])
        yield pattern.kind, pair


def sample_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """Draw `count` distinct (English, French) pairs in random order.

    The draw depends on `count` and `seed` only, and a longer one starts with the shorter.
    No English sentence comes twice. Raises UserError when the grammar holds fewer pairs.
    """
    if count < 0:
        raise UserError(f"a count of 0 or more pairs is required, got {count}: ask for 0 or more")
    bound = sum(pattern.size for pattern in all_patterns())
    pairs: list[tuple[str, str]] = []
    if count <= bound:
        for _, pair in draw(seed):
            if len(pairs) == count:
                break
            pairs.append(pair)
    if len(pairs) < count:
        held = f"{len(pairs)}" if pairs else f"fewer than {bound}"
        raise UserError(
            f"at most as many pairs as the grammar holds ({held}) can be drawn, got {count}: "
            "ask for fewer pairs"
        )
    return pairs
