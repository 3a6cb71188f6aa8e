"""Files to sentence pairs, and the split of the pairs into training and validation."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from s2s_jax.data.files import open_lines
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import safe_name, shown

_FIRST_LINES = 5
# Unicode's category Cc is fixed for ever; the tab separates columns, so it is none here.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_REMEDIES = {
    "line too long": "end each pair with a line feed",
    "control character": "save it as plain text in UTF-8 with a line feed after each pair",
    "no tab": "put a tab between source and target on each line",
    "empty side": "give each line a source and a target, with a tab between them",
    "source too long": "raise --max-source-length",
    "target too long": "raise --max-target-length",
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

    `name` is the stem of the text file and can be used as the name of a folder; `lines` are the
    numbers (from 1) of the lines that the pairs stand on. The sources of the pairs in
    `always_train` are never held out for validation.
    """

    name: str
    pairs: list[Pair]
    skipped: dict[str, Skipped]
    lines: list[int]
    always_train: frozenset[Pair] = frozenset()


def normalize(text: str) -> str:
    """Unicode NFC without outer whitespace: what is trained on and what is decoded alike."""
    return unicodedata.normalize("NFC", text).strip()


def read_pairs(
    path: str | os.PathLike,
    num_samples: int = 0,
    swap: bool = False,
    max_source_length: int = 0,
    max_target_length: int = 0,
) -> Corpus:
    """Reads the first `num_samples` usable distinct pairs of a data file (0: all of them).

    Args:
      path: tab-separated UTF-8 text, plain, gzipped, or in a zip.
      num_samples: reading stops after so many pairs; what follows is not looked at.
      swap: the second column is the source and the first the target.
      max_source_length: in characters after `normalize`; longer pairs are skipped (0: no limit).
      max_target_length: the same for targets.

    Raises:
      UserError: the file cannot be read, is not UTF-8, or has no usable line; or a number is
        negative.
    """
    limits = {"--max-source-length": max_source_length, "--max-target-length": max_target_length}
    for option, value in {"--num-samples": num_samples, **limits}.items():
        if value < 0:
            raise UserError(
                f"{option} must be 0 (no limit) or more, but is {value}; give 0 or more"
            )
    with open_lines(path) as (file_name, lines):
        return collect_pairs(
            safe_name(PurePath(file_name).stem),
            lines,
            num_samples,
            swap,
            max_source_length,
            max_target_length,
            origin=shown(os.fspath(path)),
        )


def collect_pairs(
    name: str,
    lines: Iterable[tuple[int, str | None]],
    num_samples: int = 0,
    swap: bool = False,
    max_source_length: int = 0,
    max_target_length: int = 0,
    origin: str = "",
) -> Corpus:
    """What `read_pairs` does, with lines that are already text.

    Args:
      name: of the corpus.
      lines: numbers and texts; None stands for a line that was too long to be held.
      num_samples, swap, max_source_length, max_target_length: as in `read_pairs`.
      origin: where the lines are from, for a message; `name` if empty.

    Raises:
      UserError: no line is usable.
    """
    pairs: dict[Pair, int] = {}  # a set that keeps the order of the file, with line numbers
    skipped: dict[str, Skipped] = {}
    nul_lines = number = 0
    for number, line in lines:
        found = _parse(line, swap, max_source_length, max_target_length)
        if isinstance(found, Pair) and found not in pairs:
            pairs[found] = number
            if len(pairs) == num_samples:
                break
        else:
            _note(skipped, "duplicate" if isinstance(found, Pair) else found, number)
            nul_lines += line is not None and "\0" in line
    if not pairs:
        raise _unusable(origin or name, number, skipped, nul_lines)
    return Corpus(name, list(pairs), skipped, list(pairs.values()))


