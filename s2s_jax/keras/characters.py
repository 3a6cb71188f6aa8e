"""Which row of Keras's matrices is which character."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from s2s_jax.data.tokenizers import Tokenizer, make_tokenizer, read_tokenizer
from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.errors import UserError
from s2s_jax.keras.request import PADDINGS
from s2s_jax.keras.symbols import load
from s2s_jax.runtime.files import shown

_TOKENIZERS = ("source_tokenizer", "target_tokenizer")
_TOKENS = ("source_tokens", "target_tokens")  # Their keys in the JSON.
PLACES = {"": SPECIALS[0], SPECIALS[0]: SPECIALS[0], SPECIALS[3]: SPECIALS[3]}
"""Entries of a list that are not text, and the special symbols that they become."""


class Ids(NamedTuple):
    """The id here of each of Keras's characters, int `[characters]`.

    Target characters have two. The decoder reads the start as `<bos>`, but may also write it as
    an ordinary symbol.
    """

    source: np.ndarray
    target_inputs: np.ndarray
    target_outputs: np.ndarray


@dataclasses.dataclass(frozen=True)
class Characters:
    """What the tutorial knows apart from the model, under the tutorial's names.

    The fields are the keys of the JSON, except that the tokenizers are `source_tokens` and
    `target_tokens` there, or `tokens` for both. The lengths are 0 and `source_padding` is empty
    if unknown. An entry "" or "<pad>" of a list is unused, as the id 0 of a masked `Embedding` is.
    `unseen_target` is what Keras calls the "<unk>" of the target characters, or empty.
    """

    input_characters: tuple[str, ...]
    target_characters: tuple[str, ...]
    start: str = "\t"
    end: str = "\n"
    unseen_target: str = ""
    source_tokenizer: Tokenizer = make_tokenizer("char")
    target_tokenizer: Tokenizer = make_tokenizer("char")
    source_padding: str = ""
    source_backwards: bool = False
    max_encoder_seq_length: int = 0
    max_decoder_seq_length: int = 0

    def __post_init__(self) -> None:
        for key, tokenizer in (
            ("input_characters", self.source_tokenizer),
            ("target_characters", self.target_tokenizer),
        ):
            symbols = getattr(self, key)
            if not symbols or not all(isinstance(symbol, str) for symbol in symbols):
                raise UserError(f"{key} must be a list of characters.")
            if len(set(symbols)) != len(symbols):
                raise UserError(f"{key} must hold each character once.")
            known = {*PLACES, self.start, self.end}
            odd = [s for s in symbols if s not in known and not tokenizer.is_symbol(s)]
            if odd:
                raise UserError(
                    f"{key} must hold single {tokenizer.unit}; found {shown(odd[0], 40)!r}; if "
                    'texts were split at spaces, add the key "tokens" with the value "space".'
                )
        if not {self.start, self.end} <= set(self.target_characters) or self.start == self.end:
            raise UserError(
                f"target_characters must hold the start {self.start!r} and the end {self.end!r} "
                "of a target; name others with --start and --end."
            )
        if self.source_padding not in ("", *PADDINGS):
            raise UserError(
                f"source_padding must be one of {', '.join(PADDINGS)}, not "
                f"{shown(self.source_padding, 40)!r}."
            )
        if not isinstance(self.source_backwards, bool):
            raise UserError("source_backwards must be true or false.")
        if not isinstance(self.unseen_target, str):
            raise UserError("unseen_target must be a text.")
        for key in ("max_encoder_seq_length", "max_decoder_seq_length"):
            if type(getattr(self, key)) is not int or getattr(self, key) < 0:
                raise UserError(f"{key} must be a whole number of at least 0.")

    def vocabularies(self) -> tuple[Vocabulary, Vocabulary]:
        """The source and target vocabularies of a run.

        The start is `<bos>` at the beginning of a target. It is an ordinary symbol as well, since
        Keras's decode loop may write it.
        """
        own = [
            [s for s in symbols if s not in SPECIALS and s not in PLACES and s != end]
            for symbols, end in ((self.input_characters, None), (self.target_characters, self.end))
        ]
        return (
            Vocabulary((*SPECIALS, *own[0]), self.source_tokenizer),
            Vocabulary(
                (*SPECIALS, *own[1]), self.target_tokenizer, self.unseen_target or SPECIALS[3]
            ),
        )

    def ids(self, source: Vocabulary, target: Vocabulary) -> Ids:
        """The ids of Keras's characters in these vocabularies.

        Raises:
          UserError: if two entries of a list mean the same.
        """
        source_ids, target_ids = (
            {symbol: i for i, symbol in enumerate(vocabulary.symbols)}
            for vocabulary in (source, target)
        )
        names = {**PLACES, self.end: SPECIALS[2]}
        if self.start not in target_ids:  # A run trained here never writes it.
            names[self.start] = SPECIALS[1]
        inputs = {**names, self.start: SPECIALS[1]}
        ids = Ids(
            np.array([source_ids[PLACES.get(c, c)] for c in self.input_characters]),
            np.array([target_ids[inputs.get(c, c)] for c in self.target_characters]),
            np.array([target_ids[names.get(c, c)] for c in self.target_characters]),
        )
        if any(len(set(places)) < len(places) for places in ids):
            raise UserError('a list may have one empty place only: "" or "<pad>".')
        return ids

    def to_json(self) -> dict[str, Any]:
        """The keys that are known; `from_json` reads them again."""
        fields = (field.name for field in dataclasses.fields(self))
        values = {key: getattr(self, key) for key in fields if key not in _TOKENIZERS}
        sides = [getattr(self, key).to_dict() for key in _TOKENIZERS]
        tokens = dict(zip(_TOKENS, sides, strict=True))
        if sides[0] == sides[1] and set(sides[0]) == {"tokens"}:
            tokens = sides[0]
        return {key: value for key, value in {**values, **tokens}.items() if value}

    @classmethod
    def from_json(cls, path: Path) -> Self:
        """Reads what `to_json` gave.

        Raises:
          UserError: if the file cannot be read or holds something else.
        """
        values = load(path)
        try:
            return cls.from_values(values)
        except (AttributeError, TypeError, UserError) as error:
            raise UserError(f"{path}: {error}") from None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; other keys may be there.

        Raises:
          UserError: if a value is not what its key requires.
        """
        both = values.get("tokens", "char")
        arguments: dict[str, Any] = {}
        for key, tokenizer in zip(_TOKENS, _TOKENIZERS, strict=True):
            side = values.get(key, both)
            arguments[tokenizer] = read_tokenizer(
                side if isinstance(side, Mapping) else {"tokens": side}
            )
        for field in dataclasses.fields(cls):
            if field.name in values and field.name not in _TOKENIZERS:
                value = values[field.name]
                arguments[field.name] = tuple(value) if isinstance(value, list) else value
        try:
            return cls(**arguments)
        except TypeError as error:  # A key is missing, or a value is unhashable.
            raise UserError(str(error)) from None
