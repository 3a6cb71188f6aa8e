"""How a text is divided into columns: what the user says, and what its first lines show.

What can be read in two ways is refused, with a message that names the option to decide it.
"""

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from s2s_jax.config import Reading
from s2s_jax.data.reading.separators import SEPARATORS, find_quotes, find_separator, split_rows
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_ROWS = 1_000  # First lines that are looked at for separator, columns and header.
_SAME_LINES = 10  # From so many on, a cell that is always the same is no text to learn from.
_NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
_NAMES = """
source src target tgt trg input output original translation translated sentence text phrase question
answer query response reply prompt completion instruction context utterance label summary article
document title headline code sql command word words lemma form pronunciation phoneme phonemes
grapheme graphemes ipa transcription transliteration native roman noisy clean misspelled correct
wrong right formal informal human machine name intent meaning definition abbreviation expansion
en eng english fr fra fre french de deu ger german es spa spanish it ita italian pt por portuguese
nl nld dutch ru rus russian pl pol polish tr tur turkish ja jpn japanese zh cmn zho chinese ko kor
korean ar ara arabic hi hin hindi he heb hebrew el ell greek sv swe swedish fi fin finnish cs ces
czech uk ukr ukrainian vi vie vietnamese id ind indonesian bn ben bengali ta tam tamil te tel telugu
mr mar marathi ur urd urdu gu guj gujarati kn kan kannada ml mal malayalam pa pan punjabi ne nep
nepali fa fas farsi persian th tha thai ro ron romanian hu hun hungarian bg bul bulgarian da dan
danish nor norwegian ca cat catalan sw swa swahili yo yor yoruba ha hau hausa am amh amharic la lat
latin
"""
_HEADER = frozenset(_NAMES.split())
"""Words that the names of columns are made of."""


AS_WRITTEN = {"separator": "\t", "columns": "1,2", "quotes": "text"}
"""For the files of pairs in run folders, whose format is known."""


@dataclass(frozen=True)
class Columns:
    """Where the pairs stand in the lines of a text.

    Attributes:
      separator: what stands between columns.
      quoted: whether fields may stand in double quotes, as in CSV.
      source: the place of the source column, from 0.
      target: the place of the target column.
      header: whether the first line names the columns.
      width: how many columns there are; a row with more of them is none. 0 = any number.
    """

    separator: str = "\t"
    quoted: bool = False
    source: int = 0
    target: int = 1
    header: bool = False
    width: int = 0

    def __str__(self) -> str:
        """The layout in words; empty for plain tab-separated pairs."""
        if self == Columns():
            return ""
        text = f"columns {self.source + 1} and {self.target + 1}"
        text += f", separated by {_called(self.separator)}"
        text += ", quotes as in CSV" if self.quoted else ""
        return text + (", below a header" if self.header else "")


def _called(separator: str) -> str:
    """What messages call a separator."""
    return SEPARATORS.get(separator, shown(separator))


def find_columns(reading: Reading, name: str, head: Sequence[str]) -> Columns:
    """The columns of a text, by what the user says of it and by its first lines.

    Raises:
      UserError: the first lines can be read in several ways, or lack the columns asked for.
    """
    lines = [line for line in head if line.strip()]
    separator = {"\\t": "\t", "tab": "\t"}.get(reading.separator, reading.separator)
    separator = separator or find_separator(name, lines[:_ROWS])
    quoted = reading.quotes == "csv"
    if reading.quotes == "auto" and len(separator) == 1:
        quoted = separator in ",;" or find_quotes(name, separator, lines)
    if quoted and (len(separator) != 1 or separator in '"\r\n'):
        raise UserError("`quotes` csv needs a `separator` of one character; give another")
    rows = split_rows(lines[:_ROWS], separator, quoted)
    found = Columns(separator, quoted, width=_usual_width(separator, rows))
    if chosen := _wanted(reading.columns):
        return _chosen_columns(chosen, found, rows, name)
    _refuse_labels(rows, name)
    if len(rows) > 1 and _is_header(rows[0][:2]):
        names = shlex.quote(",".join(cell.strip() for cell in rows[0][:2]))
        raise UserError(
            f"line 1 of {shown(name)} looks like the names of its columns; give `columns`"
            f" {shown(names, 60)} if it is, or `columns` 1,2 if it is a pair"
        )
    if found.width > 2:
        called, row = _called(separator), next(row for row in rows if len(row) == found.width)
        raise UserError(
            f"the lines of {shown(name)} have {found.width} columns, separated by {called}; give"
            f" two of them, such as `columns` 1,2 for {shown(row[0].strip(), 40)!r} and"
            f" {shown(row[1].strip(), 40)!r}, or double quotes around a text with {called} in it"
        )
    return found


