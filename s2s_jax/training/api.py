"""Training from Python: what the command line does, as a call."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_jax.data.corpus import Pair
from s2s_jax.data.preparation import IN_MEMORY
from s2s_jax.errors import UserError
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import request_for
from s2s_jax.training.run import TrainedRun, carry_out

_Name = str | os.PathLike[str]
Data = _Name | Sequence[_Name] | Iterable[tuple[str, str]]
"""A path, URL or name of data, or two of them; or pairs of source and target."""


def train(
    data: Data | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callable[[dict[str, Any]], object]] = (),
    tensorboard: bool = False,
    mlflow: bool = False,
    verbose: bool = False,
    **settings: Any,
) -> TrainedRun:
    """Trains a model and keeps it in a run folder, as train.py does.

        run = train("fra.txt", epochs=30, resume=True)
        run.translator(["Go."])

    Args:
      data: a path, a URL or a name such as "fra-eng"; a file of sources and one of targets; or
        pairs of source and target, of which all are taken. None is the built-in corpus, or the
        data of the run that is resumed.
      out: the run folder; checkpoints/<name of the data> by default.
      callbacks: called after each epoch, which is saved by then, with its metrics. What one of
        them raises ends the training.
      tensorboard: keep figures, answers and pictures in the run folder for TensorBoard.
      mlflow: keep figures, settings and the card beside the run folder for MLflow.
      verbose: print what train.py prints; otherwise nothing is printed.
      **settings: the other flags of train.py by their names in Python, such as `epochs`,
        `latent_dim`, `recipe`, `resume`, `more`, `overwrite` and `platform`.

    Returns:
      The run: its folder, its history, and a translator of its best epoch.

    Raises:
      UserError: when the request cannot be fulfilled; what existed before is still there.
      TrainingInterrupted: a `KeyboardInterrupt`, after Ctrl-C or SIGTERM; what was reached is
        saved.
    """
    if data is not None:
        settings |= _data_settings(data, settings)
    if out is not None:
        settings["out"] = Path(out)
    report = TrainingReport(quiet=not verbose)
    request = request_for(settings | {"tensorboard": tensorboard, "mlflow": mlflow})
    return carry_out(request, report, callbacks)


def _data_settings(data: Data, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that say which data are meant."""
    if isinstance(data, (str, os.PathLike)):
        return {"data": os.fspath(data)}
    if isinstance(data, Mapping):
        raise UserError("`data` must be pairs of two texts, not a mapping; give its items().")
    items = list(data)
    if not items:
        raise UserError("`data` must hold pairs of two texts, or name files, but is empty.")
    names = [os.fspath(item) for item in items if isinstance(item, (str, os.PathLike))]
    if len(names) == len(items):
        return {"data": tuple(names)}
    pairs = []
    for number, item in enumerate(items, 1):
        if not isinstance(item, (tuple, list)) or [type(text) for text in item] != [str, str]:
            raise UserError(f"`data` must be pairs of two texts, not {item!r} (pair {number}).")
        pairs.append(Pair(*item))
    number = settings.get("num_samples", 0)
    return {"pairs": tuple(pairs), "data": IN_MEMORY, "num_samples": number}
