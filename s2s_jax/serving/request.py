"""What was asked of decode.py, and whether it goes together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.config import EVERYTHING, Reading
from s2s_jax.config.search import WIDEST_BEAM
from s2s_jax.config.web import WebConfig
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError
from s2s_jax.serving.drawing import check_drawing


class DecodeRequest(NamedTuple):
    """What the user asked for: decode.py's flags, those of a `DecodeConfig` in `search`."""

    texts: list[str]
    search: Mapping[str, Any]
    checkpoints: tuple[Path, ...] = ()
    step: str = "best"
    input: str | None = None
    output: Path | None = None
    json: bool = False
    score: bool = False
    evaluate: Path | None = None
    reading: Reading = EVERYTHING
    platform: str | None = None
    devices: int | None = None
    export: Path | None = None
    attention: Path | None = None
    web: bool = False
    page: WebConfig = WebConfig()
    beside: Path | None = None
    """Where else to look for `checkpoints/` when there is none here."""


def check(request: DecodeRequest) -> None:
    """Raises for flags that contradict each other and for an output that cannot be written."""
    if request.web:
        return _check_web(request)
    config = _as_far_as_known(request.search)
    if request.page != WebConfig():
        raise UserError("--host, --port and --share are about the page; give --web with them.")
    if request.texts and request.input is not None:
        raise UserError("give sentences or --input, not both.")
    if request.evaluate is not None and (request.texts or request.input is not None):
        raise UserError("--evaluate reads its file alone; leave out the sentences and --input.")
    if request.evaluate is not None and request.score:
        raise UserError(
            "--evaluate is about decoded answers and --score about given ones; give one."
        )
    if request.evaluate is not None and config.strict:
        raise UserError("--evaluate counts all sentences; leave out --strict.")
    searching = config.beam > 1 or config.sample or request.score or request.evaluate is not None
    elsewhere = request.input is not None or request.output is not None or request.json
    if request.export is not None and (searching or request.texts or elsewhere):
        raise UserError(
            "--export writes the greedy decoder and does nothing else; leave out the rest."
        )
    if request.score and (config.sample or config.beam > 1):
        raise UserError("--score decodes nothing; leave out --beam, --n-best and --sample.")
    if request.attention is not None:
        check_drawing(request.attention, request.evaluate or request.export)
    if request.evaluate is None:
        _check_reading(request)
    if request.output is not None:
        _check_output(request.output, request.evaluate or request.input)


def _check_reading(request: DecodeRequest) -> None:
    """Raises for flags about columns where there are none."""
    if request.reading.swap and not request.score:
        raise UserError("--swap is about the columns of --evaluate and --score; give one of them.")
    if dataclasses.replace(request.reading, swap=False) != EVERYTHING:
        raise UserError(
            "--columns, --separator, --quotes and --encoding say how --evaluate reads its file;"
            " leave them out: other input is lines of UTF-8, for --score source<TAB>target."
        )


def _check_output(output: Path, read: str | Path | None) -> None:
    """Raises for an output that cannot be written, or would replace the file that is read."""
    folder = output.absolute().parent
    if not folder.is_dir():
        raise UserError(f"--output {output} needs a folder that exists; make {folder} first.")
    if read is not None and output.is_file() and Path(read).is_file() and output.samefile(read):
        raise UserError(f"--output {output} would replace the file that is read; give another.")


def _as_far_as_known(search: Mapping[str, Any]) -> DecodeConfig:
    """The configuration asked for, whose beam may be the run's, which is not known yet.

    Raises:
      UserError: for a value out of its range, and for values that contradict each other.
    """
    DecodeConfig.check(search)
    beam = {} if search.get("sample") else {"beam": min(search.get("n_best", 1), WIDEST_BEAM)}
    return DecodeConfig(**{**beam, **search})


def _check_web(request: DecodeRequest) -> None:
    """Raises for flags that a page has no use for."""
    page = {"search", "page", "web", "checkpoints", "step", "platform", "beside"}
    plain = DecodeRequest([], {})
    for name in request._fields:
        if name not in page and getattr(request, name) != getattr(plain, name):
            raise UserError(f"--web serves a page and nothing else; leave out {name}.")
    if request.search:
        raise UserError("the page of --web has its own settings; leave out those of decoding.")
