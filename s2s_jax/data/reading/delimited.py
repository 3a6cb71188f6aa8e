"""Lines of delimited text as rows: the pair of each, or the reason why there is none."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from s2s_jax.data.reading.layout import Columns
from s2s_jax.data.reading.lines import Lines
from s2s_jax.data.reading.separators import MOST_LINES, csv_reader

Row = tuple[str, str] | str
"""Source and target as they stand, or the reason why a line has none."""

# Unicode's category Cc never changes; a tab is fine in a text. Lone surrogates, which
# JSON can spell, have no place in a text file.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAKS = re.compile(r"[\t\r\n]+")


def plain_rows(
    lines: Iterable[tuple[int, str | None]], columns: Columns
) -> Iterator[tuple[int, Row]]:
    """The rows of lines in which a separator always separates."""
    most = -1 if columns.width else max(columns.source, columns.target) + 1
    header = columns.header
    for number, line in lines:
        if header and line and line.strip():
            header = False
        elif line is None:
            yield number, "line too long"
        # The whole line counts: a carriage return among the other columns may hide more pairs.
        elif _CONTROL.search(line):
            yield number, "control character"
        else:
            row = _picked(line.split(columns.separator, most), columns)
            # Nothing but a tab is left that would have to be cleaned.
            yield number, row if columns.separator == "\t" else _cleaned(row)


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
                row = _cleaned(_picked(fields, columns))
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
    last = max(columns.source, columns.target)
    if len(fields) <= last:
        return "no tab" if columns.separator == "\t" and last == 1 else "too few columns"
    if columns.width and any(map(str.strip, fields[columns.width :])):
        return "too many columns"  # A separator in a text has cut it.
    return fields[columns.source], fields[columns.target]


def _cleaned(row: Row) -> Row:
    return row if isinstance(row, str) else clean(*row)


def clean(source: str, target: str) -> Row:
    """The pair with line breaks and tabs as spaces, or what is wrong with it."""
    source, target = (_BREAKS.sub(" ", text) for text in (source, target))
    return "control character" if _CONTROL.search(source + target) else (source, target)
