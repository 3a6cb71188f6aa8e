"""Draws chrF over wall seconds from the figures that `compare.py translator` left.

python bench/chart.py --out chrf.png
"""

import argparse
import json
from pathlib import Path

from processes import HERE


def main() -> None:
    """Draws all programs, each round a line."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--json", type=Path, default=HERE / "results.json")
    p.add_argument("--out", type=Path, default=Path("chrf.png"))
    flags = p.parse_args()
    try:
        figures = json.loads(flags.json.read_text(encoding="utf-8"))["translator"]
    except (OSError, KeyError):
        raise SystemExit(f"{flags.json} has no figures; run compare.py translator first") from None
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("the chart needs matplotlib: pip install matplotlib") from None
    chart = Figure(figsize=(7, 4), layout="constrained")
    axes = chart.subplots()
    for number, (label, rounds) in enumerate(figures["rounds"].items()):
        for n, measured in enumerate(filter(None, rounds)):
            seconds, chrf = zip(*measured["curve"], strict=True)
            axes.plot(seconds, chrf, f"C{number}o-", label=label if n == 0 else None)
    axes.set(xlabel="wall seconds", ylabel="chrF, sources never seen", xlim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    axes.set_title(figures["hardware"], fontsize=9)
    chart.savefig(flags.out, dpi=150)


if __name__ == "__main__":
    main()
