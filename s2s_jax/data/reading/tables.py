"""Data files as rows of two texts: delimited text, JSON lines, or two files side by side."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath

from s2s_jax.config import Reading
from s2s_jax.data.reading.arrow import ArrowData, is_arrow
from s2s_jax.data.reading.delimited import Row, clean, plain_rows, quoted_rows
from s2s_jax.data.reading.files import open_chunks
from s2s_jax.data.reading.layout import choose_fields, find_columns
from s2s_jax.data.reading.lines import Lines
from s2s_jax.data.reading.records import json_record, not_lines, refuse_turns, texts_of
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown


@dataclass(frozen=True)
class Table:
    """The rows of data that was opened.

    Attributes:
      rows: the number of each line (from 1), and what stands on it.
      form: its layout in words; empty for plain tab-separated pairs.
      count_rest: gives the number of lines that were not asked for, and whether that is all of
        them.
    """

    rows: Iterator[tuple[int, Row]]
    form: str
    count_rest: Callable[[], tuple[int, bool]]


@contextmanager
def open_table(paths: tuple[Path, ...], reading: Reading) -> Iterator[Table]:
    """Opens one file, or the file of the sources and that of the targets.

    Raises:
      UserError: the data cannot be read, or can be read in several ways.
    """
    if len(paths) == 1 and is_arrow(paths[0]):
        yield _arrow_table(ArrowData.open(paths[0]), reading)
        return
    with ExitStack() as stack:
        texts = [
            Lines(path, *stack.enter_context(open_chunks(path, reading.encoding))) for path in paths
        ]
        if len(texts) == 2:
            if reading.columns or reading.separator:
                raise UserError(
                    "two files have one column each; leave out `columns` and `separator`, or give"
                    " one file"
                )
            yield _parallel(*texts)
        else:
            yield _table(texts[0], reading)


def _table(lines: Lines, reading: Reading) -> Table:
    head = lines.head()
    if 2 * sum("\0" in line for line in head) > len(head):
        raise UserError(
            f"{shown(lines.path)} looks like UTF-16 or a binary file: save it as UTF-8 text;"
            " or give its `encoding`, such as utf-16-le"
        )
    first = next((line for line in head if line.strip()), "")
    record = json_record(first)
    texts = texts_of(record or {})
    ends = PurePath(lines.name).suffix.lower()
    if arguments := not_lines(head, record, texts, ends == ".json" and record is None):
        file = shlex.quote(str(lines.path))
        raise UserError(
            f"{shown(lines.path)} is not read as one JSON text, or as arrays: give JSON lines, with"
            f" an object on each, or columns between tabs; this writes them: jq {arguments} {file}"
        )
    if record is not None and not reading.separator:
        # Without being told, a number is no text.
        names = [key for key, text in texts.items() if reading.columns or isinstance(text, str)]
        if not reading.columns:
            refuse_turns(names, lines.name)
        fields = choose_fields(reading.columns, names, lines.name)
        form = f"JSON lines, fields {fields[0]} and {fields[1]}"
        return Table(_json_rows(lines, fields), form, lines.count_rest)
    columns = find_columns(reading, lines.name, head)
    rows = quoted_rows(lines, columns) if columns.quoted else plain_rows(lines, columns)
    return Table(rows, str(columns), lines.count_rest)


def _has_columns(head: list[str]) -> bool:
    """Whether most lines have a tab, by the first of them."""
    lines = [line for line in head if line.strip()]
    return 2 * sum("\t" in line for line in lines) > len(lines)


def _json_rows(lines: Lines, fields: tuple[str, str]) -> Iterator[tuple[int, Row]]:
    for number, line in lines:
        record = None if line is None else json_record(line)
        if line is None:
            yield number, "line too long"
        elif record is None:
            yield number, "broken JSON"
        else:
            texts = texts_of(record)
            found = [str(texts[field]) for field in fields if field in texts]
            yield number, clean(*found) if len(found) == 2 else "no text"


def _arrow_table(data: ArrowData, reading: Reading) -> Table:
    names = data.fields(numbers=bool(reading.columns))
    fields = choose_fields(reading.columns, names, data.path.name)
    read = 0

    def rows() -> Iterator[tuple[int, Row]]:
        """The rows, counted as they are read."""
        nonlocal read
        for read, texts in enumerate(data.rows(fields), 1):
            yield read, "no text" if None in texts else clean(*map(str, texts))

    def count_rest() -> tuple[int, bool]:
        """The number of rows that were not read, which Arrow knows exactly."""
        return data.count() - read, True

    return Table(rows(), f"fields {fields[0]} and {fields[1]}", count_rest)


def _parallel(sources: Lines, targets: Lines) -> Table:
    """Two files with a line in the one for each line of the other."""
    if all(_has_columns(lines.head()) for lines in (sources, targets)):
        raise UserError(
            f"two files are one of sources and one of targets, but {shown(sources.path)} and"
            f" {shown(targets.path)} have tabs in their lines; give one file, with the lines of"
            " both"
        )

    def rows() -> Iterator[tuple[int, Row]]:
        """The rows as far as both files go; raises as `count_rest` does at the end."""
        for (number, source), (_, target) in zip(sources, targets, strict=False):
            if source is None or target is None:
                yield number, "line too long"
            else:
                yield number, clean(source, target)
        count_rest()

    def count_rest() -> tuple[int, bool]:
        """The lines left in the first file; raises `UserError` if the other has fewer or more."""
        rest = sources.count_rest()
        counted = ((sources, rest), (targets, targets.count_rest()))
        counts = [(lines.number + left, exact) for lines, (left, exact) in counted]
        (fewer, known), (more, _) = sorted(counts)  # What is not exact is the least it can be.
        if known and fewer < more:
            first, second = (f"{n:,}" if exact else f"at least {n:,}" for n, exact in counts)
            raise UserError(
                f"{shown(sources.path)} has {first} lines and {shown(targets.path)} {second},"
                " but line by line they must be pairs; give files that match"
            )
        return rest

    form = f"the lines of {sources.name} with those of {targets.name}"
    return Table(rows(), form, count_rest)
