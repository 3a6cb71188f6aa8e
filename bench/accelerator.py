"""The accelerator table: training by batch size, precision and steps in one dispatch.

    python bench/accelerator.py --write

s2s_jax beside PyTorch's nn.LSTM (cuDNN on an NVIDIA card) on the device that each finds, one
process after another, round after round. Takes a few minutes with the settings that it has;
`--write` puts the table into RESULTS.md.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from processes import HERE, Failed, missing, run
from report import (
    Grid,
    conditions,
    conditions_text,
    markdown,
    median,
    number,
    ratio_text,
    ratios,
    rich_table,
    shown_command,
    write_section,
)

PRECISIONS = ("float32", "bfloat16")


def settings(flags):
    """Every row of the table: batch size, precision, steps in one dispatch."""
    return [
        (size, precision, dispatch)
        for size in flags.batch_sizes
        for precision in PRECISIONS
        for dispatch in flags.dispatch
    ]


def measure(flags, rows, peer):
    """The figures of each row, all from one process; none when it fails or PyTorch is missing."""
    if peer and missing(("torch",)):
        return [None] * len(rows)
    command = [HERE / "accelerator_steps.py", *(["--peer"] if peer else [])]
    command += ["--units", flags.units, "--seconds", flags.seconds]
    try:
        return run([*command, *(":".join(map(str, row)) for row in rows)]).records
    except Failed as failure:
        print(failure, file=sys.stderr)
        return [None] * len(rows)


def grid(rows, results):
    """Medians over the rounds, and the ratio within each."""
    return Grid(
        "Training on an accelerator",
        ("batch", "precision", "steps a dispatch", "s2s_jax, target tokens/s", "ms a step",
         "PyTorch nn.LSTM, target tokens/s", "s2s_jax is faster by"),
        [
            (
                f"{size:,}", precision, str(dispatch),
                number(median(ours, "tokens_per_second")), number(median(ours, "step_ms"), 2),
                number(median(peer, "tokens_per_second")),
                ratio_text(ratios(ours, peer, "tokens_per_second")),
            )
            for (size, precision, dispatch), (ours, peer) in zip(rows, results, strict=True)
        ],
        ("Full batches of 16 source and 20 target positions; TF32 is off in PyTorch's float32.",),
    )  # fmt: skip


def main():
    """Measures, prints, and writes where that is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256, 1024, 4096])
    parser.add_argument("--dispatch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    flags = parser.parse_args()
    rows, console = settings(flags), Console()
    results = [([], []) for _ in rows]
    with console.status("measuring") as status:
        for turn in range(flags.rounds):
            for peer, name in enumerate(("s2s_jax", "PyTorch")):
                status.update(f"round {turn + 1} of {flags.rounds}, {name}")
                for row, figures in zip(results, measure(flags, rows, peer), strict=True):
                    row[peer].append(figures)
    table = grid(rows, results)
    console.print(rich_table(table))
    if flags.write:
        facts = conditions(shown_command("bench/accelerator.py", sys.argv[1:]))
        text = markdown(table, conditions_text(facts))
        write_section(Path(__file__).with_name("RESULTS.md"), "accelerator", text)


if __name__ == "__main__":
    main()
