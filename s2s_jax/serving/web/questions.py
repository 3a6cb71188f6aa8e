"""What a client asks, checked: the body of a request becomes texts and a configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from s2s_jax.config.options import refuse_unknown
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError

MOST_TEXTS = 64
MOST_BEAM = 8
MOST_ANSWERS = 4
DEFAULTS: Mapping[str, Any] = {"beam": 4, "n_best": 4}
"""Of a request that says nothing of the search, and where the sliders of the page begin."""

_SEARCH = ("beam", "n_best", "length_penalty", "sample", "temperature", "seed")
_KEYS = ("text", "texts", "run", "attention", *_SEARCH)
_MOST_DIGITS = 20  # Of a whole number; Python would read thousands.


class Question(NamedTuple):
    """What one request asks; `config` searches for as many answers as the service ever gives."""

    run: int
    texts: list[str]
    config: DecodeConfig
    n_best: int
    attention: bool


def read_question(body: bytes, runs: Sequence[str]) -> Question:
    """A request's body, a JSON object, about one of the runs of these names, by default the first.

    Raises:
      UserError: for anything that the service does not answer.
    """
    values = _object(body)
    refuse_unknown(values, _KEYS, "the request")
    run = values.get("run", runs[0])
    if run not in runs:
        raise UserError(f"run must be one of {', '.join(runs)}, not {run!r}.")
    attention = values.get("attention", False)
    if not isinstance(attention, bool):
        raise UserError(f"attention must be true or false, not {attention!r}.")
    search = {key: values[key] for key in _SEARCH if key in values}
    DecodeConfig.check(search)  # Types and ranges, before anything is compared.
    if not search.get("sample", False):
        search = {**DEFAULTS, **search}
        search["n_best"] = values.get("n_best", min(search["beam"], DEFAULTS["n_best"]))
    config = DecodeConfig(**search)
    for name, value, most in (
        ("beam", config.beam, MOST_BEAM),
        ("n_best", config.n_best, MOST_ANSWERS),
    ):
        if value > most:
            raise UserError(f"`{name}` must be at most {most} here, not {value}.")
    wide = DecodeConfig(**{**search, "n_best": min(config.beam, MOST_ANSWERS)})
    return Question(runs.index(run), _texts(values), wide, config.n_best, attention)


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body, parse_int=_whole_number, parse_constant=_no_number)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise UserError('the request must be a JSON object, as in {"text": "Go."}.')
    return values


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError
    return int(digits)


def _no_number(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity are not JSON.


def _texts(values: Mapping[str, Any]) -> list[str]:
    if ("text" in values) == ("texts" in values):
        raise UserError("the request needs either text or texts.")
    texts = values["texts"] if "texts" in values else [values["text"]]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError("text must be a string, and texts a list of strings.")
    if not 0 < len(texts) <= MOST_TEXTS:
        raise UserError(f"texts must be 1 to {MOST_TEXTS}, not {len(texts)}.")
    if any("\ud800" <= symbol <= "\udfff" for text in texts for symbol in text):
        raise UserError("the text has half of a surrogate pair, which is no Unicode character.")
    return texts
