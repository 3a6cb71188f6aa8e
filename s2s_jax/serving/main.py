"""The command that decodes: decode.py, or s2s-decode where the package is installed."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any, NoReturn

from s2s_jax.command_line import Parser, add_devices, add_options, main, typed
from s2s_jax.config import EVERYTHING, Reading, SearchConfig
from s2s_jax.config.options import Config
from s2s_jax.config.web import WebConfig
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.runtime.interrupts import loading

_READING = ("columns", "separator", "quotes", "encoding", "swap")


def parser() -> Parser:
    """The flags, and what `--help` says of them; none of it needs JAX."""
    p = Parser(
        description="Decode new texts with a trained model. Without texts and without --input it\n"
        "prompts for sentences on a terminal, and otherwise reads lines from standard\ninput.",
        epilog=_examples(),
        argument_default=argparse.SUPPRESS,
    )
    p.add_argument("texts", nargs="*", default=[], metavar="TEXT", help="sentences to decode")
    p.add_argument("--checkpoint", type=Path, metavar="DIR", action="append",
        help="run folder, or hf://user/name on the Hugging Face Hub (default: the newest in "
        "checkpoints/, here or beside decode.py); several answer together, or with --web by choice",
    )  # fmt: skip
    p.add_argument("--step", metavar="best|latest|N",
        help="which saved step (default: best, by the validation part)")  # fmt: skip
    add_options(p, DecodeConfig, ("max_length", "batch_size", "strict"))
    add_devices(p)
    p.add_argument("--export", type=Path, metavar="FILE",
        help="write the greedy decoder as one file that needs JAX but not this package, and stop",
    )  # fmt: skip
    _add_streams(p.add_argument_group("input and output"))
    search = p.add_argument_group(
        "search", "By default as train.py or its recipe was told to; every run says so itself."
    )
    add_options(search, SearchConfig, show_defaults=False)
    add_options(search, DecodeConfig, ("n_best",))
    drawing = ("sample", "temperature", "top_k", "top_p", "seed")
    add_options(p.add_argument_group("sampling"), DecodeConfig, drawing)
    _add_judging(p.add_argument_group("scores and evaluation"))
    page = p.add_argument_group("page")
    page.add_argument("--web", action="store_true",
        help="serve a page to try the model, and its HTTP interface, until Ctrl-C")  # fmt: skip
    add_options(page, WebConfig)
    return p


def _add_streams(streams: argparse._ArgumentGroup) -> None:
    streams.add_argument("--input", metavar="FILE",
        help="read one sentence per line; - is standard input")  # fmt: skip
    streams.add_argument("--output", type=Path, metavar="FILE",
        help="write the answers to FILE, all of them or none (default: standard output)",
    )  # fmt: skip
    streams.add_argument("--json", action="store_true",
        help="one JSON object per line: source, text, score, log-probabilities, n-best, warnings",
    )  # fmt: skip
    streams.add_argument("--attention", type=Path, metavar="FILE",
        help="draw what the answer to each text looked at, and how likely its units were: FILE is "
        ".html, or with matplotlib .png or .svg",
    )  # fmt: skip


def _add_judging(judging: argparse._ArgumentGroup) -> None:
    add_options(judging, DecodeConfig, ("scores",))
    judging.add_argument("--score", action="store_true",
        help="score given targets (lines are source<TAB>target) instead of decoding: their "
        "log-probability and the mean per token",
    )  # fmt: skip
    judging.add_argument("--evaluate", type=Path, metavar="FILE",
        help="evaluate the run on a file of pairs; --output takes the answers",
    )  # fmt: skip
    add_options(judging, Reading, _READING)


def _examples() -> str:
    decode = typed("decode.py")
    return (
        "examples:\n"
        f"  {decode}                              ask the newest run at a prompt\n"
        f"  {decode} 'Go.' 'I won!'               one answer per line\n"
        f"  {decode} --beam 5 --n-best 3 'Go.'    the three best answers\n"
        f"  {decode} --sample --temperature 0.8 --seed 7 'Go.'\n"
        f"  {decode} --input sentences.txt --output out.txt\n"
        f"  {decode} --attention picture.html 'I won!'\n"
        f"  {decode} --evaluate checkpoints/fra/validation.tsv --beam 5\n"
        f"  {decode} --web                        a page to try the model"
    )


def _taken(flags: dict[str, Any], config: type[Config]) -> dict[str, Any]:
    """The flags that belong to a configuration, taken out of the others."""
    return {name: flags.pop(name) for name in config.options() if name in flags}


def run() -> int:
    """Does what the command line asks for."""
    flags = vars(parser().parse_args())
    search = _taken(flags, DecodeConfig)
    page = WebConfig(**_taken(flags, WebConfig))

    asked = {name: flags.pop(name) for name in _READING if name in flags}
    reading = dataclasses.replace(EVERYTHING, **asked)

    with loading():  # After --help, which needs no JAX.
        from s2s_jax.serving.request import DecodeRequest
        from s2s_jax.serving.serving import decode

    script = Path(sys.argv[0])
    beside = script.resolve().parent if script.name == "decode.py" else None
    flags |= {"checkpoints": tuple(flags.pop("checkpoint", ()))}
    decode(DecodeRequest(search=search, page=page, reading=reading, beside=beside, **flags))
    return 0


def entry_point() -> NoReturn:
    """The console command."""
    main(run)
