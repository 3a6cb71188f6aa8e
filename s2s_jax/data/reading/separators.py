"""What separates the columns of a text, and whether fields stand in quotes, by its first lines."""

import csv
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import PurePath

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

SEPARATORS = {"\t": "tabs", "|||": "|||", ";": "semicolons", ",": "commas", "^": "^", "|": "|"}
"""Those looked for, and what messages call them."""

MOST_LINES = 20
"""Of one field in quotes, where these may be a mistake."""

_FIELD = re.compile(r'"(?:[^"]|"")*"')


def find_separator(name: str, lines: Sequence[str]) -> str:
    """The only separator that divides all lines alike; a tab if none does.

    The name is that of the file: in a .csv, commas are nothing unusual.

    Raises:
      UserError: several do, or a comma in what may be plain sentences.
    """
    in_csv = PurePath(name).suffix.lower() == ".csv"
    with_tab = sum("\t" in line for line in lines)
    if 2 * with_tab >= len(lines) and not in_csv:
        return "\t"
    fits = [separator for separator in SEPARATORS if _divides(separator, lines)]
    if "|||" in fits and "|" in fits:
        fits.remove("|")
    if fits == [","] and not in_csv:
        raise UserError(
            f"the lines of {shown(name)} have no tabs, but commas; give `separator` , if these"
            " stand between source and target"
        )
    if len(fits) > 1:
        names = " or ".join(SEPARATORS[separator] for separator in fits)
        typed = [shlex.quote(separator.replace("\t", "tab")) for separator in fits]
        flags = " or ".join(f"`separator` {separator}" for separator in typed)
        raise UserError(f"the columns of {shown(name)} may be separated by {names}; give {flags}")
    return fits[0] if fits else "," if in_csv and not with_tab else "\t"


def _divides(separator: str, lines: Sequence[str]) -> bool:
    widths = Counter(map(len, split_rows(lines, separator, separator in ",;")))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    return width > 1 and count >= 0.9 * widths.total()


def find_quotes(name: str, separator: str, lines: Sequence[str]) -> bool:
    """Whether double quotes enclose fields, as in CSV, rather than belong to the text.

    Raises:
      UserError: the lines allow both.
    """
    if not any('"' in line for line in lines):
        return False
    widths = Counter(line.count(separator) + 1 for line in lines)
    width = widths.most_common(1)[0][0]
    rows = [record.split(separator) for record in _records(lines, separator, width)]
    rows = [row for row in rows if len(row) == width]
    quotes = [field for row in rows for field in row if '"' in field]
    enclosed = [field for field in quotes if _FIELD.fullmatch(field)]
    # A writer of CSV encloses each field that holds a quote. Speech in texts is seldom all of one,
    # though `"Why?""Because."` looks as if it were enclosed.
    if 2 * len(enclosed) < len(quotes):
        return False
    # Within quotes that enclose, quotes are doubled and a line may end.
    surely = any('""' in field[1:-1] or "\n" in field for field in enclosed)
    columns = list(zip(*rows[1:], strict=True))  # The first row may be a header.
    always = [all(map(_FIELD.fullmatch, column)) for column in columns]
    if len(enclosed) < len(quotes) and not surely and not any(always):
        return False
    if len(enclosed) == len(quotes):
        plain = [
            not each and not _numbers(column) for each, column in zip(always, columns, strict=True)
        ]
        if surely or (any(always) and not any(plain)):
            return True
        if not any(always):
            return False
    raise UserError(
        f"double quotes in {shown(name)} may enclose its fields or belong to the text; give"
        " `quotes` csv or `quotes` text"
    )


def _records(lines: Sequence[str], separator: str, width: int) -> Iterator[str]:
    """The lines, joined where an open quote and missing columns show that a field goes on."""
    place = 0
    while place < len(lines):
        record, end = lines[place], place + 1
        while record.count('"') % 2 and end < min(len(lines), place + MOST_LINES):
            if min(record.count(separator), lines[end].count(separator)) + 1 >= width:
                break
            record += "\n" + lines[end]
            end += 1
        yield record
        place = end


def _numbers(column: Sequence[str]) -> bool:
    return all(field.strip().isdecimal() or not field.strip() for field in column)


def split_rows(lines: Sequence[str], separator: str, quoted: bool) -> list[list[str]]:
    """The fields of each row."""
    if not quoted:
        return [line.split(separator) for line in lines]
    rows: list[list[str]] = []
    with suppress(csv.Error):  # The rows before a fault show enough.
        rows.extend(csv_reader((line + "\n" for line in lines), separator))
    return rows


def csv_reader(
    lines: Iterable[str], separator: str, *, strict: bool = False
) -> Iterator[list[str]]:
    """The rows of CSV, in which a space may stand between a separator and an opening quote."""
    spaced = separator != " "
    return csv.reader(lines, delimiter=separator, strict=strict, skipinitialspace=spaced)
