"""Objects of JSON: the texts in them, and where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

_DEEPEST = 8  # Objects within objects, of which the texts have names.
_LISTED = re.compile(r'\s*\{\s*"(\w+)"\s*:\s*\[\s*\{')
"""One object whose first field is a list of objects."""
_ARRAY = re.compile(r'\s*\[\s*"(?:[^"\\]|\\.)*"\s*,.*\]\s*')
_ARRAYS = re.compile(r'\s*\[\s*\[\s*"')
_TEXTS = re.compile(r'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*"')
_LIST = re.compile(r'\s*\[\s*\{\s*"(\w+)"\s*:')


def json_record(line: str) -> dict[str, Any] | None:
    """The object of JSON that a line is; else None."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def texts_of(record: dict[str, Any], prefix: str = "") -> dict[str, str | int]:
    """The texts and whole numbers of a record, with the names of nested fields joined by dots."""
    found: dict[str, str | int] = {}
    for key, value in record.items():
        if isinstance(value, dict) and prefix.count(".") < _DEEPEST:
            found |= texts_of(value, f"{prefix}{key}.")
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            found[prefix + key] = value
    return found


def not_lines(head: Sequence[str], record: Any, texts: Mapping[str, str | int], whole: bool) -> str:
    """What to type, as arguments of jq, where JSON does not have a record with texts on each line.

    Args:
      head: the first lines.
      record: the object that the first of them is by itself; else None.
      texts: what it holds.
      whole: whether the name of the file says that it is one JSON text.

    Returns:
      An empty text for a file of JSON lines, and for what is no JSON.
    """
    text = "\n".join(head)
    if any(isinstance(text, str) for text in texts.values()):
        return ""
    if _ARRAY.fullmatch(head[0] if head else ""):
        return "-r @tsv"
    if _ARRAYS.match(text):
        return "-r '.[] | @tsv'"
    alone = record is None or not any(map(str.strip, head[1:]))
    if alone and (listed := _LISTED.match(text)):
        return f"""-c '."{listed[1]}"[]'"""
    if whole and _TEXTS.match(text):
        many = any(line.startswith("}") for line in head[:-1])
        return "-c ." if many else "-r 'to_entries[] | [.key, .value] | @tsv'"
    return "-c '.[]'" if whole or _LIST.match(text) else ""


def refuse_turns(names: Sequence[str], name: str) -> None:
    """Raises if the fields are those of a turn in a chat, of which each has one text only."""
    if {key.rpartition(".")[2] for key in names} in ({"role", "content"}, {"from", "value"}):
        raise UserError(
            f"{shown(name)} has a turn of a chat on each line, with the fields {', '.join(names)};"
            " write an object on each line with one text and the answer to it"
        )