def split_pairs(
    pairs: Sequence[Pair],
    fraction: float,
    how: str,
    seed: int,
    always_train: Collection[Pair] = (),
) -> tuple[list[Pair], list[Pair]]:
    """Divides the pairs into (training, validation), each in the order given.

    Args:
      pairs: what to divide.
      fraction: the share for validation, at least 0 and less than 1; 0 means none.
      how: "source" draws whole source sentences at random, so that none stands on both sides;
        "tail" takes the last pairs, as Keras's `validation_split` does.
      seed: decides which sources are drawn.
      always_train: pairs whose sources are never held out.

    Raises:
      UserError: an argument is out of its range, or a part would be left empty.
    """
    if how not in ("source", "tail"):
        raise UserError(f"--split must be source or tail, but is {shown(how, 40)!r}; choose one")
    if not 0 <= fraction < 1:
        raise UserError(
            f"--validation-split must be at least 0 and less than 1, but is {fraction};"
            " give for example 0.2"
        )
    if seed < 0:
        raise UserError(f"--seed must be 0 or more, but is {seed}; give 0 or more")
    if fraction == 0:
        return list(pairs), []
    kept = {pair.source for pair in pairs if pair in always_train}
    free = [place for place, pair in enumerate(pairs) if pair.source not in kept]
    if how == "tail":
        first = int(len(pairs) * (1 - fraction))
        held_out = {place for place in free if place >= first}
    else:
        drawn = _draw_sources([pairs[place] for place in free], fraction * len(pairs), seed)
        held_out = {place for place in free if pairs[place].source in drawn}
    training = [pair for place, pair in enumerate(pairs) if place not in held_out]
    validation = [pair for place, pair in enumerate(pairs) if place in held_out]
    if not training or not validation:
        sources = len({pair.source for pair in pairs})
        raise UserError(
            f"--validation-split {fraction} with --split {how} must leave pairs on both sides, but"
            f" of {len(pairs)} pairs ({sources} distinct sources) it takes {len(training)} for"
            f" training and {len(validation)} for validation; use more pairs, another fraction, or"
            " --validation-split 0"
        )
    return training, validation


def _parse(line: str | None, swap: bool, max_source: int, max_target: int) -> Pair | str:
    """The pair that stands on the line, or the reason why none does."""
    if line is None:
        return "line too long"
    # The whole line counts: a carriage return among the ignored columns may hide more pairs.
    if _CONTROL.search(line):
        return "control character"
    columns = line.split("\t", 2)
    if len(columns) < 2:
        return "no tab"
    first, second = normalize(columns[0]), normalize(columns[1])
    pair = Pair(second, first) if swap else Pair(first, second)
    if not (pair.source and pair.target):
        return "empty side"
    if 0 < max_source < len(pair.source):
        return "source too long"
    if 0 < max_target < len(pair.target):
        return "target too long"
    return pair


def _note(skipped: dict[str, Skipped], reason: str, number: int) -> None:
    before = skipped.get(reason, Skipped(0, ()))
    first_lines = (*before.first_lines, number)[:_FIRST_LINES]
    skipped[reason] = Skipped(before.count + 1, first_lines)


def _unusable(origin: str, lines: int, skipped: dict[str, Skipped], nul_lines: int) -> UserError:
    counts = ", ".join(
        f"{reason} {skip.count} (first at line {skip.first_lines[0]})"
        for reason, skip in skipped.items()
    )
    most = max(skipped, key=lambda reason: skipped[reason].count, default="no tab")
    remedy = _REMEDIES[most]
    if 2 * nul_lines > lines:
        remedy = "it looks like UTF-16 or a binary file: save it as UTF-8 text"
    return UserError(
        f"no usable line in {origin}, which needs lines of source<TAB>target:"
        f" lines read: {lines}, skipped: {counts or 'none'}; {remedy}"
    )


def _draw_sources(pairs: Sequence[Pair], wanted: float, seed: int) -> set[str]:
    """Sources that together have as many pairs as wanted, or all but one of the sources."""
    counts = Counter(pair.source for pair in pairs)  # in the order of the file, so reproducible
    sources = list(counts)
    drawn: set[str] = set()
    held = 0
    for index in np.random.default_rng(seed).permutation(len(sources))[:-1]:
        if held >= round(wanted):
            break
        drawn.add(sources[index])
        held += counts[sources[index]]
    return drawn
