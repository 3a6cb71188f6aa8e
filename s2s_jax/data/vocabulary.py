"""Symbols (characters or words) <-> ids."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from s2s_jax.errors import UserError

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")

# A word keeps the white space before it and the apostrophe behind it ("j'", "don'"), so that
# joining the tokens of a text gives the text back, whatever its punctuation.
WORD_PATTERN = r"\s*(?:\w+['’]?|[^\w\s])"
_WORD = re.compile(WORD_PATTERN)
_RARE = 2  # Words seen fewer times than this in training become <unk>.


def tokenize(text: str, tokens: str) -> list[str]:
    """Divides a text into characters (`tokens` "char") or words ("word").

    Joining the result gives the text back, trailing white space aside.
    """
    return list(text) if tokens == "char" else _WORD.findall(text)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """An ordered set of symbols; a symbol's id is its place.

    Attributes:
      symbols: `<pad> <bos> <eos> <unk>`, then the sorted symbols of the training part.
      tokens: "char" or "word", how a text is divided.
    """

    symbols: tuple[str, ...]
    tokens: str = "char"

    pad_id: ClassVar[int] = 0
    bos_id: ClassVar[int] = 1
    eos_id: ClassVar[int] = 2
    unk_id: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.tokens not in ("char", "word"):
            raise UserError(f"A vocabulary's tokens are 'char' or 'word', not {self.tokens!r}.")
        if self.symbols[: len(SPECIALS)] != SPECIALS:
            raise UserError(f"A vocabulary begins with {' '.join(SPECIALS)}; this one does not.")
        if not all(isinstance(symbol, str) for symbol in self.symbols):
            raise UserError("A vocabulary's symbols are strings; this one holds something else.")
        if len(self._ids) != len(self.symbols):
            raise UserError("A vocabulary holds each symbol once; this one repeats some.")

    @classmethod
    def from_texts(cls, texts: Iterable[str], tokens: str = "char") -> Self:
        """The vocabulary of the training part.

        Words that occur only once are left out: they train `<unk>`, which then stands for the
        words of new texts.
        """
        counts = Counter(token for text in texts for token in tokenize(text, tokens))
        least = _RARE if tokens == "word" else 1
        return cls((*SPECIALS, *sorted(t for t, n in counts.items() if n >= least)), tokens)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> np.ndarray:
        """Ids of a text's tokens, int32 `[time]`; symbols never seen become `<unk>`."""
        ids = (self._ids.get(token, self.unk_id) for token in tokenize(text, self.tokens))
        return np.fromiter(ids, np.int32)

    def encode_source(self, text: str, length: int = 0, filler: str = SPECIALS[0]) -> np.ndarray:
        """Ids of a text to be translated, int32 `[time]`.

        Unseen words become `<unk>`, which training has given a meaning; unseen characters are
        left out, since nothing ever trained `<unk>` among characters. A text of fewer than
        `length` tokens is filled up with `filler`; one without any stays empty.
        """
        ids = self.encode(text)
        ids = ids if self.tokens == "word" else ids[ids != self.unk_id]
        if not 0 < len(ids) < length:
            return ids
        return np.append(ids, np.full(length - len(ids), self._ids[filler], np.int32))

    def unseen(self, text: str) -> list[str]:
        """The symbols of a text that are not in the vocabulary, each once, in order."""
        tokens = dict.fromkeys(tokenize(text, self.tokens))
        return [token for token in tokens if token not in self._ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; stops at `<eos>` and leaves out `<pad>` and `<bos>`.

        Raises:
          UserError: for an id outside the vocabulary.
        """
        symbols = []
        for i in map(int, ids):
            if i == self.eos_id:
                break
            if not 0 <= i < len(self.symbols):
                raise UserError(f"Ids of this vocabulary are 0 to {len(self) - 1}; {i} is not.")
            if i not in (self.pad_id, self.bos_id):
                symbols.append(self.symbols[i])
        # The first word of a sentence may have been seen only inside one, after a space.
        return "".join(symbols).lstrip() if self.tokens == "word" else "".join(symbols)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"tokens": self.tokens, "symbols": list(self.symbols)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
          UserError: when the values do not make a vocabulary.
        """
        if not isinstance(values, Mapping) or set(values) != {"tokens", "symbols"}:
            raise UserError("A vocabulary file is an object with 'tokens' and 'symbols'.")
        if not isinstance(values["symbols"], list):
            raise UserError("A vocabulary's symbols are a list.")
        return cls(tuple(values["symbols"]), values["tokens"])
