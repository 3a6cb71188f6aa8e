"""The table of translators: s2s_jax, PyTorch with the layers of the recipe, and JoeyNMT.

A program prints one JSON object an epoch: `seconds` since its start (subwords, compilation,
validation and saving included, imports and judging not), `epoch_seconds` of training, and `chrf`
of its greedy answers to sources that it never saw, each with all its targets as references.
"""

import random
import statistics
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any, NamedTuple

from processes import HERE, Finished, run
from report import Grid, Rounds, median, number, ratio_text, ratios
from time_to_loss import first_reached
from training import OURS, Peer

PEERS = {
    "torch-translator": Peer(
        "PyTorch, window-sorted batches, packed encoder",
        ("torch", "sacrebleu", "sentencepiece"),
        ("pytorch_translator.py",),
    ),
    "joeynmt": Peer(
        "JoeyNMT, its RNN of the same sizes",
        ("joeynmt", "sacrebleu", "sentencepiece"),
        ("joeynmt_translator.py",),
    ),
}
SOURCES = 1500
"""For validation; of few pairs a tenth of the sources."""


class Parts(NamedTuple):
    """The files of both parts, and the pairs for training."""

    train: Path
    validation: Path
    pairs: int


def prepare(flags: Namespace, folder: Path) -> Parts:
    """Draws sources for validation, with all their targets."""
    pairs = list(dict.fromkeys(read_pairs(flags.data, flags.num_samples)))
    return divide(pairs, min(SOURCES, len({source for source, _ in pairs}) // 10), folder)


def read_pairs(path: str | Path, lines: int = 0) -> list[tuple[str, ...]]:
    """The first two columns of each line, or of the first ones alone."""
    read = Path(path).read_text("utf-8").splitlines()[: lines or None]
    return [tuple(line.split("\t")[:2]) for line in read if "\t" in line]


def divide(pairs: list[tuple[str, ...]], held_out: int, folder: Path) -> Parts:
    """Writes both parts, with all the targets of so many drawn sources for validation."""
    drawn = set(random.Random(0).sample(sorted({source for source, _ in pairs}), held_out))
    training = [pair for pair in pairs if pair[0] not in drawn]
    validation = [pair for pair in pairs if pair[0] in drawn]
    parts = Parts(folder / "train.tsv", folder / "validation.tsv", len(training))
    for file, chosen in ((parts.train, training), (parts.validation, validation)):
        file.write_text("".join("\t".join(pair) + "\n" for pair in chosen), "utf-8")
    return parts


def arguments(flags: Namespace, parts: Parts) -> list[Any]:
    """The flags that all programs share."""
    files = ["--train", parts.train, "--validation", parts.validation]
    batch = ["--batch-size", flags.translator_batch] if flags.translator_batch else []
    return [*files, "--epochs", flags.epochs, *batch]


def run_peer(name: str, flags: Namespace, parts: Parts) -> dict[str, Any]:
    """One peer's figures."""
    return figures(PEERS[name].run(flags, arguments(flags, parts)), parts)


def run_ours(flags: Namespace, parts: Parts) -> dict[str, Any]:
    """Our own, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        command = [HERE / "s2s_translator.py", *arguments(flags, parts)]
        return figures(run(command, {"S2S_JAX_CACHE": cache}), parts)


def figures(done: Finished, parts: Parts) -> dict[str, Any]:
    """One run in a form that can be compared."""
    epochs = done.records
    steady = statistics.median(epoch["epoch_seconds"] for epoch in epochs[1:])
    return {
        "epoch_seconds": steady,
        "pairs_per_second": parts.pairs / steady,
        "tokens_per_second": statistics.median(e["tokens_per_second"] for e in epochs[1:]),
        "first_seconds": epochs[0]["seconds"],
        "curve": [[epoch["seconds"], epoch["chrf"]] for epoch in epochs],
        "peak_mb": done.peak_mb,
    }


def grid(results: dict[str, Rounds], flags: Namespace) -> Grid:
    """Medians over the rounds, and the ratios to s2s_jax within them."""
    ours, rows = results[OURS], []
    for label, rounds in results.items():
        curves = [figures["curve"] for figures in rounds if figures]
        reached = [first_reached(curve, flags.to_chrf) for curve in curves]
        if all(reached) and reached:
            to_goal = number(statistics.median(filter(None, reached)))
        else:
            to_goal = "not reached" if curves else ""
        last = statistics.median(curve[-1][1] for curve in curves) if curves else None
        rows.append(
            (
                label,
                number(median(rounds, "tokens_per_second")),
                number(median(rounds, "epoch_seconds"), 1),
                number(median(rounds, "first_seconds"), 1),
                to_goal,
                number(last, 1),
                number(median(rounds, "peak_mb")),
                "" if label == OURS else ratio_text(ratios(ours, rounds, "pairs_per_second")),
            )
        )
    return Grid(
        "Translators",
        (
            "",
            "target tokens/s",
            "s an epoch",
            "s to the first epoch's end",
            f"s to chrF {flags.to_chrf:g}",
            f"chrF, epoch {flags.epochs}",
            "peak MB",
            "s2s_jax is faster by",
        ),
        rows,
        ("An epoch is the training of one, without validation; imports and judging do not count.",),
    )
