"""The training table: every peer and s2s_jax in turn, on the same pairs.

A program prints one JSON object an epoch (`seconds` without validation, `val_loss` in nats per
real target token) and at last one with `target_tokens`, the real tokens of an epoch (the end
symbol counts). Speed is that number over the median epoch after the first, which compiles.
"""

import itertools
import json
import statistics
import sys
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from processes import HERE, ROOT, Finished, run
from report import Grid, Rounds, median, number, ratio_text, ratios

OURS = "s2s_jax"


class Peer(NamedTuple):
    """A program to compare with: its row's name, what it needs, and how it is started."""

    label: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str] = {}  # noqa: RUF012  Never changed.

    def python(self, flags: Namespace) -> str:
        """The interpreter that has the packages."""
        if "joeynmt" in self.packages:
            return flags.joeynmt_python
        return flags.torch_python if "torch" in self.packages else sys.executable

    def run(self, flags: Namespace, arguments: list[Any]) -> Finished:
        """The program, with these arguments before those of its own."""
        script, *more = self.command
        return run([HERE / script, *arguments, *more], self.environment, python=self.python(flags))


PEERS = {
    "keras-tensorflow": Peer(
        "Keras tutorial, TensorFlow",
        ("keras", "tensorflow"),
        ("keras_tutorial.py",),
        {"KERAS_BACKEND": "tensorflow"},
    ),
    "keras-tensorflow-jit": Peer(
        "Keras tutorial, TensorFlow, jit_compile=True",
        ("keras", "tensorflow"),
        ("keras_tutorial.py", "--jit-compile"),
        {"KERAS_BACKEND": "tensorflow"},
    ),
    "keras-jax": Peer(
        "Keras tutorial, JAX", ("keras",), ("keras_tutorial.py",), {"KERAS_BACKEND": "jax"}
    ),
    "keras-torch": Peer(
        "Keras tutorial, PyTorch",
        ("keras", "torch"),
        ("keras_tutorial.py",),
        {"KERAS_BACKEND": "torch"},
    ),
    "torch-padded": Peer("PyTorch nn.LSTM, padded", ("torch",), ("pytorch_lstm.py",)),
    "torch-bucketed": Peer(
        "PyTorch nn.LSTM, length-bucketed", ("torch",), ("pytorch_lstm.py", "--bucketed")
    ),
    "flax-naive": Peer("Flax nn.scan(OptimizedLSTMCell), padded", (), ("flax_naive.py",)),
}


def sizes(flags: Namespace) -> list[Any]:
    """The settings that all programs share."""
    return [
        *("--data", flags.data, "--num-samples", flags.num_samples, "--epochs", flags.epochs),
        *("--batch-size", flags.batch_size, "--latent-dim", flags.latent_dim),
    ]


def run_peer(name: str, flags: Namespace) -> dict[str, Any]:
    """One peer's figures."""
    done = PEERS[name].run(flags, sizes(flags))
    *epochs, last = done.records
    ends = [seconds for seconds, line in done.lines if line.startswith("{")][:-1]
    return figures(epochs, ends, last["target_tokens"], done)


def run_ours(flags: Namespace) -> dict[str, Any]:
    """Our own figures, compiled programs not kept from an earlier process."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(ours_command(flags, Path(folder)), {"S2S_JAX_CACHE": f"{folder}/cache"})
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line) for line in lines]
    ends = [seconds for seconds, line in done.lines if line.startswith("epoch ")]
    tokens = round(statistics.median(e["target_tokens_per_second"] * e["seconds"] for e in epochs))
    return figures(epochs, ends, tokens, done)


def ours_command(flags: Namespace, folder: Path) -> list[Any]:
    """What a user types, with the tutorial's split."""
    return [ROOT / "train.py", *sizes(flags), "--split", "tail", "--out", folder / "run"]


def figures(
    epochs: list[dict[str, Any]], ends: list[float], target_tokens: int, done: Finished
) -> dict[str, Any]:
    """One run in a form that can be compared.

    Args:
      epochs: `seconds` and `val_loss` of each.
      ends: seconds from the start of the process to the end of each epoch, validation included.
      target_tokens: real target tokens of an epoch.
      done: the process.
    """
    steady = statistics.median(epoch["seconds"] for epoch in epochs[1:])
    # Whatever the first epoch takes beyond a steady one: imports, data, compilation.
    spacing = statistics.median(b - a for a, b in itertools.pairwise(ends))
    return {
        "tokens_per_second": target_tokens / steady,
        "epoch_seconds": steady,
        "startup_seconds": ends[0] - spacing,
        "peak_mb": done.peak_mb,
        "val_loss": epochs[-1]["val_loss"],
        "target_tokens": target_tokens,
        "seconds_of_epochs": [epoch["seconds"] for epoch in epochs],
    }


def grid(results: dict[str, Rounds], flags: Namespace) -> Grid:
    """Medians over the rounds, and the ratio to s2s_jax within them."""
    ours, rows = results[OURS], []
    for label, rounds in results.items():
        rows.append(
            (
                label,
                number(median(rounds, "tokens_per_second")),
                number(median(rounds, "epoch_seconds"), 2),
                number(median(rounds, "startup_seconds"), 1),
                number(median(rounds, "peak_mb")),
                number(median(rounds, "val_loss"), 3),
                "" if label == OURS else ratio_text(ratios(ours, rounds, "tokens_per_second")),
            )
        )
    return Grid(
        "Training",
        (
            "",
            "target tokens/s",
            "s an epoch",
            "start-up and compilation s",
            "peak MB",
            f"validation loss, epoch {flags.epochs}",
            "s2s_jax is faster by",
        ),
        rows,
        (tokens_note(results),),
    )


def tokens_note(results: dict[str, Rounds]) -> str:
    """Whether all programs counted the same target tokens."""
    counted = {label: median(rounds, "target_tokens") for label, rounds in results.items()}
    counts = [count for count in counted.values() if count]
    if counts and max(counts) - min(counts) <= 1e-3 * max(counts):
        return f"Target tokens an epoch, the same for all within 0.1 %: {counts[0]:,.0f}."
    return "Target tokens an epoch DIFFER: " + ", ".join(
        f"{label} {number(count)}" for label, count in counted.items()
    )
