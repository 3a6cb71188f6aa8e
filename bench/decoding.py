"""The decoding table: every peer and s2s_jax on the same sentences with the same weights."""

import json
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from processes import HERE, ROOT, run
from report import Grid, Rounds, median, number, ratio_text, ratios
from training import OURS, Peer

_BACKENDS = (("jax", "JAX"), ("torch", "PyTorch"), ("tensorflow", "TensorFlow"))

PEERS = {
    **{
        f"keras-{backend}{'-on-batch' if more else ''}": Peer(
            f"Keras {'predict_on_batch' if more else 'tutorial, predict'} loop, {name}",
            ("keras", backend),
            ("keras_decode.py", *more),
            {"KERAS_BACKEND": backend},
        )
        for more in ((), ("--on-batch",))
        for backend, name in _BACKENDS
    },
    "torch-lstm": Peer("PyTorch nn.LSTM, batches", ("torch",), ("pytorch_decode.py",)),
    "torch-cell": Peer("PyTorch nn.LSTMCell, batches", ("torch",), ("pytorch_decode.py", "--cell")),
}


def prepare(flags: Namespace, folder: Path) -> dict[str, Any]:
    """The task in `folder`, and the run folder it was made of: the user's or one trained now."""
    run_folder = flags.checkpoint
    if run_folder is None:
        run_folder = folder / "run"
        command = [ROOT / "train.py", "--data", flags.data, "--num-samples", flags.num_samples]
        command += ["--split", "tail", "--epochs", flags.epochs, "--latent-dim", flags.latent_dim]
        run([*command, "--out", run_folder], {"S2S_JAX_CACHE": str(folder / "cache")})
    command = [HERE / "s2s_decode.py", run_folder, "--write-task", folder, "--data", flags.data]
    command += ["--num-samples", flags.num_samples, "--sentences", flags.sentences]
    run(command, {"S2S_JAX_CACHE": str(folder / "cache")})
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    return {"folder": folder, "run": run_folder, "answers": task["answers"]}


def run_peer(name: str, flags: Namespace, task: dict[str, Any]) -> dict[str, Any]:
    """One peer's figures."""
    done = PEERS[name].run(flags, ["--task", task["folder"], "--seconds", flags.seconds])
    return figures(done, task["answers"])


def run_ours(flags: Namespace, task: dict[str, Any]) -> dict[str, Any]:
    """Our own figures: as a library, and decode.py with an empty and a filled cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {"S2S_JAX_CACHE": cache}
        command = [ROOT / "decode.py", "--checkpoint", task["run"], "Go."]
        cold = run(command, environment).seconds
        warm = run(command, environment).seconds
        command = [HERE / "s2s_decode.py", task["run"], "--task", task["folder"]]
        done = run([*command, "--seconds", flags.seconds], environment)
    return figures(done, task["answers"]) | {"cold_seconds": cold, "warm_seconds": warm}


def figures(done: Any, reference: list[str]) -> dict[str, Any]:
    """One run in a form that can be compared; its answers are counted, not kept."""
    result = done.records[-1]
    answers = result.pop("answers")
    equal = sum(a == b for a, b in zip(answers, reference, strict=False))
    return result | {"peak_mb": done.peak_mb, "decoded": len(answers), "equal": equal}


def grid(results: dict[str, Rounds], task: dict[str, Any]) -> Grid:
    """Medians over the rounds, and the ratios to s2s_jax within them."""
    ours, rows = results[OURS], []
    for label, rounds in results.items():
        bulk, one, same = ["", "", ""]
        if label != OURS:
            bulk = ratio_text(ratios(ours, rounds, "sentences_per_second"))
            one = ratio_text(ratios(rounds, ours, "one_ms"))
        if (decoded := median(rounds, "decoded")) is not None:
            same = f"{median(rounds, 'equal'):,.0f} of {decoded:,.0f}"
        rate = median(rounds, "sentences_per_second")
        rows.append(
            (
                label,
                number(rate, 0 if rate and rate >= 100 else 2),
                bulk,
                number(median(rounds, "one_ms"), 2),
                one,
                number(median(rounds, "peak_mb")),
                same,
            )
        )
    answers = task["answers"]
    cold, warm = median(ours, "cold_seconds"), median(ours, "warm_seconds")
    return Grid(
        "Greedy decoding",
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
        (
            f"{len(answers):,} distinct sentences, answered with {mean_length(answers):.1f} "
            "characters on average; the same weights everywhere. Bulk of a predict loop is one "
            "sentence after another.",
            f'`decode.py "Go."`, process start to end: {number(cold, 2)} s with an empty '
            f"compilation cache, {number(warm, 2)} s with a filled one.",
        ),
    )


def mean_length(texts: list[str]) -> float:
    """Characters of a text on average."""
    return sum(map(len, texts)) / max(len(texts), 1)
