"""Symbols <-> ids."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Int32

from s2s_jax.data.tokenizers import Tokenizer, make_tokenizer, read_tokenizer
from s2s_jax.errors import UserError

SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")

Draw = Callable[[int], Iterable[tuple[Int32[np.ndarray, " _"], Int32[np.ndarray, " _"]]]]
"""The ids of the source and the target of each pair in an epoch, given its number."""


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """An ordered set of symbols; a symbol's id is its place.

    Attributes:
      symbols: `<pad> <bos> <eos> <unk>`, then the sorted symbols of the training part, and those
        that were added later.
      tokenizer: divides a text into symbols, and joins them again.
      unknown: what answers show for `<unk>`, where the model writes it.
    """

    symbols: tuple[str, ...]
    tokenizer: Tokenizer = make_tokenizer("char")
    unknown: str = SPECIALS[3]

    pad_id: ClassVar[int] = 0
    bos_id: ClassVar[int] = 1
    eos_id: ClassVar[int] = 2
    unk_id: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if self.symbols[: len(SPECIALS)] != SPECIALS:
            raise UserError(f"A vocabulary begins with {' '.join(SPECIALS)}; this one does not.")
        if not all(isinstance(symbol, str) for symbol in self.symbols):
            raise UserError("A vocabulary's symbols are strings; this one holds something else.")
        if len(self._ids) != len(self.symbols):
            raise UserError("A vocabulary holds each symbol once; this one repeats some.")

    @classmethod
    def from_texts(cls, texts: Sequence[str], tokens: str = "char", size: int = 0) -> Self:
        """The vocabulary of the training part, divided into `tokens`.

        Where the tokenizer learns it, it has this size; 0 chooses one.

        Raises:
          UserError: when the size is too small, or a package is missing.
        """
        tokenizer = make_tokenizer(tokens).learn(texts, size)
        return cls((*SPECIALS, *tokenizer.symbols(texts)), tokenizer)

    def extended(self, texts: Iterable[str]) -> Self:
        """The vocabulary with the new symbols of further texts at its end; ids stay."""
        new = (symbol for symbol in self.tokenizer.symbols(texts) if symbol not in self._ids)
        return dataclasses.replace(self, symbols=(*self.symbols, *new))

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The symbols as answers show them."""
        return (*SPECIALS[: self.unk_id], self.unknown, *self.symbols[len(SPECIALS) :])

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(
        self, text: str, sampling: tuple[float, int] | None = None
    ) -> Int32[np.ndarray, " time"]:
        """Ids of a text's symbols, as `Tokenizer.divide` has them; unseen ones become `<unk>`."""
        return self.ids_of(self.tokenizer.divide(text, sampling))

    def ids_of(self, symbols: Iterable[str]) -> Int32[np.ndarray, " time"]:
        """Ids of symbols; those not in the vocabulary become `<unk>`."""
        return np.fromiter((self._ids.get(symbol, self.unk_id) for symbol in symbols), np.int32)

    def unseen(self, text: str) -> list[str]:
        """The symbols of a text that are not in the vocabulary, each once, in order."""
        return self.unseen_among(self.tokenizer.divide(text))

    def unseen_among(self, symbols: Iterable[str]) -> list[str]:
        """As `unseen`, of symbols."""
        return [symbol for symbol in dict.fromkeys(symbols) if symbol not in self._ids]

    def unknown_share(self, texts: Iterable[str]) -> float:
        """The share of the symbols of some texts that are not in the vocabulary, 0 to 1."""
        ids = [self.encode(text) for text in texts]
        return float((np.concatenate(ids) == self.unk_id).mean()) if ids else 0.0

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
                symbols.append(self.names[i])
        return self.tokenizer.join(symbols)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        unknown = {} if self.unknown == SPECIALS[3] else {"unknown": self.unknown}
        return {**self.tokenizer.to_dict(), **unknown, "symbols": list(self.symbols)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], model: bytes = b"") -> Self:
        """The inverse of `to_dict`; `model` is what the tokenizer learned, if it did.

        Raises:
          UserError: when the values do not make a vocabulary.
        """
        if not isinstance(values, Mapping) or not isinstance(values.get("symbols"), list):
            raise UserError("A vocabulary file is an object with a list of 'symbols'.")
        about = {key: values[key] for key in values if key not in ("symbols", "unknown")}
        unknown = str(values.get("unknown", SPECIALS[3]))
        return cls(tuple(values["symbols"]), read_tokenizer(about, model), unknown)


@dataclasses.dataclass(frozen=True)
class SourceEncoder:
    """Turns sources into what a model's encoder reads.

    Attributes:
      vocabulary: of the sources.
      length: sources of fewer symbols are filled up to this many, as models from Keras expect;
        0 in every run trained from the start.
      filler: the symbol that they are filled up with.
      fill_before: whether the fillers come before the source, or after it.
      backwards: whether sources are read from the last symbol to the first.
    """

    vocabulary: Vocabulary
    length: int = 0
    filler: str = SPECIALS[0]
    fill_before: bool = False
    backwards: bool = False

    def __post_init__(self) -> None:
        if self.filler not in self.vocabulary.symbols:
            raise UserError(
                f"source_filler must be a symbol of the source vocabulary, not {self.filler!r}."
            )

    @property
    def filler_id(self) -> int:
        """The id of the filler."""
        return self.vocabulary.symbols.index(self.filler)

    def encode(
        self, text: str, sampling: tuple[float, int] | None = None
    ) -> Int32[np.ndarray, " time"]:
        """Ids of a source.

        Unseen symbols become `<unk>` or are left out, as the tokenizer has it. A text without any
        known symbol stays empty.
        """
        return self._read(self.vocabulary.encode(text, sampling))

    def encode_and_report(self, text: str) -> tuple[Int32[np.ndarray, " time"], tuple[str, ...]]:
        """Ids of a source, and its unseen symbols, each once, in order."""
        symbols = self.vocabulary.tokenizer.divide(text)
        unseen = tuple(self.vocabulary.unseen_among(symbols))
        return self._read(self.vocabulary.ids_of(symbols)), unseen

    def _read(self, ids: Int32[np.ndarray, " symbols"]) -> Int32[np.ndarray, " time"]:
        """What the encoder reads of the ids of a text."""
        vocabulary = self.vocabulary
        ids = ids if vocabulary.tokenizer.reads_unseen else ids[ids != vocabulary.unk_id]
        ids = ids[::-1] if self.backwards else ids
        if not 0 < len(ids) < self.length:
            return ids
        fillers = np.full(self.length - len(ids), self.filler_id, np.int32)
        return np.concatenate([fillers, ids] if self.fill_before else [ids, fillers])
