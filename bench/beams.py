"""The table of beam search in bulk, with a model of the recipe `translator`."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from decoding import figures
from processes import HERE, ROOT, run
from report import Grid, Rounds, median, number, ratio_text, ratios
from training import OURS, Peer

PEERS = {"torch-beam": Peer("PyTorch, batches", ("torch",), ("pytorch_beam.py",))}
BEAM = 5


def prepare(flags: Namespace, folder: Path) -> dict[str, Any]:
    """The task in `folder`, and the run folder it was made of: the user's or one trained now."""
    run_folder = flags.translator
    if run_folder is None:
        run_folder = folder / "run"
        command = [ROOT / "train.py", "--data", flags.data, "--num-samples", flags.num_samples]
        command += ["--recipe", "translator", "--epochs", flags.epochs, "--out", run_folder]
        run(command, {"S2S_JAX_CACHE": str(folder / "cache")})
    command = [HERE / "s2s_beam.py", run_folder, "--write-task", folder, "--beam", BEAM]
    command += ["--data", flags.data, "--num-samples", flags.num_samples]
    run([*command, "--sentences", flags.sentences])
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    return {"folder": folder, "run": run_folder, "answers": task["answers"]}


def run_peer(name: str, flags: Namespace, task: dict[str, Any]) -> dict[str, Any]:
    """One peer's figures."""
    arguments = ["--task", task["folder"], "--seconds", flags.seconds, "--beam", BEAM]
    return figures(PEERS[name].run(flags, arguments), task["answers"])


def run_ours(flags: Namespace, task: dict[str, Any]) -> dict[str, Any]:
    """Our own figures."""
    command = [HERE / "s2s_beam.py", task["run"], "--task", task["folder"], "--beam", BEAM]
    return figures(run([*command, "--seconds", flags.seconds]), task["answers"])


def grid(results: dict[str, Rounds], task: dict[str, Any]) -> Grid:
    """Medians over the rounds, and the ratios to s2s_jax within them."""
    ours, rows = results[OURS], []
    for label, rounds in results.items():
        bulk, one, same = "", "", ""
        if label != OURS:
            bulk = ratio_text(ratios(ours, rounds, "sentences_per_second"))
            one = ratio_text(ratios(rounds, ours, "one_ms"))
        if (decoded := median(rounds, "decoded")) is not None:
            same = f"{median(rounds, 'equal'):,.0f} of {decoded:,.0f}"
        rate, ms = median(rounds, "sentences_per_second"), median(rounds, "one_ms")
        rows.append(
            (label, number(rate), bulk, number(ms, 2), one, number(median(rounds, "peak_mb")), same)
        )
    return Grid(
        f"Beam search, {BEAM} hypotheses",
        (
            "",
            "sentences/s in bulk",
            "s2s_jax is faster by",
            "ms for one sentence",
            "s2s_jax is faster by",
            "peak MB",
            "answers equal to ours",
        ),
        rows,
        (f"{len(task['answers']):,} distinct sentences; the same weights and the same search.",),
    )
