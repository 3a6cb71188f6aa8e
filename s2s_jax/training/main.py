"""The command that trains: train.py, or s2s-train where the package is installed."""

from __future__ import annotations

import argparse
import functools
import textwrap
from pathlib import Path
from typing import NoReturn

from s2s_jax.command_line import Parser, add_devices, add_options, main, typed
from s2s_jax.config import DataConfig, Reading
from s2s_jax.errors import spell_options
from s2s_jax.recipes import SECTIONS, built_in, read_recipe
from s2s_jax.runtime.interrupts import loading


def parser() -> Parser:
    """The flags, and what `--help` says of them; none of it needs JAX."""
    p = Parser(
        description="Train an LSTM sequence-to-sequence model from tab-separated sentence pairs.",
        epilog=f"{_recipes()}\n\n{_examples()}",
        argument_default=argparse.SUPPRESS,
    )
    # What a recipe turns on, --no-... turns off.
    add = functools.partial(add_options, switch=argparse.BooleanOptionalAction)
    data = p.add_argument_group("data", "Defaults are the tutorial's; see the recipes below.")
    add(data, DataConfig, DataConfig.options().keys() - Reading.options().keys())
    add(p.add_argument_group("how pairs are read from data"), Reading)
    add(p.add_argument_group("model"), SECTIONS["model"])
    add(p.add_argument_group("training"), SECTIONS["train"])
    add(
        p.add_argument_group("decoding", "What decode.py does unless it is told otherwise."),
        SECTIONS["decode"],
    )
    _add_run(p.add_argument_group("run"))
    _add_devices(p.add_argument_group("devices", "The batch size is that of all together."))
    return p


def _add_run(run: argparse._ArgumentGroup) -> None:
    run.add_argument("--recipe", metavar="NAME|FILE",
        help="take the settings of a recipe, of a .toml file, or of the config.json of another "
        "run; flags override them")  # fmt: skip
    run.add_argument("--out", type=Path, metavar="DIR",
        help="run folder (default: checkpoints/<name of the data>)")  # fmt: skip
    run.add_argument("--resume", action="store_true",
        help="continue the run in that folder, if there is one; nothing is done to a run that "
        "has its --epochs")  # fmt: skip
    run.add_argument("--more", type=int, metavar="N",
        help="resume, and train N more epochs from there; --patience starts over")  # fmt: skip
    run.add_argument("--start-from", type=Path, metavar="DIR",
        help="begin with the weights of another run (fine-tuning); its model and settings of "
        "training are kept, with a tenth of its learning rate, and new symbols are added to its "
        "vocabularies")  # fmt: skip
    run.add_argument("--step", metavar="STEP",
        help="which step of that run: best, latest or a number (default: best)")  # fmt: skip
    run.add_argument("--runs", type=int, metavar="N",
        help="train N times, with --seed and the seeds after it, on the same pairs, into "
        "<out>-seed<N>: the runs of an ensemble")  # fmt: skip
    run.add_argument("--overwrite", action="store_true", help="replace the run in that folder")
    run.add_argument("--tensorboard", action="store_true",
        help="keep figures, answers and attention for TensorBoard in the run folder")  # fmt: skip
    run.add_argument("--mlflow", action="store_true",
        help="keep figures, settings and the card for MLflow beside the run folder")  # fmt: skip
    run.add_argument("--summary", nargs="?", const=True, type=Path, metavar="FILE",
        help="print the model and stop; or draw it to FILE, .svg or .png with matplotlib, or .mmd "
        "for a block of Mermaid in a README")  # fmt: skip


def _add_devices(devices: argparse._ArgumentGroup) -> None:
    add_devices(devices)
    devices.add_argument("--coordinator", metavar="HOST:PORT",
        help="address of process 0, to train in several processes; TPU pods and SLURM need no "
        "flags")  # fmt: skip
    devices.add_argument("--num-processes", type=int, metavar="N", help="number of processes")
    devices.add_argument("--process-id", type=int, metavar="K", help="which one this is, from 0")


def _recipes() -> str:
    """The recipes that come with the package, and what each sets."""
    lines = ["recipes (default: embedded without --data, small for few pairs, else tutorial):"]
    for name in built_in():
        recipe = read_recipe(name)
        lines.append(f"  {name:<10}  {recipe.description}")
        settings = {**recipe.data, **recipe.model, **recipe.train, **recipe.decode}
        flags = " ".join(
            spell_options(f"`{key}`") + ("" if value is True else f" {value}")
            for key, value in settings.items()
        )
        lines += textwrap.wrap(flags, initial_indent=" " * 14, subsequent_indent=" " * 14, width=79)
    return "\n".join(lines)


def _examples() -> str:
    train = typed("train.py")
    return (
        "examples:\n"
        f"  {train}                          the built-in English-French corpus\n"
        f"  {train} --data fra.txt           the Keras tutorial's settings\n"
        f"  {train} --data fra.txt --resume  continue where a run stopped\n"
        f"  {train} --data cmn.txt --optimizer adam --latent-dim 128"
    )


def run() -> int:
    """Does what the command line asks for."""
    flags = vars(parser().parse_args())

    with loading():  # After --help, which needs no JAX.
        from s2s_jax.pictures.drawing import check_suffix
        from s2s_jax.pictures.models import SUFFIXES, write_model
        from s2s_jax.training.opening import summarize
        from s2s_jax.training.repeated import carry_out_runs
        from s2s_jax.training.report import TrainingReport
        from s2s_jax.training.request import request_for
        from s2s_jax.training.run import TrainingInterrupted, carry_out

    shown, runs = flags.pop("summary", None), flags.pop("runs", None)
    if isinstance(shown, Path):
        check_suffix("summary", shown, SUFFIXES)
    request = request_for(flags)
    if shown is not None:
        config = summarize(request, TrainingReport(quiet=shown is not True))
        if shown is not True:
            write_model(config, shown)
        return 0
    try:
        if runs is None:
            carry_out(request, TrainingReport())
        else:
            carry_out_runs(request, runs)
    except TrainingInterrupted as interrupted:
        return 128 + interrupted.signum
    return 0


def entry_point() -> NoReturn:
    """The console command."""
    main(run)
