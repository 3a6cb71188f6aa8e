"""Decodes new texts from a trained run folder alone; see --help."""

from pathlib import Path

from s2s_jax.command_line import Parser, main


def parser() -> Parser:
    p = Parser(
        prog="decode.py",
        description="Decode new texts with a trained model. Without texts and without --input it "
        "asks for\nsentences on a terminal, and reads lines from standard input elsewhere.",
        epilog="examples:\n"
        "  python decode.py                               ask for sentences, newest run\n"
        '  python decode.py "Go." "I won!"                one answer a line\n'
        "  python decode.py --checkpoint checkpoints/fra --input sentences.txt --output out.txt",
    )
    p.add_argument("texts", nargs="*", metavar="TEXT", help="sentences to decode")
    p.add_argument("--checkpoint", type=Path, metavar="DIR",
        help="run folder (default: the newest in checkpoints/, here or beside decode.py)",
    )  # fmt: skip
    p.add_argument("--step", default="best", metavar="best|latest|N",
        help="which saved step (default: best, by validation loss)")  # fmt: skip
    p.add_argument("--input", metavar="FILE",
        help="one sentence a line, answered in that order; - is standard input")  # fmt: skip
    p.add_argument("--output", type=Path, metavar="FILE",
        help="written whole at the end, or left as it was (default: standard output)")  # fmt: skip
    p.add_argument("--batch-size", type=int, default=512, metavar="N",
        help="sentences decoded at a time (default: 512)")  # fmt: skip
    p.add_argument("--max-length", type=int, default=0, metavar="N",
        help="cut answers off after N tokens (default: the longest of training)")  # fmt: skip
    p.add_argument("--strict", action="store_true",
        help="refuse sentences with symbols never seen in training, instead of leaving these out",
    )  # fmt: skip
    p.add_argument("--json", action="store_true",
        help="one JSON object a line: source, text, complete, warnings")  # fmt: skip
    p.add_argument("--platform", choices=["cpu", "gpu", "tpu"],
        help="compute on this kind of device (default: the best that JAX finds)")  # fmt: skip
    p.add_argument("--export", type=Path, metavar="FILE",
        help="write the greedy decoder for JAX alone, without this package, and stop",
    )  # fmt: skip
    return p


def run() -> int:
    flags = parser().parse_args()

    from s2s_jax.serving import DecodeRequest, decode  # After --help, which needs no JAX.

    return decode(DecodeRequest(**vars(flags)), beside=Path(__file__).resolve().parent)


if __name__ == "__main__":
    main(run)
