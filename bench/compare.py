"""Training side by side: every peer and s2s_jax in turn, round after round, on the same pairs.

    pip install -e ".[bench]"
    python bench/compare.py --data fra.txt --epochs 4 --rounds 3

Each run is a process of its own. Speed is the median of the epochs after the first (which
compiles), validation not counted; the table gives the median over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
OURS = "s2s_jax"
PEERS = {
    "Keras tutorial, JAX": (["keras_tutorial.py"], {"KERAS_BACKEND": "jax"}),
    "Keras tutorial, TensorFlow": (["keras_tutorial.py"], {"KERAS_BACKEND": "tensorflow"}),
    "Keras tutorial, PyTorch": (["keras_tutorial.py"], {"KERAS_BACKEND": "torch"}),
    "PyTorch nn.LSTM, padded": (["pytorch_lstm.py"], {}),
    "PyTorch nn.LSTM, bucketed": (["pytorch_lstm.py", "--bucketed"], {}),
}


def run(command, environment):
    """Standard output of a process, and the seconds and megabytes that it took."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return output, time.perf_counter() - start, usage.ru_maxrss / 1000


def run_peer(name, flags):
    """One peer's figures."""
    (script, *more), environment = PEERS[name]
    arguments = ["--data", flags.data, "--num-samples", flags.num_samples]
    arguments += ["--epochs", flags.epochs, *more]
    output, wall, memory = run([HERE / script, *arguments], environment)
    result = json.loads(output.splitlines()[-1])
    return figures(result["epoch_seconds"], result["target_tokens_per_second"], wall, memory)


def run_ours(flags):
    """Our own figures, compiled programs not kept from an earlier process."""
    with tempfile.TemporaryDirectory() as folder:
        command = [HERE.parent / "train.py", "--data", flags.data, "--split", "tail"]
        command += ["--num-samples", flags.num_samples, "--epochs", flags.epochs]
        _, wall, memory = run(
            [*command, "--out", Path(folder) / "run"], {"S2S_JAX_CACHE": f"{folder}/cache"}
        )
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    rate = statistics.median(epoch["target_tokens_per_second"] for epoch in epochs[1:])
    return figures([epoch["seconds"] for epoch in epochs], rate, wall, memory)


def figures(epoch_seconds, rate, wall, memory):
    """One run in a form that can be compared."""
    steady = statistics.median(epoch_seconds[1:])
    return {
        "tokens_per_second": rate,
        "epoch_seconds": steady,
        "first_epoch_extra_seconds": epoch_seconds[0] - steady,
        "wall_seconds": wall,
        "peak_mb": memory,
    }


def table(results):
    """The medians of all rounds, and each peer's ratio to ours within the rounds."""
    columns = Table(title="Training, target tokens per second", title_justify="left")
    headings = ["", "tokens/s", "s/epoch", "first epoch +s", "peak MB", "ours is faster by"]
    for heading in headings:
        columns.add_column(heading, justify="left" if not heading else "right")
    for name, rounds in results.items():
        median = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
        ratios = [
            ours["tokens_per_second"] / peer["tokens_per_second"]
            for ours, peer in zip(results[OURS], rounds, strict=True)
        ]
        columns.add_row(
            name,
            f"{median['tokens_per_second']:,.0f}",
            f"{median['epoch_seconds']:.1f}",
            f"{median['first_epoch_extra_seconds']:.1f}",
            f"{median['peak_mb']:,.0f}",
            f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
        )
    return columns


def main():
    """Runs all rounds; prints the table, and the figures as JSON to --json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--json", type=Path)
    flags = parser.parse_args()
    if flags.epochs < 2:
        parser.error("--epochs must be at least 2: the first one compiles")
    results = {name: [] for name in [*flags.only, OURS]}
    for number in range(1, flags.rounds + 1):
        for name in results:
            print(f"round {number} of {flags.rounds}: {name}", file=sys.stderr)
            results[name].append(run_ours(flags) if name == OURS else run_peer(name, flags))
    Console().print(table(results))
    if flags.json:
        flags.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
