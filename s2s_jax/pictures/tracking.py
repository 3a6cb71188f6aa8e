"""A run kept for MLflow, in a database on this machine."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.pictures import CARD, CURVES
from s2s_jax.pictures.tensorboard import final_figures, settings
from s2s_jax.runtime.files import shown

DATABASE = "mlflow.db"
"""Beside the run folders, which share it."""

_NAME = "s2s_jax"  # Of the experiment that they are runs of.


class MLflow:
    """Writes what `mlflow ui --backend-store-uri sqlite:///checkpoints/mlflow.db` shows.

    Nothing is written before the first epoch ends, and training that is resumed becomes another
    run of MLflow's. What fails costs the log, not the run.
    """

    def __init__(self, folder: Path) -> None:
        """Prepares to keep the run of a folder.

        Raises:
          UserError: where MLflow is missing.
        """
        if not all(map(importlib.util.find_spec, ("mlflow", "sqlalchemy", "alembic"))):
            raise UserError(
                "`mlflow` needs MLflow and its database; install them with: "
                "pip install mlflow-skinny sqlalchemy alembic"
            )
        self._folder, self._run = folder.absolute(), ""

    def on_epoch(self, metrics: Mapping[str, Any]) -> None:
        """Writes an epoch's figures."""

        def write(client: Any) -> None:
            """Writes the figures, of a run that begins with the first."""
            self._run = self._run or self._begin(client)
            client.log_batch(self._run, _figures(metrics, metrics["epoch"]))

        self._write(write)

    def on_end(self, translator: Translator) -> None:
        """Writes the settings, what they led to, and the run's card and curves."""
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        def write(client: Any) -> None:
            """Writes settings, figures and files."""
            chosen = [Param(name, str(value)) for name, value in settings(translator).items()]
            client.log_batch(self._run, _figures(final_figures(self._folder)), chosen)
            for name in (CARD, CURVES):
                if (self._folder / name).exists():
                    client.log_artifact(self._run, str(self._folder / name))
            client.set_terminated(self._run)

        if self._run:  # Else nothing was trained.
            self._write(write)

    def _begin(self, client: Any) -> str:
        """A new run of MLflow's, by its id."""
        files = (self._folder.parent / "mlflow").as_uri()
        kept = client.get_experiment_by_name(_NAME)
        experiment = kept.experiment_id if kept else client.create_experiment(_NAME, files)
        return client.create_run(experiment, run_name=self._folder.name).info.run_id

    def _write(self, write: Callable[[Any], None]) -> None:
        """Lets a function write through MLflow's client."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # Training calls nobody.
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.exceptions import MlflowException  # pyright: ignore[reportMissingImports]
        from sqlalchemy.exc import SQLAlchemyError  # pyright: ignore[reportMissingImports]

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # It tells of every table it makes.
        database = self._folder.parent / DATABASE
        try:
            write(MlflowClient(f"sqlite:///{database.as_posix()}"))
        except (MlflowException, SQLAlchemyError, OSError) as error:
            why = shown(" ".join(str(error).split()))
            said = f"{database} cannot be written ({why}); training goes on."
            warnings.warn(RunWarning(said), stacklevel=3)


def _figures(figures: Mapping[str, Any], step: int = 0) -> list[Any]:
    """Those that were measured, as MLflow takes them."""
    from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

    now = time.time_ns() // 1_000_000
    return [
        Metric(name, value, now, step)
        for name, value in figures.items()
        if value is not None and name != "epoch"
    ]
