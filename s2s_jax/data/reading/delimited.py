"""Lines of delimited text as rows: the pair of each, or the reason why there is none."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from s2s_jax.data.reading.layout import PLAIN, Columns
from s2s_jax.data.reading.lines import Lines
from s2s_jax.data.reading.separators import MOST_LINES, csv_reader

Row = tuple[str, str] | str
"""Source and target as they stand, or the reason why a line has none."""

# Unicode's category Cc never changes; a tab is fine in a text. Lone surrogates, which
# JSON can spell, have no place in a text file.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")


def plain_rows(
    lines: Iterable[tuple[int, str | None]], columns: Columns = PLAIN
) -> Iterator[tuple[int, Row]]:
    """The rows of lines in which a separator always separates."""
    separator, least = columns.separator, max(columns.source, columns.target)
    missing = "no tab" if separator == "\t" and least == 1 else "too few columns"
    most = -1 if columns.width else least + 1
    header = columns.header
    for number, line in lines:
        if header and line and line.strip():
            header = False
        elif line is None:
            yield number, "line too long"
        # The whole line counts: a carriage return among the other columns may hide more pairs.
        elif _CONTROL.search(line):
            yield number, "control character"
        elif len(fields := line.split(separator, most)) <= least:
            yield number, missing
        elif _too_many(fields, columns):
            yield number, "too many columns"
        elif separator == "\t":
            yield number, (fields[columns.source], fields[columns.target])
        else:
            yield number, (_flat(fields[columns.source]), _flat(fields[columns.target]))


def _too_many(fields: Sequence[str], columns: Columns) -> bool:
    """Whether there is text behind the last column: a separator in a text has cut it."""
    return columns.width > 0 and any(map(str.strip, fields[columns.width :]))


def quoted_rows(lines: Lines, columns: Columns) -> Iterator[tuple[int, Row]]:
    """The rows of lines in which fields may stand in quotes, and go on in the next line."""
    numbered, header = iter(lines), columns.header
    record: list[tuple[int, str | None]] = []  # The lines of the row that is being read.
    again: deque[tuple[int, str | None]] = deque()

    def text() -> Iterator[str]:
        """The lines as csv reads them, empty where one is too long."""
        while (line := again.popleft() if again else next(numbered, None)) is not None:
            record.append(line)
            yield f"{line[1] or ''}\n"

    reader = csv_reader(text(), columns.separator, strict=True)
    while True:
        record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            row = "control character" if "new-line" in str(error) else "broken quotes"
        else:
            if header and any(map(str.strip, fields)):
                header = False
                continue
            if any(line is None for _, line in record):
                row = "line too long"
            else:
                row = _picked(fields, columns)
        if isinstance(row, str) and len(record) > MOST_LINES:
            # Nothing closes the quotes that the first line opens: the others are no part of it.
            row = "broken quotes"
            again.extendleft(reversed(record[1:]))
            del record[1:]
            reader = csv_reader(text(), columns.separator, strict=True)
        for number, _ in record if isinstance(row, str) else record[:1]:
            yield number, row


def _picked(fields: Sequence[str], columns: Columns) -> Row:
    """The pair among the fields of a row, or the reason why there is none."""
    if len(fields) <= max(columns.source, columns.target):
        return "too few columns"
    if _too_many(fields, columns):
        return "too many columns"
    return clean(fields[columns.source], fields[columns.target])


def clean(source: str, target: str) -> Row:
    """The pair with line breaks and tabs as spaces, or what is wrong with it."""
    source, target = _flat(source), _flat(target)
    return "control character" if _CONTROL.search(source + target) else (source, target)


def _flat(text: str) -> str:
    return re.sub(r"[\t\r\n]+", " ", text)
