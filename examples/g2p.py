"""Trains a pronouncer for every language of a folder, and prints their error rates.

    python examples/g2p.py g2p --jobs 2

The folder holds `<language>_train.tsv` and `<language>_dev.tsv`, as those of SIGMORPHON 2020 task
1: a word, a tab, and its sounds with spaces between them. Each language is a run of its own by the
recipe `transducer`, which holds a part of `_train.tsv` out to choose the best epoch by. `_dev.tsv`
is read when training is over, and nothing is chosen by it. A language's row is printed when its
runs are over. Options that are not listed here are handed on to train.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

SCRIPTS = Path(__file__).resolve().parents[1]


class Result(NamedTuple):
    """The error rates of a language's dev part, 0 to 1, and the seconds from start to figures."""

    language: str
    words: float
    sounds: float
    seconds: float


def languages(folder: Path) -> list[str]:
    """The languages of a folder that have both parts."""
    names = (path.name.removesuffix("_train.tsv") for path in sorted(folder.glob("*_train.tsv")))
    return [name for name in names if (folder / f"{name}_dev.tsv").exists()]


def line(result: Result) -> str:
    """The row of a language."""
    name, words, sounds, seconds = result
    return f"{name:<12} {words:>7.2%} {sounds:>7.2%} {seconds:>8.1f}"


def mean(results: list[Result]) -> Result:
    """What a language has on average; each counts the same."""
    columns = list(zip(*(result[1:] for result in results), strict=True))
    return Result("mean", *(sum(column) / len(results) for column in columns))


def run(cores: set[int], script: str, *arguments: object) -> str:
    """What a script prints, on these cores."""
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        if cores:
            os.sched_setaffinity(p.pid, cores)
        printed, problems = p.communicate()
    if p.returncode:
        sys.exit(f"{' '.join(command)}\n{problems}")
    return printed


def learn(
    folder: Path, language: str, flags: argparse.Namespace, more: list[str], cores: set[int]
) -> Result:
    """Trains the runs of a language, and judges them together."""
    begun, out = time.monotonic(), flags.out / language
    data = ("--data", folder / f"{language}_train.tsv", "--recipe", "transducer")
    run(cores, "train.py", *data, "--runs", flags.runs, "--out", out, "--overwrite", *more)
    folders = sorted(out.parent.glob(f"{language}-seed*"))
    named = [word for found in folders for word in ("--checkpoint", found)]
    judged = ("--evaluate", folder / f"{language}_dev.tsv", "--beam", flags.beam, "--json")
    figures = json.loads(run(cores, "decode.py", *named, *judged))
    rates = figures["sequence_error_rate"], figures["symbol_error_rate"]
    return Result(language, *rates, time.monotonic() - begun)


def main() -> None:
    """Does what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/g2p"), metavar="DIR")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
        help="languages at a time, each on its share of the cores")  # fmt: skip
    parser.add_argument("--runs", type=int, default=1, metavar="N",
        help="runs of each language, which answer together")  # fmt: skip
    parser.add_argument("--beam", type=int, default=5, metavar="N")
    flags, more = parser.parse_known_args()
    found = languages(flags.folder)
    if not found or flags.jobs < 1:
        parser.error(
            f"{flags.folder} must hold <language>_train.tsv and _dev.tsv; --jobs at least 1"
        )
    shares: SimpleQueue[set[int]] = SimpleQueue()
    for job in range(flags.jobs):
        every = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        shares.put(set(every[job :: flags.jobs]))

    def work(language: str) -> Result:
        cores = shares.get()
        try:
            result = learn(flags.folder, language, flags, more, cores)
        finally:
            shares.put(cores)
        print(line(result), flush=True)
        return result

    print(f"{'language':<12} {'WER':>7} {'PER':>7} {'seconds':>8}", flush=True)
    with ThreadPoolExecutor(flags.jobs) as pool:
        print(line(mean(list(pool.map(work, found)))))


if __name__ == "__main__":
    main()
