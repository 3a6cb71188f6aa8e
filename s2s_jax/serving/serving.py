"""What decode.py does between its flags and its streams: lines in, answers out."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, cast

from s2s_jax.command_line import typed
from s2s_jax.config import EVERYTHING, Reading
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.export import export
from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.judging import judge
from s2s_jax.runs.folder import ROOT, newest_run
from s2s_jax.runtime.cache import keep_compiled_programs
from s2s_jax.runtime.devices import DeviceRequest, start
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.progress_bar import progress_bar
from s2s_jax.serving.conversation import converse
from s2s_jax.serving.drawing import check_drawing, draw_answers, keep
from s2s_jax.serving.output import json_line, plain_line, problems_of, score_line
from s2s_jax.serving.streaming import Line, read_chunks, to_line

_CHUNK = 4096  # Lines decoded together: enough to sort by length, while memory stays flat.


class DecodeRequest(NamedTuple):
    """What the user asked for; the fields are decode.py's flags."""

    texts: list[str]
    config: DecodeConfig
    checkpoint: Path | None = None
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
    beside: Path | None = None
    """Where else to look for `checkpoints/` when there is none here."""


def decode(request: DecodeRequest) -> int:
    """Answers texts, a file, standard input or a person, or evaluates a run.

    Raises:
      UserError: if the request cannot be fulfilled; an output file is then left as it was.
    """
    _check(request)
    keep_compiled_programs()
    mesh = start(DeviceRequest(request.platform, request.devices), alone=True)
    folder = _run_folder(request)
    if request.export is not None:
        export(Translator.load(folder, request.step), request.export, request.config.max_length)
        print(f"{request.export}: the greedy decoder of {folder}; see examples/run_exported.py")
        return 0
    with contextlib.ExitStack() as stack:
        if request.evaluate is not None:
            translator = Translator.load(folder, request.step, mesh)
            _name_run(request, translator)
            pairs = (request.evaluate, request.reading)
            return judge(translator, *pairs, request.config, request.output, request.json)
        chunks, size = _open_input(request, stack)
        if chunks is None and request.attention is not None:
            raise UserError("--attention draws the answers to given texts; give some, or --input.")
        translator = Translator.load(folder, request.step, mesh)
        if chunks is None:
            return converse(translator, request.config)
        _name_run(request, translator)
        found: list[Translation] = []
        _write(_answers(chunks, _answerer(request, translator, found), size), request.output)
        if request.attention is not None:
            draw_answers(translator, found, request.attention)
    return 0


def _name_run(request: DecodeRequest, translator: Translator) -> None:
    """Tells a person which run answers, unless they chose it; a script's stderr stays empty."""
    if request.checkpoint is None and sys.stderr.isatty():
        print(f"run: {translator.origin} (choose with --checkpoint)", file=sys.stderr)


def _write(answers: Iterator[list[str]], output: Path | None) -> None:
    """Writes lines to a file all at once, or to standard output as they come."""
    if output is not None:
        write_lines(output, (line for lines in answers for line in lines))
        return
    for lines in answers:
        sys.stdout.write("".join(line + "\n" for line in lines))
        sys.stdout.flush()  # Whoever asked may wait for this answer before asking again.


def _run_folder(request: DecodeRequest) -> Path:
    """The run asked for, or the newest.

    Raises:
      UserError: if there is none, or a file was given, such as a model of Keras.
    """
    folder = request.checkpoint
    if folder is None:
        beside = request.beside
        return newest_run(ROOT if beside is None or any(ROOT.glob("*/steps")) else beside / ROOT)
    if folder.suffix in (".h5", ".hdf5", ".keras") and not folder.is_dir():
        imports = f"{typed('-m s2s_jax.keras')} import {shlex.quote(str(folder))} --data FILE"
        raise UserError(f"--checkpoint {folder} is a model of Keras; first import it: {imports}")
    if folder.is_file():
        raise UserError(f"--checkpoint must be the folder of a run, but {folder} is a file.")
    return folder


def _check(request: DecodeRequest) -> None:
    """Raises for flags that contradict each other and for an output that cannot be written."""
    config = request.config
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
    if request.export is not None and (searching or request.texts or request.input is not None):
        raise UserError(
            "--export writes the greedy decoder and does nothing else; leave out the rest."
        )
    if request.score and (config.sample or config.beam > 1):
        raise UserError("--score decodes nothing; leave out --beam and --sample.")
    if request.attention is not None:
        check_drawing(request.attention, request.evaluate or request.export)
    if request.reading.swap and request.evaluate is None and not request.score:
        raise UserError("--swap is about the columns of --evaluate and --score; give one of them.")
    if request.output is not None and not request.output.absolute().parent.is_dir():
        raise UserError(
            f"--output {request.output} needs a folder that exists; make "
            f"{request.output.absolute().parent} first."
        )


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


def _answerer(
    request: DecodeRequest, translator: Translator, kept: list[Translation]
) -> Callable[[list[Line], int], list[str]]:
    """What turns lines into lines of output; problems go into the JSON or to stderr.

    What is to be drawn is added to `kept`.
    """
    config = request.config
    if request.json or request.attention is not None:
        config = dataclasses.replace(config, scores=True)

    def respond(lines: list[Line], first: int) -> list[str]:
        if request.score:
            lines, found = _score(translator, lines, first, config, request.reading.swap)
        else:
            found = translator.translate([line.text for line in lines], config, first=first)
        if request.attention is not None:
            keep(kept, found)
        output = []
        for number, (line, translation) in enumerate(zip(lines, found, strict=True), first):
            said = problems_of(translation, line.problem)
            if request.json:
                output.append(json_line(translation, said))
                continue
            for warning in said:
                print(f"line {number}: {warning}", file=sys.stderr)
            output.append(
                score_line(translation)
                if request.score
                else plain_line(translation, config.n_best, request.config.scores)
            )
        return output

    return respond


def _score(
    translator: Translator, lines: list[Line], first: int, config: DecodeConfig, swap: bool
) -> tuple[list[Line], list[Translation]]:
    """The scores of lines of two columns; a line of one column has none and a problem."""
    columns = [line.text.split("\t") for line in lines]
    pairs = [(row[swap], row[not swap]) if len(row) > 1 else None for row in columns]
    if config.strict and None in pairs:
        raise UserError(f"line {first + pairs.index(None)} needs source<TAB>target; add a tab.")
    scored = iter(
        translator.score(
            [pair or ("", "") for pair in pairs],
            batch_size=config.batch_size, strict=config.strict, first=first,
        )
    )  # fmt: skip
    lines = [
        line if pair is not None or line.problem
        else line._replace(problem="no tab between source and target; it has no score")
        for line, pair in zip(lines, pairs, strict=True)
    ]  # fmt: skip
    found = [
        translation if pair is not None else Translation(line.text, (), (Hypothesis(""),))
        for line, pair, translation in zip(lines, pairs, scored, strict=True)
    ]
    return lines, found
