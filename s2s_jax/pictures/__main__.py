"""The command that draws runs: python -m s2s_jax.pictures, or s2s-plot after pip install."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from s2s_jax.command_line import Parser, main, typed
from s2s_jax.pictures import CURVES
from s2s_jax.runtime.interrupts import loading


def parser() -> Parser:
    """The flags, and what `--help` says of them; none of it needs JAX."""
    plot = typed("-m s2s_jax.pictures")
    p = Parser(
        prog=plot,
        description="Draw the learning curves of runs, side by side. Needs matplotlib.",
        epilog=f"examples:\n  {plot} checkpoints/fra\n"
        f"  {plot} checkpoints/fra checkpoints/fra-words --output both.svg",
    )
    p.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    p.add_argument("--output", type=Path, default=Path(CURVES), metavar="FILE",
        help=f"a .png or .svg file (default: {CURVES})")  # fmt: skip
    return p


def run() -> int:
    """Does what the command line asks for."""
    flags = parser().parse_args()

    with loading():  # After --help, which needs neither JAX nor matplotlib.
        from s2s_jax.pictures.curves import draw_curves, read_curves
        from s2s_jax.pictures.drawing import FORMATS, check_suffix, write_figure
        from s2s_jax.runs.folder import read_run

    check_suffix("output", flags.output, FORMATS)
    for folder in flags.runs:
        read_run(folder)  # Whose message for what is no run folder is the one to show.
    write_figure(draw_curves([read_curves(folder) for folder in flags.runs]), flags.output)
    print(f"{flags.output}: the curves of {', '.join(map(str, flags.runs))}")
    return 0


def entry_point() -> NoReturn:
    """The console command."""
    main(run)


if __name__ == "__main__":
    entry_point()
