"""Data files to sentence pairs, with an account of what was left out."""

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import NamedTuple

from s2s_jax.config import EVERYTHING, Reading
from s2s_jax.data.reading.delimited import Row
from s2s_jax.data.reading.tables import open_table
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import AS_LINES, shown

_FIRST_LINES = 5
_OTHER_FORMS = (".po", ".pot", ".srt", ".vtt", ".yml", ".yaml", ".sgm", ".xml")
"""Texts with pairs that are no lines of columns."""
_REMEDIES = {
    "line too long": "end each pair with a line feed",
    "control character": "save it as plain text in UTF-8 with a line feed after each pair",
    "no tab": "put a tab between source and target on each line, name what stands there"
    " (`separator`), or give a second file of targets",
    "too few columns": "give the right `separator`, and the right `columns`",
    "too many columns": "put double quotes around a text that holds the separator, or give the"
    " right `separator`",
    "broken quotes": "close the quotes, or give `quotes` text",
    "broken JSON": "put one JSON object on each line",
    "no text": "give two fields of text by `columns`",
    "empty side": "give each line a source and a target, with a tab between them",
    "source too long": "raise `max_source_length`",
    "target too long": "raise `max_target_length`",
}


class Pair(NamedTuple):
    """A source sentence and its translation, both normalized and neither empty."""

    source: str
    target: str


@dataclass(frozen=True)
class Skipped:
    """How many lines were left out for one reason, and the numbers (from 1) of the first."""

    count: int
    first_lines: tuple[int, ...]


@dataclass(frozen=True)
class Corpus:
    """The distinct pairs of a data file in its order, and what was left out and why.

    `lines` are the numbers (from 1) of the lines that the pairs stand on. The sources of the pairs
    in `always_train` are never held out for validation. `form` says how the pairs are laid out,
    unless they are plain tab-separated ones. `unread` is the number of lines behind those that
    `num_samples` let be read, or a lower bound of it if `unread_more`.
    """

    pairs: list[Pair]
    skipped: dict[str, Skipped]
    lines: list[int]
    always_train: frozenset[Pair] = frozenset()
    form: str = ""
    unread: int = 0
    unread_more: bool = False

    def skipped_texts(self) -> list[str]:
        """What was skipped, how often, and on which lines, one text for each reason."""
        texts = []
        for reason, skipped in self.skipped.items():
            lines = ", ".join(map(str, skipped.first_lines))
            more = ", ..." if skipped.count > len(skipped.first_lines) else ""
            texts.append(f"{reason}: {skipped.count:,} (line {lines}{more})")
        return texts


def normalize(text: str) -> str:
    """Unicode NFC without outer whitespace: what is trained on and what is decoded alike."""
    return unicodedata.normalize("NFC", text).strip()


def read_pairs(
    path: str | os.PathLike | tuple[str | os.PathLike, ...], reading: Reading = EVERYTHING
) -> Corpus:
    """Reads the usable distinct pairs of a data file, as many as `reading` asks for.

    Args:
      path: a text, plain, gzipped, or in a zip; or one of sources and one of targets.
      reading: how the pairs stand in the text, and which of them are taken. Lines after the last
        one taken are only counted.

    Raises:
      UserError: the file cannot be read, is in another encoding, may be read in several ways or
        has no usable line.
    """
    paths = tuple(map(Path, path)) if isinstance(path, tuple) else (Path(path),)
    with open_table(paths, reading) as table:
        corpus = collect_rows(" and ".join(map(shown, paths)), table.rows, reading)
        unread, complete = table.count_rest()
    return replace(corpus, form=table.form, unread=unread, unread_more=not complete)


def collect_rows(origin: str, rows: Iterable[tuple[int, Row]], reading: Reading) -> Corpus:
    """What `read_pairs` does, with numbered rows; `origin` says in a message where from.

    Raises:
      UserError: no row is usable.
    """
    pairs: dict[Pair, int] = {}  # a set that keeps the order of the file, with line numbers
    skipped: dict[str, Skipped] = {}
    number = 0
    for number, row in rows:
        found = _pair(row, reading)
        if isinstance(found, Pair) and found not in pairs:
            pairs[found] = number
            if len(pairs) == reading.num_samples:
                break
        else:
            _note(skipped, "duplicate" if isinstance(found, Pair) else found, number)
    if not pairs:
        raise _unusable(origin, number, skipped)
    return Corpus(list(pairs), skipped, list(pairs.values()))


def _pair(row: Row, reading: Reading) -> Pair | str:
    """The pair that stands in the row, or the reason why none does."""
    if isinstance(row, str):
        return row
    source, target = map(normalize, reversed(row) if reading.swap else row)
    if not (source and target):
        return "empty side"
    if 0 < reading.max_source_length < len(source):
        return "source too long"
    if 0 < reading.max_target_length < len(target):
        return "target too long"
    return Pair(source, target)


def _note(skipped: dict[str, Skipped], reason: str, number: int) -> None:
    before = skipped.get(reason, Skipped(0, ()))
    first_lines = (*before.first_lines, number)[:_FIRST_LINES]
    skipped[reason] = Skipped(before.count + 1, first_lines)


def _unusable(origin: str, lines: int, skipped: dict[str, Skipped]) -> UserError:
    counts = ", ".join(
        f"{reason} {skip.count} (first at line {skip.first_lines[0]})"
        for reason, skip in skipped.items()
    )
    most = max(skipped, key=lambda reason: skipped[reason].count, default="no tab")
    form = PurePath(origin).suffix.lower()
    remedy = _REMEDIES[most]
    if form in _OTHER_FORMS:
        remedy = f"{form} is not read; {AS_LINES}"
    return UserError(
        f"no usable line in {origin}, which needs lines of source<TAB>target:"
        f" lines read: {lines}, skipped: {counts or 'none'}; {remedy}"
    )
