"""How right the answers are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from s2s_jax.corpus import Pair
from s2s_jax.translation import Translator


class Answer(NamedTuple):
    """A source sentence, all its references, and what was decoded."""

    source: str
    references: tuple[str, ...]
    decoded: str

    @property
    def exact(self) -> bool:
        """Whether the answer is one of the references, letter for letter."""
        return self.decoded in self.references


def answer(translator: Translator, pairs: Sequence[Pair]) -> list[Answer]:
    """Decodes each distinct source of `pairs` once; all its targets are references."""
    references: dict[str, list[str]] = {}
    for source, target in pairs:
        references.setdefault(source, []).append(target)
    decoded = translator(list(references))
    return [
        Answer(source, tuple(targets), text)
        for (source, targets), text in zip(references.items(), decoded, strict=True)
    ]
