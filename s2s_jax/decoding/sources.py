"""Texts as the model reads them, and what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from s2s_jax.data.corpus import normalize
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import Run
from s2s_jax.runtime.files import shown


class Source(NamedTuple):
    """A text to answer; the names are those of `Translation`."""

    text: str
    ids: Int32[np.ndarray, " time"]
    unseen: tuple[str, ...]
    doubts: tuple[str, ...]


def read_sources(run: Run, texts: Sequence[str], strict: bool, first: int) -> list[Source]:
    """The texts as a run's model reads them; `first` is the number of the first, for messages.

    Raises:
      UserError: for a `str` in place of a sequence of them, and for what is no `str` in it; with
        `strict`, for unseen symbols.
    """
    if isinstance(texts, str):
        raise UserError("texts must be a list of sentences, not one; write [text].")
    sources, encoder = [], run.source_encoder
    for number, given in enumerate(texts, first):
        if not isinstance(given, str):
            raise UserError(f"a text must be a str, but text {number} is {shown(repr(given))}.")
        text = normalize(given)
        ids, unseen = encoder.encode_and_report(text)
        sources.append(Source(text, ids, unseen, _doubts(run, text, len(ids))))
    if strict:
        refuse_unseen([source.unseen for source in sources], first)
    return sources


def sources_and_targets(
    pairs: Sequence[tuple[str, str]], first: int
) -> tuple[list[str], list[str]]:
    """The sources, and the targets as they are scored; `first` is the number of the first pair.

    Raises:
      UserError: for what is no pair of texts.
    """
    for number, pair in enumerate(pairs, first):
        is_pair = isinstance(pair, Sequence) and not isinstance(pair, str) and len(pair) == 2
        if not is_pair or not all(isinstance(text, str) for text in pair):
            raise UserError(
                f"a pair must be (source, target), two str, but pair {number} is "
                f"{shown(repr(pair))}."
            )
    return [source for source, _ in pairs], [normalize(target) for _, target in pairs]


def _doubts(run: Run, text: str, length: int) -> tuple[str, ...]:
    """What else speaks against the answer to a text of `length` symbols."""
    doubts = []
    if "\t" in text:
        doubts.append(
            "there is a tab in it: if it is a pair, give its source alone, or use `score`"
        )
    longest = run.config.longest_source
    if 0 < longest < length:
        unit = run.source_vocabulary.tokenizer.unit
        doubts.append(f"its {length:,} {unit} are more than the {longest:,} seen in training")
    return tuple(doubts)


def refuse_unseen(unseen: Sequence[tuple[str, ...]], first: int) -> None:
    """Raises `UserError` for the first text with an unseen symbol, if there is one."""
    for number, symbols in enumerate(unseen, first):
        if symbols:
            raise UserError(
                f"line {number} has symbols that training never saw: "
                f"{' '.join(map(repr, symbols))}; leave out `strict` to skip them."
            )
