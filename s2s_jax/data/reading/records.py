"""Objects of JSON: the texts in them, and where they stand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_DEEPEST = 8  # Objects within objects, of which the texts have names.
_LISTED = re.compile(r'\s*\{\s*"(\w+)"\s*:\s*\[\s*\{')
"""One object whose first field is a list of objects."""
_LIST = re.compile(r'\s*\[\s*\{\s*"(\w+)"\s*:')


def json_record(line: str) -> Any:
    """The JSON value of a line that begins an object; else None."""
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


def list_in_json(head: Sequence[str], texts: Mapping[str, str | int], whole: bool) -> str:
    """Where a file that is one JSON text has its list of objects, as jq spells it.

    Args:
      head: the first lines.
      texts: what the first of them holds, if it is an object by itself.
      whole: whether the name of the file says that it is one JSON text.

    Returns:
      An empty text for a file of JSON lines, and for what is no JSON.
    """
    if any(isinstance(text, str) for text in texts.values()):
        return ""
    listed = _LISTED.match("\n".join(head))
    whole = whole or bool(_LIST.match("\n".join(head)))
    return f'."{listed[1]}"[]' if listed else ".[]" * whole
