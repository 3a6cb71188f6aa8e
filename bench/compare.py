"""s2s_jax beside its peers: training, translators, decoding, scaling, and the time to a loss.

    pip install -e '.[bench]'
    python bench/compare.py training --data fra.txt
    python bench/compare.py translator --data fra.txt --torch-python torchvenv/bin/python
    python bench/compare.py decoding --data fra.txt --checkpoint checkpoints/fra
    python bench/compare.py beam --data fra.txt --translator checkpoints/translator
    python bench/compare.py scaling --data fra.txt
    python bench/compare.py time-to-loss --data fra.txt --to-loss 1.39
    python bench/compare.py all --data fra.txt

Programs run one after another, round after round, each in a process of its own. The table is
printed and put into RESULTS.md, the figures into a JSON file, after every run: what was measured
before an interruption is kept.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

import beams
import decoding
import scaling
import time_to_loss
import training
import translator
from processes import HERE, Failed, missing, version_of
from report import (
    Grid,
    Rounds,
    conditions,
    conditions_text,
    markdown,
    rich_table,
    shown_command,
    with_problems,
    write_json,
    write_section,
)

ROUNDS = {"training": 3, "translator": 1, "decoding": 3, "beam": 3, "scaling": 1, "time-to-loss": 1}
EPOCHS = {
    "training": 4,
    "translator": 4,
    "decoding": 10,
    "beam": 2,
    "scaling": 0,
    "time-to-loss": 100,
}
PAIRS = dict.fromkeys(ROUNDS, 10_000) | {"translator": 0, "beam": 0}
TABLES = tuple(ROUNDS)


class Item(NamedTuple):
    """A row of a table: its name, the packages it needs, and what measures it."""

    label: str
    packages: tuple[str, ...]
    measure: Callable[[], dict[str, Any]]
    python: str = sys.executable


def peers(table: Any, flags: argparse.Namespace, *more: Any) -> list[Item]:
    """The peers of a table that were asked for, and s2s_jax last."""
    names = [name for name in table.PEERS if flags.only is None or name in flags.only]
    items = [
        Item(
            peer.label,
            peer.packages,
            lambda name=name: table.run_peer(name, flags, *more),
            peer.python(flags),
        )
        for name, peer in ((name, table.PEERS[name]) for name in names)
    ]
    return [*items, Item(training.OURS, (), lambda: table.run_ours(flags, *more))]


def compare(
    name: str,
    items: list[Item],
    grid: Callable[[dict[str, Rounds]], Grid],
    flags: argparse.Namespace,
) -> None:
    """Measures all items round after round, and keeps the results after each."""
    facts = conditions(shown_command("bench/compare.py", sys.argv[1:]))
    facts["versions"] |= version_of("torch", flags.torch_python)
    results: dict[str, Rounds] = {item.label: [] for item in items}
    problems = {item.label: missing(item.packages, item.python) for item in items}
    begun, done, total = time.perf_counter(), 0, flags.rounds * len(items)
    for number in range(1, flags.rounds + 1):
        for item in items:
            say_next(f"{name}, round {number} of {flags.rounds}: {item.label}", begun, done, total)
            figures = None
            if problems[item.label] is None:
                try:
                    figures = item.measure()
                except Failed as error:
                    problems[item.label] = f"failed: {error}"
            results[item.label].append(figures)
            done += 1
            table = with_problems(grid(results), problems)
            write_section(flags.results, name, markdown(table, conditions_text(facts)))
            write_json(flags.json, name, {**facts, "problems": problems, "rounds": results})
    Console(width=max(Console().width, 140)).print(rich_table(table))


def say_next(what: str, begun: float, done: int, total: int) -> None:
    """What is measured next, and about how long all of it will take."""
    left = ""
    if done:
        minutes = (time.perf_counter() - begun) / done * (total - done) / 60
        left = f" (about {minutes:.0f} min left)"
    print(what + left, file=sys.stderr, flush=True)


def measure(table: str, flags: argparse.Namespace) -> None:
    """One table."""
    if table == "training":
        compare(table, peers(training, flags), lambda r: training.grid(r, flags), flags)
    elif table == "translator":
        with tempfile.TemporaryDirectory() as folder:
            parts = translator.prepare(flags, Path(folder))
            items = peers(translator, flags, parts)
            compare(table, items, lambda r: translator.grid(r, flags), flags)
    elif table == "decoding":
        with tempfile.TemporaryDirectory() as folder:
            print("decoding: preparing sentences and weights", file=sys.stderr)
            task = decoding.prepare(flags, Path(folder))
            items = peers(decoding, flags, task)
            compare(table, items, lambda r: decoding.grid(r, task), flags)
    elif table == "beam":
        with tempfile.TemporaryDirectory() as folder:
            task = beams.prepare(flags, Path(folder))
            items = peers(beams, flags, task)
            compare(table, items, lambda r: beams.grid(r, task), flags)
    elif table == "scaling":
        items = [
            Item(name, (), lambda name=name: scaling.run_setting(name, flags))
            for name in scaling.SETTINGS
        ]
        compare(table, items, scaling.grid, flags)
    else:
        items = peers(time_to_loss, flags)
        compare(table, items, lambda r: time_to_loss.grid(r, flags), flags)


def parser() -> argparse.ArgumentParser:
    """The flags; those without a default have one of their own in each table."""
    everyone = sorted({*training.PEERS, *translator.PEERS, *decoding.PEERS, *beams.PEERS})
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("table", choices=[*TABLES, "all"])
    p.add_argument("--data", required=True, help="fra.txt of manythings.org/anki")
    p.add_argument("--num-samples", type=int, metavar="N", help=f"0 for all; by default {PAIRS}")
    p.add_argument("--epochs", type=int, metavar="N", help=f"by default {EPOCHS}")
    p.add_argument("--rounds", type=int, metavar="N", help=f"by default {ROUNDS}")
    p.add_argument("--batch-size", type=int, default=64, metavar="N")
    p.add_argument("--translator-batch", type=int, metavar="N", help="by default each one's own")
    p.add_argument("--latent-dim", type=int, default=256, metavar="N")
    p.add_argument("--only", nargs="+", choices=everyone, help="these peers (and s2s_jax)")
    p.add_argument("--seconds", type=float, default=8, help="for each figure of decoding, scaling")
    p.add_argument("--sentences", type=int, default=2048, metavar="N", help="to be decoded")
    p.add_argument("--checkpoint", type=Path, help="run to decode with (default: trained anew)")
    p.add_argument("--translator", type=Path, help="run for the beam (default: trained anew)")
    p.add_argument("--to-chrf", type=float, default=55, help="of the translators")
    p.add_argument("--torch-python", default=sys.executable, help="the Python that has PyTorch")
    p.add_argument("--joeynmt-python", default=sys.executable, help="the Python that has JoeyNMT")
    p.add_argument("--to-loss", type=float, default=1.39, help="in nats per real target token")
    p.add_argument("--json", type=Path, default=HERE / "results.json")
    p.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    return p


def main() -> int:
    """Measures the tables asked for."""
    flags = parser().parse_args()
    for table in TABLES if flags.table == "all" else (flags.table,):
        own = {
            "epochs": EPOCHS[table] if flags.epochs is None else flags.epochs,
            "rounds": ROUNDS[table] if flags.rounds is None else flags.rounds,
            "num_samples": PAIRS[table] if flags.num_samples is None else flags.num_samples,
        }
        if table in ("training", "translator") and own["epochs"] < 2:
            parser().error("--epochs must be at least 2: the first one compiles")
        try:
            measure(table, argparse.Namespace(**{**vars(flags), **own}))
        except Failed as error:
            print(f"{table}: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"\nStopped; what was measured is in {flags.results}.", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
