"""A run with the logs that were asked for, of TensorBoard and of MLflow."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_jax.pictures.tensorboard import TensorBoard
from s2s_jax.pictures.tracking import MLflow
from s2s_jax.training.fitting.loop import Listener
from s2s_jax.training.planning import choose_folder
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.run import TrainedRun, carry_out


def carry_out_logged(
    request: Request, report: TrainingReport, listeners: Sequence[Listener] = ()
) -> TrainedRun:
    """Does what `carry_out` does, and keeps the logs.

    Raises:
      UserError, TrainingInterrupted: as `carry_out` does; `UserError` where a library is missing.
    """
    kinds = ((request.tensorboard, TensorBoard), (request.mlflow, MLflow))
    logs = [kind(choose_folder(request)) for wanted, kind in kinds if wanted]
    run = carry_out(request, report, [*listeners, *logs])
    for log in logs:
        log.on_end(run.translator)
    return run
