"""Wall time from the start of the process to a validation loss: train.py and Keras on JAX."""

import json
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import HERE, run
from report import Grid, Rounds, number
from training import OURS, ours_command, sizes
from training import PEERS as TRAINING_PEERS

PEERS = {"keras-jax": TRAINING_PEERS["keras-jax"]}

THRESHOLDS = (2.0, 1.7, 1.5, 1.45, 1.42, 1.39)
"""Nats per real target token on the way; the goal of the run is added."""


def loss_of_line(line: str) -> float | None:
    """The validation loss in a line of a peer (JSON) or of train.py."""
    if line.startswith("{"):
        return json.loads(line).get("val_loss")
    found = re.search(r"^epoch .* val_loss ([\d.]+)", line)
    return float(found[1]) if found else None


def first_below(curve: list[list[float]], loss: float) -> float | None:
    """The seconds of the first epoch at most at `loss`; a curve is `[seconds, loss]` an epoch."""
    return next((seconds for seconds, value in curve if value <= loss), None)


def first_reached(curve: list[list[float]], score: float) -> float | None:
    """The same for a score that rises."""
    return next((seconds for seconds, value in curve if value >= score), None)


def follow(label: str, goal: float) -> tuple[list[list[float]], Callable[[float, str], bool]]:
    """A curve, and what fills it line by line, shows it, and says when the goal is reached."""
    curve: list[list[float]] = []

    def until(seconds: float, line: str) -> bool:
        loss = loss_of_line(line)
        if loss is None:
            return False
        curve.append([round(seconds, 2), loss])
        best = min(value for _, value in curve)
        print(
            f"\r  {label}: epoch {len(curve)}, {seconds:.0f} s, loss {loss:.3f}, best {best:.3f}",
            end="\n" if loss <= goal else "",
            file=sys.stderr,
            flush=True,
        )
        return loss <= goal

    return curve, until


def run_peer(name: str, flags: Namespace) -> dict[str, Any]:
    """The tutorial's program until the goal, or for all its epochs."""
    script, *more = PEERS[name].command
    curve, until = follow(PEERS[name].label, flags.to_loss)
    done = run([HERE / script, *sizes(flags), *more], PEERS[name].environment, until)
    return {"curve": curve, "seconds": done.seconds, "peak_mb": done.peak_mb}


def run_ours(flags: Namespace) -> dict[str, Any]:
    """train.py with an empty compilation cache, until the goal or for all epochs."""
    curve, until = follow(OURS, flags.to_loss)
    with tempfile.TemporaryDirectory() as folder:
        command = ours_command(flags, Path(folder))
        done = run(command, {"S2S_JAX_CACHE": f"{folder}/cache"}, until)
    return {"curve": curve, "seconds": done.seconds, "peak_mb": done.peak_mb}


def grid(results: dict[str, Rounds], flags: Namespace) -> Grid:
    """Seconds to each loss, of the first round, and the ratio to s2s_jax."""
    curves = {
        label: rounds[0]["curve"] if rounds and rounds[0] else []
        for label, rounds in results.items()
    }
    losses = sorted({*THRESHOLDS, flags.to_loss}, reverse=True)
    rows = []
    for label, curve in curves.items():
        cells = []
        for loss in losses:
            seconds, ours = first_below(curve, loss), first_below(curves.get(OURS, []), loss)
            ratio = f" ({seconds / ours:.1f}x)" if label != OURS and seconds and ours else ""
            cells.append("not reached" if seconds is None else number(seconds) + ratio)
        best = min((loss for _, loss in curve), default=None)
        rows.append((label, *cells, f"{number(best, 3)} in {len(curve)}"))
    return Grid(
        "Seconds from process start to a validation loss",
        ("", *(f"{loss:g}" for loss in losses), "best, epochs run"),
        rows,
        ("Nats per real target token, the tutorial's split; s2s_jax with an empty cache.",),
    )
