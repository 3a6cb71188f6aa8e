"""Vocabularies as people saved them, read from JSON or a table.

The tutorial's lists, indices from symbols to numbers or back, what `get_vocabulary` of a
`TextVectorization` gives, and `Tokenizer.to_json` of Keras 2; both sides in one file, or each in
its own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.data.vocabulary import SPECIALS
from s2s_jax.errors import UserError
from s2s_jax.keras.remedies import how_to_convert, how_to_list
from s2s_jax.runtime.files import shown, stand_in

_MAX_BYTES = 1 << 26
_BOTH = (
    ("input_characters", "target_characters"),
    ("input_words", "target_words"),
    ("input_token_index", "target_token_index"),
    ("reverse_input_char_index", "reverse_target_char_index"),
)
"""Keys under which both sides stand in one object, as scripts of this kind name them."""

_STARTS_AND_ENDS = (
    ("\t", "\n"), ("START", "END"), ("START_", "_END"), ("[START]", "[END]"), ("[start]", "[end]"),
    ("<START>", "<END>"), ("<start>", "<end>"), ("start", "end"), ("startseq", "endseq"),
    ("_START_", "_END_"), ("_start_", "_end_"), ("<SOS>", "<EOS>"), ("<sos>", "<eos>"),
    ("[SOS]", "[EOS]"), ("SOS", "EOS"), ("sos", "eos"), ("sostok", "eostok"), ("<BOS>", "<EOS>"),
    ("<bos>", "<eos>"), ("BOS", "EOS"), ("bos", "eos"), ("<s>", "</s>"), ("<GO>", "<EOS>"),
    ("<go>", "<eos>"),
)  # fmt: skip
"""What scripts of this kind put around a target."""

_UNSEEN = re.compile(r"(?i:[<\[_]+(unk(nown)?|oov)[>\]_]*)|UNK|OOV")
"""How `TextVectorization` of Keras, and programs, name what unseen symbols are read as."""

_PADDING = re.compile(r"(?i:[<\[_]+pad(ding)?[>\]_]*)|PAD")
"""How programs name the number 0, which they pad texts with."""

_PICKLES = (b"\x80", b"\x93NUMPY")  # NumPy packs its dictionaries as pickles.


class Side(NamedTuple):
    """The symbols of one side in their order, and what a Tokenizer of Keras did to its texts."""

    symbols: tuple[Any, ...]
    lower: bool = False
    filters: str = ""
    """Characters that it replaced by spaces."""
    unseen: str = ""
    """Keras's name for the symbol of unseen ones, which is `<unk>` here; empty without one."""

    def tokens(self, kind: Any) -> Any:
        """What `read_tokenizer` reads: the kind of the units, and what was done to the texts."""
        about = {"lower": self.lower, "filters": self.filters, "reads_unseen": bool(self.unseen)}
        if kind not in ("char", "space") or not any(about.values()):
            return kind  # It says so itself, or there is nothing to say.
        return {"tokens": kind, **about}


class Saved(NamedTuple):
    """Both sides, and the other keys of the object that they stood in."""

    source: Side
    target: Side
    about: Mapping[str, Any]


def read_vocabularies(paths: Sequence[Path], sizes: tuple[int, int]) -> Saved:
    """Reads the symbols of both sides, from one file or from one for each, the source's first.

    The sizes are the model's numbers of symbols; the numbers of an index lie below.

    Raises:
      UserError: if a file cannot be read or holds something else.
    """
    values, about = [load(path) for path in paths], {}
    if len(paths) == 1:
        values, about = _both_sides(paths[0], values[0])
    if len(values) != 2:
        raise UserError(f"--vocabulary takes one file or two, not {len(values)}.")
    try:
        source = _side(values[0], sizes[0], spare=1)
        target = _side(values[1], sizes[1])
    except (UserError, ValueError) as error:
        raise UserError(f"{' and '.join(map(str, paths))}: {error}") from None
    return Saved(source, target, about)


def start_and_end(symbols: Sequence[str]) -> tuple[str, str]:
    """What begins and what ends each target: the tutorial's, unless others are there.

    Raises:
      UserError: if several pairs are there.
    """
    found = [pair for pair in _STARTS_AND_ENDS if set(pair) <= set(symbols)]
    if len(found) > 1:
        pairs = ", ".join(f"{start!r} and {end!r}" for start, end in found)
        raise UserError(
            f"several pairs of symbols may begin and end a target: {pairs}; say which do with "
            "--start and --end."
        )
    return found[0] if found else _STARTS_AND_ENDS[0]


