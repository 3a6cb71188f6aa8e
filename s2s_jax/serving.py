"""Lines in, answers out: what decode.py does between its flags and its streams."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from s2s_jax.compilation import keep_compiled_programs
from s2s_jax.devices import use_platform
from s2s_jax.errors import UserError
from s2s_jax.exporting import export
from s2s_jax.run_folder import ROOT, newest_run, write_lines
from s2s_jax.translation import Translation, Translator

_CHUNK = 4096  # Lines read before they are decoded: enough to sort by length, flat in memory.


class DecodeRequest(NamedTuple):
    """What the user asked for; the fields are decode.py's flags."""

    texts: list[str]
    checkpoint: Path | None
    step: str
    input: str | None
    output: Path | None
    batch_size: int
    max_length: int
    strict: bool
    json: bool
    platform: str | None
    export: Path | None


def decode(request: DecodeRequest, beside: Path) -> int:
    """Answers texts, a file, standard input, or a person.

    Args:
      request: what was asked for.
      beside: where else to look for `checkpoints/` when there is none here.

    Raises:
      UserError: when the request cannot be fulfilled; an output file is then as it was.
    """
    if request.texts and request.input is not None:
        raise UserError("give sentences or --input, not both.")
    if request.batch_size < 1:
        raise UserError(f"--batch-size must be at least 1, not {request.batch_size}.")
    if request.max_length < 0:
        raise UserError(f"--max-length must be at least 0, not {request.max_length}.")
    if request.export is not None and (request.texts or request.input is not None):
        raise UserError("--export writes the decoder and answers nothing; leave the texts out.")
    keep_compiled_programs()
    use_platform(request.platform)
    here = any(ROOT.glob("*/steps"))
    folder = request.checkpoint or newest_run(ROOT if here else beside / ROOT)
    if request.export is not None:
        export(Translator.load(folder, request.step), request.export, request.max_length)
        print(f"{request.export}: the greedy decoder of {folder}; see examples/run_exported.py")
        return 0
    with contextlib.ExitStack() as stack:
        lines, size = _open_input(request, stack)
        translator = Translator.load(folder, request.step)

        def answer(texts: list[str], first: int) -> Iterator[str]:
            translations = translator.translate(
                texts,
                max_length=request.max_length,
                batch_size=request.batch_size,
                strict=request.strict,
                first=first,
            )
            for number, translation in enumerate(translations, first):
                yield _line(translation, number, request.json)

        if lines is None:
            return _converse(folder, answer)
        answers = _answers(lines, answer, size)
        if request.output is None:
            for line in answers:
                sys.stdout.write(line + "\n")
        else:
            write_lines(request.output, answers)
    return 0


def _open_input(
    request: DecodeRequest, stack: contextlib.ExitStack
) -> tuple[Iterator[str] | None, int | None]:
    """The lines to answer (None: a person is there) and how many bytes they are, if known."""
    if request.texts:
        return iter(request.texts), None
    if request.input in (None, "-"):
        if request.input is None and sys.stdin.isatty():
            return None, None
        return _read(sys.stdin.buffer), None
    path = Path(request.input)
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise UserError(f"--input {path} cannot be read: {error.strerror}.") from None
    return _read(file), path.stat().st_size


def _read(stream: Iterable[bytes]) -> Iterator[str]:
    """Lines of text; bytes that are not UTF-8 are named, and do not stop the rest."""
    for number, line in enumerate(stream, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            _warn(number, f"byte {line[error.start]:#04x} is not UTF-8; it was left out")
            text = line.decode("utf-8", errors="ignore")
        yield text.removesuffix("\n").removesuffix("\r")


def _answers(
    lines: Iterator[str], answer: Callable[[list[str], int], Iterator[str]], size: int | None
) -> Iterator[str]:
    """Answers in chunks, with a bar where a person looks and knows how much there is."""
    console = Console(stderr=True)
    columns = (TextColumn("decoding"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=size is None or not console.is_terminal
    ) as bar:
        task, first = bar.add_task("", total=size), 1
        while chunk := list(itertools.islice(lines, _CHUNK)):
            yield from answer(chunk, first)
            first += len(chunk)
            bar.advance(task, sum(len(text.encode()) + 1 for text in chunk))


def _line(translation: Translation, number: int, as_json: bool) -> str:
    """One line of output; warnings go into the JSON, or to stderr."""
    warnings = []
    if translation.unseen:
        symbols = " ".join(map(repr, translation.unseen))
        warnings.append(f"training never saw {symbols}")
    if not translation.complete:
        warnings.append("the answer was cut off; raise --max-length")
    if not as_json:
        for warning in warnings:
            _warn(number, warning)
        return translation.text
    return json.dumps(
        {
            "source": translation.source,
            "text": translation.text,
            "complete": translation.complete,
            "warnings": warnings,
        },
        ensure_ascii=False,
    )


def _warn(number: int, text: str) -> None:
    sys.stdout.flush()
    print(f"line {number}: {text}", file=sys.stderr)


def _converse(folder: Path, answer: Callable[[list[str], int], Iterator[str]]) -> int:
    """Answers a person, one sentence at a time."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  Gives input() editing and a history.
    print(f"Sentences for {folder}; an empty line or Ctrl-D ends.")
    for number in itertools.count(1):
        try:
            text = input("> ")
        except EOFError:
            print()
            break
        if not text.strip():
            break
        try:
            for line in answer([text], number):
                print(line)
        except UserError as error:
            print(error, file=sys.stderr)
    return 0