def choose_fields(columns: str, names: Sequence[str], name: str) -> tuple[str, str]:
    """Two fields of text, of records of these names; `columns` as in `Reading`.

    Raises:
      UserError: there are more than two to choose from, fewer, or none of that name.
    """
    listed = shown(", ".join(names) or "none", 120)
    if len(names) < 2:
        remedy = "give each pair two fields, not a list"
        raise UserError(f"{shown(name)} needs two fields of text, but has {listed}; {remedy}")
    chosen = _wanted(columns)
    if chosen is None:
        if len(names) == 2:
            return names[0], names[1]
        raise UserError(
            f"{shown(name)} has the fields {listed}; give `columns` and two of them, such as"
            f" {shown(names[0])},{shown(names[1])}"
        )
    found = []
    for column in chosen:
        fits = [each for each in names if column in (each, each.rpartition(".")[2])]
        if len(fits) != 1:
            raise UserError(
                f"`columns` asks for {shown(column)!r}, but {shown(name)} has the fields {listed};"
                " give two of them"
            )
        found.append(fits[0])
    return found[0], found[1]


def _wanted(columns: str) -> tuple[str, str] | None:
    """The two columns asked for, if any.

    Raises:
      UserError: there are not two of them.
    """
    if not columns:
        return None
    names = [name.strip() for name in columns.split(",")]
    if len(set(names)) != 2 or len(names) != 2 or not all(names):
        raise UserError(
            f"`columns` must be two numbers or names, not {shown(columns, 60)!r}; give for"
            " example 2,4 or en,fr"
        )
    return names[0], names[1]


def _chosen_columns(
    chosen: tuple[str, str], found: Columns, rows: Sequence[Sequence[str]], name: str
) -> Columns:
    """The columns asked for, by number or by name."""
    if all(column.isdecimal() and len(column) < 10 and int(column) for column in chosen):
        source, target = (int(column) - 1 for column in chosen)
        widest = max(map(len, rows), default=0)
        if rows and max(source, target) >= widest:
            raise UserError(
                f"`columns` asks for number {max(source, target) + 1}, but the first lines of"
                f" {shown(name)} have no more than {widest}, separated by"
                f" {_called(found.separator)}; give others, or the right `separator`"
            )
        width = found.width and max(found.width, source + 1, target + 1)
        return replace(found, source=source, target=target, width=width)
    header = [cell.strip().casefold() for cell in (rows[0] if rows else [])]
    for column in chosen:
        if header.count(column.casefold()) != 1:
            raise UserError(
                f"`columns` asks for {shown(column, 60)!r}, but line 1 of {shown(name)} names"
                f" {shown(', '.join(rows[0]) if rows else 'none', 120)!r}; give two names that"
                " stand there once, or two numbers"
            )
    source, target = (header.index(column.casefold()) for column in chosen)
    return replace(found, source=source, target=target, header=True, width=len(header))


def _usual_width(separator: str, rows: Sequence[Sequence[str]]) -> int:
    """How many columns most rows have; 0 where a row may have any number of them."""
    widths = Counter(map(len, rows)).most_common(1)
    return widths[0][0] if widths and separator != "\t" else 0


def _refuse_labels(rows: Sequence[Sequence[str]], name: str) -> None:
    """Raises if of several columns one of the first two labels the lines, instead of a text.

    Where no other column has texts, the second may hold what it likes.
    """
    body = [row for row in rows[1:] or rows if len(row) > 2]
    if not body or len(rows[0]) < 3:
        return
    width = min(map(len, body))
    labels = [_label([row[place].strip() for row in body]) for place in range(width)]
    texts = [place for place, label in enumerate(labels) if not label]
    column = next((place for place, label in enumerate(labels[:2]) if label), None)
    if column is None or (column == 1 and len(texts) < 2):
        return
    first, second = texts[:2] if len(texts) > 1 else [0, *texts, 1][:2]
    example, which = rows[0], f"{first + 1},{second + 1}"
    names = [rows[0][place].strip() for place in (first, second)]
    if _is_header(names):
        example, which = body[0], shlex.quote(",".join(names))
    raise UserError(
        f"column {column + 1} of {shown(name)} holds {shown(labels[column], 40)}; give the columns"
        f" of source and target, such as `columns` {shown(which, 60)} for"
        f" {shown(example[first], 40)!r} and {shown(example[second], 40)!r}"
        f"{', or `columns` 1,2 to take it as it is' * (which != '1,2')}"
    )


def _label(cells: Sequence[str]) -> str:
    """What the cells of a column hold if it is no text; else an empty text."""
    if all(map(_NUMBER.fullmatch, cells)):
        return "only numbers"
    same = len(cells) >= _SAME_LINES and len(set(cells)) == 1
    return f"{cells[0]!r} on every line" if same else ""


def _is_header(cells: Sequence[str]) -> bool:
    """Whether these are names of two columns, rather than a pair."""
    names = [cell.strip().casefold() for cell in cells]
    return len(names) == 2 and names[0] != names[1] and all(map(_is_name, names))


def _is_name(cell: str) -> bool:
    """Whether a cell is made of words that name columns, as "english words/sentences" is."""
    words = list(filter(None, re.split(r"[\s\d_./()-]+", cell)))
    return bool(words) and all(_HEADER & {word, word.removesuffix("s")} for word in words)
