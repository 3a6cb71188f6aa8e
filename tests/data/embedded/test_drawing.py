"""What is drawn from the embedded corpus: how much, how often, and always the same."""

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from s2s_jax.data.embedded import embedded_pairs, set_phrases
from s2s_jax.data.embedded.drawing import all_patterns, draw
from s2s_jax.data.embedded.phrasebook import CALLED

WORD = re.compile(r"\w+")


def called(source: str) -> bool:
    """Whether a set phrase is said to somebody by name."""
    return any(source[:-1].endswith(f", {name}") for name, _ in CALLED)


def first_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    return list(islice(embedded_pairs(seed), count))


def test_fifty_thousand_distinct_sources(pairs):
    assert len(pairs) == len({source for source, _ in pairs}) == 50_000


def test_the_seed_decides():
    assert first_pairs(300, seed=3) == first_pairs(300, seed=3)
    assert first_pairs(300, seed=3) != first_pairs(300, seed=4)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_draw_is_the_same_in_every_process(hash_seed):
    code = (
        "from itertools import islice; from s2s_jax.data.embedded import embedded_pairs; "
        "print(ascii(list(islice(embedded_pairs(9), 400))))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ascii(first_pairs(400, 9))


def test_the_draw_ends_with_the_grammar(monkeypatch):
    few = tuple(pattern for pattern in all_patterns() if pattern.size < 300)
    monkeypatch.setattr("s2s_jax.data.embedded.drawing.all_patterns", lambda: few)
    held = {pattern.sentence(i) for pattern in few for i in range(pattern.size)} - {None}
    assert set(embedded_pairs(0)) == held


def test_every_set_phrase_is_drawn_and_none_of_its_words_is_rare(pairs):
    drawn = pairs[:30_000]
    plain = {pair for pair in set_phrases() if not called(pair[0])}
    assert len(plain) > 250 and plain <= set(drawn[:15_000])
    for side in (0, 1):
        words = Counter(word for pair in drawn for word in WORD.findall(pair[side]))
        assert min(words[word] for pair in plain for word in WORD.findall(pair[side])) >= 3


def test_no_sentence_type_is_rare_or_dominant():
    kinds = Counter(kind for kind, _ in islice(draw(0), 20_000))
    shares = {kind: count / 20_000 for kind, count in kinds.items()}
    assert len(shares) >= 12
    assert min(shares.values()) >= 0.03
    assert max(shares.values()) <= 0.25