def load(path: Path) -> Any:
    """The value in a file of JSON, or the index in a table of symbols and numbers.

    A text that is JSON itself is read, too.

    Raises:
      UserError: if it cannot be read, or is a pickle.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES)
        if instead := stand_in(data[:100]):
            raise UserError(f"{path} is {instead}")
        if data.startswith(_PICKLES) or path.suffix in (".pkl", ".pickle", ".p", ".npy"):
            raise UserError(how_to_convert(path))
        try:
            values = json.loads(data)
        except ValueError:
            if not (values := _table(data)):
                raise
        return json.loads(values) if isinstance(values, str) else values
    except FileNotFoundError:
        raise UserError(f"no such file: {path}; name the JSON with --vocabulary.") from None
    except (OSError, ValueError, RecursionError) as error:
        why = f"{path} cannot be read ({shown(error, 120)})"
        again = path.suffix == ".json" or isinstance(error, OSError)
        raise UserError(f"{why}; {'write it again.' if again else how_to_list(path)}") from None


def _table(data: bytes) -> dict[str, int]:
    """The index in a table of symbols and their numbers, as in a .csv; empty if it is none."""
    try:
        text = data.decode("utf-8-sig")
        tables = [[row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator)
                   if row] for separator in ",;\t"]  # fmt: skip
    except (UnicodeDecodeError, csv.Error):
        return {}
    for rows in (rows for rows in tables if {len(row) for row in rows} == {2}):
        columns = list(zip(*rows, strict=True))
        begin = not any(column[0].isdecimal() for column in columns)  # Behind a header.
        counted = [all(field.isdecimal() for field in column[begin:]) for column in columns]
        if len(rows) > begin and sum(counted) == 1:
            numbers, symbols = columns[not counted[0]], columns[counted[0]]
            index = dict(zip(symbols[begin:], map(int, numbers[begin:]), strict=True))
            return index if len(index) == len(rows) - begin else {}
    return {}


def _both_sides(path: Path, value: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The two sides in one value, and the other keys of it."""
    if isinstance(value, list) and len(value) == 2 and not any(isinstance(v, str) for v in value):
        return value, {}
    found = value if isinstance(value, Mapping) else {}
    for keys in _BOTH:
        if all(isinstance(found.get(key), (list, Mapping)) for key in keys):
            return [found[key] for key in keys], found
    if isinstance(value, list) or _is_tokenizer(value) or _index(value):
        raise UserError(
            f"{path} holds the symbols of one side; give both: --vocabulary SOURCE TARGET (the "
            "same file twice where both sides have the same)."
        )
    raise UserError(f"{path} must be an object with the lists {' and '.join(_BOTH[0])}.")


def _side(value: Any, size: int, spare: int = 0) -> Side:
    """The symbols of one side; `spare` as in `_listed`."""
    if isinstance(value, list):
        return _plain(value)
    if not _is_tokenizer(value):
        return _plain(_listed(_index(value), size, spare))
    config = value["config"]
    if config.get("split", " ") != " ":
        raise UserError(f"a Tokenizer that splits at spaces was expected, not {config['split']!r}.")
    index = config.get("word_index")
    symbols = _index(json.loads(index) if isinstance(index, str) else index)
    if most := config.get("num_words"):
        symbols = {number: symbol for number, symbol in symbols.items() if number < most}
    filters = "" if config.get("char_level") else str(config.get("filters", ""))
    symbols, unseen = _listed(symbols, size, spare), config.get("oov_token")
    unseen = unseen if unseen in symbols else ""
    return Side(_with_unk(symbols, unseen), bool(config.get("lower")), filters, unseen)


def _plain(symbols: Sequence[Any]) -> Side:
    """A side of symbols alone; one may stand for all unseen ones, and the first for none."""
    if symbols and _PADDING.fullmatch(str(symbols[0])):
        symbols = ["", *symbols[1:]]
    unseen = [str(symbol) for symbol in symbols if _UNSEEN.fullmatch(str(symbol))]
    if len(unseen) != 1:
        return Side(tuple(symbols))
    return Side(_with_unk(symbols, unseen[0]), unseen=unseen[0])


def _with_unk(symbols: Sequence[Any], unseen: str) -> tuple[Any, ...]:
    """The symbols, with `<unk>` in the place of the one that all unseen ones are read as."""
    return tuple(SPECIALS[3] if symbol == unseen else symbol for symbol in symbols)


def _listed(symbols: Mapping[int, str], size: int, spare: int = 0) -> tuple[str, ...]:
    """Symbols in the order of their numbers; missing ones get names that no text has.

    An index that counts from 1 may have `spare` symbols more than the model has room for: programs
    forgot the place of the 0, and what they cannot read stays unseen here.
    """
    if not symbols:
        raise UserError("a list of symbols, an index or a Tokenizer was expected for each side.")
    if min(symbols) == 1 and size <= max(symbols) < size + spare:
        print(
            f"The index counts from 1 to {size}, but the model's {size} symbols from 0: it cannot "
            f"read {shown(repr(symbols[size]), 40)}, which is left out."
        )
    elif min(symbols) < 0 or max(symbols) >= size:
        raise UserError(
            f"the model has {size} symbols, but the index has numbers from {min(symbols)} to "
            f"{max(symbols)}; give the one that was saved with the model."
        )
    return tuple(symbols.get(i, f"<{i}>" if i else "") for i in range(size))


def _is_tokenizer(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("config"), Mapping)


def _index(value: Any) -> dict[int, str]:
    """Symbols by their numbers, from an index in either direction; empty if it is none."""
    items = list(value.items()) if isinstance(value, Mapping) else []
    if all(type(number) is int for _, number in items):
        found = {number: symbol for symbol, number in items}
    elif all(re.fullmatch(r"\d{1,9}", key) and isinstance(value, str) for key, value in items):
        found = {int(number): symbol for number, symbol in items}
    else:
        return {}
    if len(found) < len(items):
        raise UserError("two symbols of an index have the same number.")
    return found
