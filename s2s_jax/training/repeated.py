"""One training several times, from other seeds: the runs of an ensemble."""

from __future__ import annotations

import functools

from s2s_jax.command_line import command
from s2s_jax.data.preparation import load_corpus
from s2s_jax.errors import UserError
from s2s_jax.runtime.devices import is_main
from s2s_jax.training.planning import choose_folder
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.run import TrainedRun, carry_out


def carry_out_runs(request: Request, runs: int) -> list[TrainedRun]:
    """Trains with the seed asked for and those after it, each in a folder `<out>-seed<N>`.

    All hold out the same pairs, those of the first seed unless `split_seed` says otherwise, and so
    have the same symbols and compiled programs. The data are read once.

    Raises:
      UserError, TrainingInterrupted: as `carry_out` does.
    """
    if runs < 1:
        raise UserError(f"`runs` must be a whole number of at least 1, not {runs}.")
    folder, first = choose_folder(request), request.train.get("seed", 0)
    load = functools.cache(load_corpus)
    found = []
    for seed in range(first, first + runs):
        repeated = request._replace(
            data={"split_seed": first, **request.data},
            train={**request.train, "seed": seed},
            out=folder.with_name(f"{folder.name}-seed{seed}"),
            load=load,
        )
        found.append(carry_out(repeated, TrainingReport()))
    if is_main():
        report = TrainingReport()
        report.say("Together:")
        report.say("  " + command("decode.py", [run.folder for run in found]))
    return found
