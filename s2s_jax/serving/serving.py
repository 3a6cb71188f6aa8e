"""What decode.py does between its flags and its streams: lines in, answers out."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from s2s_jax.command_line import typed
from s2s_jax.decoding.export import export
from s2s_jax.decoding.translation import Translation
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.judging import judge
from s2s_jax.runs.folder import ROOT, newest_run
from s2s_jax.runtime.compilation import keep_compiled_programs
from s2s_jax.runtime.devices import DeviceRequest, start
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.progress_bar import progress_bar
from s2s_jax.serving.answering import answerer
from s2s_jax.serving.conversation import converse
from s2s_jax.serving.drawing import draw_answers, keep
from s2s_jax.serving.request import DecodeRequest, check
from s2s_jax.serving.streaming import Line, read_chunks, to_line

_WEB_PACKAGES = "starlette uvicorn"
_CHUNK = 4096  # Lines decoded together: enough to sort by length, while memory stays flat.


def decode(request: DecodeRequest) -> None:
    """Answers texts, a file, standard input or a person, or evaluates a run.

    Raises:
      UserError: if the request cannot be fulfilled; an output file is then left as it was.
    """
    check(request)
    if request.web:
        _serve(request)
        return
    keep_compiled_programs()
    mesh = start(DeviceRequest(request.platform, request.devices), alone=True)
    folders = _run_folders(request)
    if request.export is not None:
        translator = Translator.load(folders, request.step)
        export(translator, request.export, request.search.get("max_length", 0))
        runs = " and ".join(map(str, folders))
        print(f"{request.export}: the greedy decoder of {runs}; see examples/run_exported.py")
        return
    with contextlib.ExitStack() as stack:
        if request.evaluate is not None:
            translator = Translator.load(folders, request.step, mesh)
            _name_run(request, translator)
            pairs = (request.evaluate, request.reading)
            config = translator.searching(**request.search)
            judge(translator, *pairs, config, request.output, request.json)
            return
        chunks, size = _open_input(request, stack)
        if chunks is None and request.attention is not None:
            raise UserError("--attention draws the answers to given texts; give some, or --input.")
        translator = Translator.load(folders, request.step, mesh)
        config = translator.searching(**request.search)
        if chunks is None:
            converse(translator, config)
            return
        _name_run(request, translator)
        drawn: list[Translation] = []
        answer = answerer(
            translator, config,
            json=request.json, score=request.score, swap=request.reading.swap,
            keep=None if request.attention is None else lambda found: keep(drawn, found),
        )  # fmt: skip
        _write(_answers(chunks, answer, size), request.output)
        if request.attention is not None:
            draw_answers(translator, drawn, request.attention)


def _serve(request: DecodeRequest) -> None:
    """Serves the page until Ctrl-C."""
    try:
        from s2s_jax.serving.web.server import check_share, listen, serve
    except ModuleNotFoundError as error:
        raise UserError(
            f"--web needs {error.name}: pip install {_WEB_PACKAGES}, or s2s-jax[web]."
        ) from None
    if request.page.share:
        check_share()
    with listen(request.page) as server:
        keep_compiled_programs()
        start(DeviceRequest(request.platform, 1), alone=True)
        folders = _run_folders(request)
        serve([Translator.load(folder, request.step) for folder in folders], request.page, server)


def _name_run(request: DecodeRequest, translator: Translator) -> None:
    """Tells a person which run answers, unless they chose it; a script's stderr stays empty."""
    if not request.checkpoints and sys.stderr.isatty():
        print(f"run: {translator.origin} (choose with --checkpoint)", file=sys.stderr)


def _write(answers: Iterator[list[str]], output: Path | None) -> None:
    """Writes lines to a file all at once, or to standard output as they come."""
    if output is not None:
        write_lines(output, (line for lines in answers for line in lines))
        return
    for lines in answers:
        sys.stdout.write("".join(line + "\n" for line in lines))
        sys.stdout.flush()  # Whoever asked may wait for this answer before asking again.


def _run_folders(request: DecodeRequest) -> tuple[Path, ...]:
    """The runs asked for, or the newest.

    Raises:
      UserError: if there is none, or a file was given, such as a model of Keras.
    """
    if not request.checkpoints:
        beside = request.beside
        root = ROOT if beside is None or any(ROOT.glob("*/steps")) else beside / ROOT
        return (newest_run(root),)
    for folder in request.checkpoints:
        if folder.suffix in (".h5", ".hdf5", ".keras") and not folder.is_dir():
            imports = f"{typed('-m s2s_jax.keras')} import {shlex.quote(str(folder))} --data FILE"
            raise UserError(
                f"--checkpoint {folder} is a model of Keras; first import it: {imports}"
            )
        if folder.is_file():
            raise UserError(f"--checkpoint must be the folder of a run, but {folder} is a file.")
    return request.checkpoints


def _open_input(
    request: DecodeRequest, stack: contextlib.ExitStack
) -> tuple[Iterator[list[Line]] | None, int | None]:
    """The lines to answer (None: ask a person) and their size in bytes, if known."""
    if request.texts:
        lines = [to_line(os.fsencode(text)) for text in request.texts]
        return iter([lines[i : i + _CHUNK] for i in range(0, len(lines), _CHUNK)]), None
    if request.input in (None, "-"):
        if request.input is None and sys.stdin.isatty() and not request.score:
            return None, None
        return read_chunks(cast(io.BufferedIOBase, sys.stdin.buffer), _CHUNK), None
    path = Path(request.input)
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise UserError(f"--input {path} cannot be read: {error.strerror}.") from None
    return read_chunks(file, _CHUNK), path.stat().st_size


def _answers(
    chunks: Iterator[list[Line]], answer: Callable[[list[Line], int], list[str]], size: int | None
) -> Iterator[list[str]]:
    """Answers chunk by chunk, with a progress bar if the size is known."""
    with progress_bar(enabled=size is not None) as bar:
        task, first = bar.add_task("decoding", total=size), 1
        for lines in chunks:
            yield answer(lines, first)
            first += len(lines)
            bar.advance(
                task, sum(len(line.text.encode(errors="surrogatepass")) + 1 for line in lines)
            )
