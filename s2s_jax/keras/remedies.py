"""Commands that turn a vocabulary into JSON where it was made, for messages."""

from __future__ import annotations

import shlex
from pathlib import Path


def how_to_list(path: Path) -> str:
    """The remedy for a text: the lines that turn a printed object, or its lines, into JSON."""
    lines = [
        "import ast, json",
        f"text = open({str(path)!r}, encoding='utf-8').read().rstrip('\\n')",
        f"json.dump(ast.literal_eval(text) if text[:1] in ('{{', '[') else text.split('\\n'), "
        f"open({str(path.with_suffix('.json'))!r}, 'w'))",
    ]
    return (
        "JSON was expected; turn a text with one symbol a line in the order of their numbers, or "
        f"with a printed index, into it: python -c {shlex.quote('; '.join(lines))}"
    )


def how_to_convert(path: Path) -> str:
    """The message for a pickle: the lines that turn it into JSON where it was made."""
    load = "pickle.load(open({}, 'rb'))"
    if path.suffix == ".npy":
        load = "__import__('numpy').load({}, allow_pickle=True).tolist()"
    lines = [
        "import json, pickle",
        f"found = {load.format(repr(str(path)))}",
        f"json.dump(found, open({str(path.with_suffix('.json'))!r}, 'w'), default=lambda x: "
        "x.to_json() if hasattr(x, 'to_json') else x.tolist() if hasattr(x, 'tolist') else "
        "sorted(x))",
    ]
    return (
        f"{path} is a pickle, which may run any program, so it is never loaded here; if you trust "
        f"it, turn it into JSON: python -c {shlex.quote('; '.join(lines))}"
    )
