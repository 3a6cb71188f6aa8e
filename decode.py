"""Decodes new texts from a trained run folder alone; see --help."""

import dataclasses
from pathlib import Path

from s2s_jax.command_line import Parser, main
from s2s_jax.decoding.config import DecodeConfig


def parser() -> Parser:
    p = Parser(
        prog="decode.py",
        description="Decode new texts with a trained model. Without texts and without --input it "
        "asks for\nsentences on a terminal, and reads lines from standard input elsewhere.",
        epilog="examples:\n"
        "  python decode.py                               ask for sentences, newest run\n"
        '  python decode.py "Go." "I won!"                one answer a line\n'
        '  python decode.py --beam 5 --n-best 3 "Go."     the three best answers, side by side\n'
        '  python decode.py --sample --temperature 0.8 --seed 7 "Go."\n'
        "  python decode.py --checkpoint checkpoints/fra --input sentences.txt --output out.txt\n"
        "  python decode.py --evaluate checkpoints/fra/validation.tsv --beam 5",
    )
    p.add_argument("texts", nargs="*", metavar="TEXT", help="sentences to decode")
    p.add_argument("--checkpoint", type=Path, metavar="DIR",
        help="run folder (default: the newest in checkpoints/, here or beside decode.py)",
    )  # fmt: skip
    p.add_argument("--step", metavar="best|latest|N",
        help="which saved step (default: best, by validation loss)")  # fmt: skip
    p.add_argument("--batch-size", type=int, metavar="N",
        help="hypotheses decoded at a time (default: 512)")  # fmt: skip
    p.add_argument("--max-length", type=int, metavar="N",
        help="cut answers off after N tokens (default: the longest of training)")  # fmt: skip
    p.add_argument("--strict", action="store_true",
        help="refuse sentences with symbols never seen in training, instead of leaving these out",
    )  # fmt: skip
    p.add_argument("--platform", choices=["cpu", "gpu", "tpu"],
        help="compute on this kind of device (default: the best that JAX finds)")  # fmt: skip
    p.add_argument("--devices", type=int, metavar="N",
        help="compute on so many of them (default: all that JAX finds)")  # fmt: skip
    p.add_argument("--export", type=Path, metavar="FILE",
        help="write the greedy decoder for JAX alone, without this package, and stop",
    )  # fmt: skip
    _add_streams(p.add_argument_group("input and output"))
    _add_search(p.add_argument_group("search (default: the likeliest symbol at every step)"))
    _add_sampling(p.add_argument_group("sampling"))
    _add_judging(p.add_argument_group("scores and evaluation"))
    return p


def _add_streams(streams) -> None:
    streams.add_argument("--input", metavar="FILE",
        help="one sentence a line, answered in that order; - is standard input")  # fmt: skip
    streams.add_argument("--output", type=Path, metavar="FILE",
        help="written whole at the end, or left as it was (default: standard output)")  # fmt: skip
    streams.add_argument("--json", action="store_true",
        help="one JSON object a line: source, text, score, log-probabilities, n-best, warnings",
    )  # fmt: skip


def _add_search(search) -> None:
    search.add_argument("--beam", type=int, metavar="N",
        help="keep the N likeliest hypotheses at every step (default: 1)")  # fmt: skip
    search.add_argument("--length-penalty", type=float, metavar="A",
        help="rank by log-probability / ((5 + length) / 6) ** A (Wu et al. 2016); 0 = none "
        "(default: 0.6)")  # fmt: skip
    search.add_argument("--n-best", type=int, metavar="K",
        help="the K best answers, separated by tabs; at most the beam (default: 1)")  # fmt: skip


def _add_sampling(sampling) -> None:
    sampling.add_argument("--sample", action="store_true",
        help="draw each symbol from the model's distribution")  # fmt: skip
    sampling.add_argument("--temperature", type=float, metavar="T",
        help="below 1 tamer, above 1 bolder (default: 1)")  # fmt: skip
    sampling.add_argument("--top-k", type=int, metavar="K",
        help="draw among the K likeliest symbols; 0 = all (default: 0)")  # fmt: skip
    sampling.add_argument("--top-p", type=float, metavar="P",
        help="draw among the likeliest symbols of together this probability (default: 1)",
    )  # fmt: skip
    sampling.add_argument("--seed", type=int, metavar="N",
        help="a sentence and a seed give the same answer in every batch (default: 0)",
    )  # fmt: skip


def _add_judging(judging) -> None:
    judging.add_argument("--scores", action="store_true",
        help="behind each answer its log-probability and the mean per token, separated by tabs",
    )  # fmt: skip
    judging.add_argument("--score", action="store_true",
        help="lines are source<TAB>target: the target's log-probability and the mean per token",
    )  # fmt: skip
    judging.add_argument("--evaluate", type=Path, metavar="FILE",
        help="judge the run by a file of source<TAB>target lines; with --output the answers, too",
    )  # fmt: skip
    judging.add_argument("--swap", action="store_true",
        help="the columns of --score and --evaluate are target<TAB>source")  # fmt: skip


def run() -> int:
    flags = {
        name: value for name, value in vars(parser().parse_args()).items() if value is not None
    }
    names = [field.name for field in dataclasses.fields(DecodeConfig)]
    config = DecodeConfig(**{name: flags.pop(name) for name in names if name in flags})

    from s2s_jax.serving.serving import DecodeRequest, decode  # After --help, which needs no JAX.

    request = DecodeRequest(config=config, **flags)
    return decode(request, beside=Path(__file__).resolve().parent)


if __name__ == "__main__":
    main(run)
