"""The scaling table: s2s_jax with one setting varied at a time, and its share of the peak."""

from argparse import Namespace
from typing import Any

from processes import HERE, run
from report import Grid, Rounds, median, number

SETTINGS = {
    "tutorial: 256 units, batch 64": (),
    "128 units": ("--units", 128),
    "512 units": ("--units", 512),
    "1,024 units": ("--units", 1024),
    "batch 16": ("--batch-size", 16),
    "batch 128": ("--batch-size", 128),
    "batch 256": ("--batch-size", 256),
    "batch 512": ("--batch-size", 512),
    "1,000 pairs of all": ("--draw", 1_000),
    "10,000 pairs of all": ("--draw", 10_000),
    "60,000 pairs of all": ("--draw", 60_000),
    "2 pairs made one": ("--join", 2),
    "4 pairs made one": ("--join", 4),
    "8 pairs made one": ("--join", 8),
}


def run_setting(name: str, flags: Namespace) -> dict[str, Any]:
    """One setting's figures."""
    command = [HERE / "s2s_steps.py", "--data", flags.data, "--seconds", flags.seconds]
    done = run([*command, *SETTINGS[name]])
    return done.records[-1] | {"peak_mb": done.peak_mb}


def grid(results: dict[str, Rounds]) -> Grid:
    """Medians over the rounds; shares are taken from figures of the same process."""
    rows = []
    for name, rounds in results.items():
        padded, useful = (median(rounds, f"{kind}_gflops") for kind in ("padded", "useful"))
        peak, step = (median(rounds, f"{kind}_gflops") for kind in ("peak", "step"))
        rows.append(
            (
                name,
                number(median(rounds, "pairs")),
                f"{number(median(rounds, 'mean_source'), 1)} + "
                f"{number(median(rounds, 'mean_target'), 1)}",
                number(median(rounds, "tokens_per_second")),
                number(median(rounds, "epoch_seconds"), 2),
                number(median(rounds, "peak_mb")),
                f"{number(padded)} ({number(useful)})",
                f"{number(peak)} / {number(step)}",
                f"{padded / peak:.0%} ({useful / peak:.0%})" if padded and peak else "",
            )
        )
    return Grid(
        "s2s_jax, one setting varied at a time",
        (
            "",
            "training pairs",
            "mean tokens",
            "target tokens/s",
            "s an epoch",
            "peak MB",
            "GFLOP/s (useful)",
            "peak GFLOP/s, large / step",
            "share of peak (useful)",
        ),
        rows,
        (
            "GFLOP/s are the matrix products of training over padded positions (over real tokens "
            "alone); the formula is in `flops.py`. Peak: float32 products of 2048 x 2048 by "
            "2048 x 2048 / of [batch, units] by [units, 4 units], measured in the same process.",
        ),
    )
