"""Keras models in and out: python -m s2s_jax.keras import | export; see --help."""

from pathlib import Path
from typing import NoReturn

from s2s_jax.command_line import Parser, main, typed
from s2s_jax.keras.request import PADDINGS, ImportRequest
from s2s_jax.runtime.interrupts import loading


def parser() -> Parser:
    """The commands and their flags."""
    program = typed("-m s2s_jax.keras")
    p = Parser(
        prog=program,
        description="Import LSTM encoder-decoder models of Keras, and export them.",
        epilog="examples:\n"
        f"  {program} import s2s.h5 --data fra.txt\n"
        f"  {program} export checkpoints/fra --out s2s.keras --inference",
    )
    commands = p.add_subparsers(dest="command", required=True, metavar="import|export")
    _add_import(commands.add_parser("import", help="a .h5 or .keras file -> a run folder"))
    _add_export(commands.add_parser("export", help="a run folder -> .keras or .h5 files"))
    return p


def _add_import(p: Parser) -> None:
    p.add_argument("models", type=Path, nargs="+", metavar="FILE",
        help="the training model (.h5 or .keras), or the encoder and the decoder; with files of "
        "weights alone (save_weights) the JSON of their architecture, if there is one")  # fmt: skip
    p.add_argument("--data", metavar="PATH|URL|NAME",
        help="the data that the model was trained on, which gives its characters")  # fmt: skip
    p.add_argument("--num-samples", type=int, default=10_000, metavar="N",
        help="the tutorial's num_samples: lines read (default: 10000)")  # fmt: skip
    p.add_argument("--vocabulary", type=Path, nargs="+", default=(), metavar="JSON",
        help="the model's symbols instead of the data's sorted characters: an object with the "
        "lists input_characters and target_characters, or an index {symbol: number} or a "
        "Tokenizer of Keras (to_json) for each side, the source's first")  # fmt: skip
    for name, what in (("start", "begins"), ("end", "ends")):
        p.add_argument(f"--{name}", default="", metavar="SYMBOL",
            help=f"what {what} each target (default: seen in the vocabulary)")  # fmt: skip
    for side, what in (("encoder", "source"), ("decoder", "target")):
        p.add_argument(f"--max-{side}-seq-length", type=int, default=0, metavar="N",
            help=f"symbols of the longest {what} of the training (default: that of the data)",
        )  # fmt: skip
    p.add_argument("--padding", choices=PADDINGS,
        help="what sources were padded with (default: as the model shows, or as fits the data "
        "best; zeros if neither tells); pad_sequences puts zeros-before unless told otherwise",
    )  # fmt: skip
    p.add_argument("--source-order", default="", choices=["forwards", "backwards"],
        help="how sources were read (default: as fits the data best; forwards without)",
    )  # fmt: skip
    p.add_argument("--recurrent-activation", default="",
        choices=["sigmoid", "hard_sigmoid", "keras2_hard_sigmoid"],
        help="gates of the LSTMs, if the files do not tell: keras2_hard_sigmoid was the default "
        "before Keras 2.3, sigmoid has been since")  # fmt: skip
    p.add_argument("--latent-dim", type=int, default=0, metavar="N",
        help="refuse a model with another number of units")  # fmt: skip
    p.add_argument("--out", type=Path, metavar="DIR",
        help="run folder (default: checkpoints/<name of the file>)")  # fmt: skip
    p.add_argument("--overwrite", action="store_true", help="replace the run in that folder")


def _add_export(p: Parser) -> None:
    p.add_argument("checkpoint", type=Path, metavar="DIR", help="run folder")
    p.add_argument("--out", type=Path, required=True, metavar="FILE",
        help="the training model, .keras or .h5; its characters go beside it as "
        "<name>_characters.json")  # fmt: skip
    p.add_argument("--inference", action="store_true",
        help="also <name>_encoder and <name>_decoder, the two models that decode")  # fmt: skip
    p.add_argument("--step", default="best", metavar="best|latest|N",
        help="which saved step (default: best, by the validation part)")  # fmt: skip
    p.add_argument("--overwrite", action="store_true", help="replace files that are there")


def run() -> int:
    """Does what the command line asks for."""
    flags = vars(parser().parse_args())
    if flags.pop("command") == "import":
        with loading():  # After --help, which needs no JAX.
            from s2s_jax.keras.importing import import_model

        return import_model(ImportRequest(**flags))
    with loading():
        from s2s_jax.keras.exporting import export_model

    return export_model(**flags)


def entry_point() -> NoReturn:
    """The console command."""
    main(run)


if __name__ == "__main__":
    entry_point()
