"""The runs that answer, one or several together, from their folders."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import PyTree

from s2s_jax.errors import UserError
from s2s_jax.model.ensemble import Ensemble, member_params
from s2s_jax.model.seq2seq import Seq2Seq, param_shapes
from s2s_jax.runs.checkpointing import restore_params
from s2s_jax.runs.folder import Run, read_run
from s2s_jax.runs.steps import restore_newest


class Member(NamedTuple):
    """A run, and the step of it that answers."""

    run: Run
    params: PyTree
    folder: Path
    step: int


def read_member(folder: Path, step: str | int) -> Member:
    """Reads a run folder; see `Translator.load`."""
    run = read_run(folder)
    shapes = param_shapes(run.config.model)
    number, params = restore_newest(folder, step, lambda n: restore_params(folder, n, shapes))
    return Member(run, params, folder, number)


def combined(members: Sequence[Member]) -> tuple[Run, Seq2Seq | Ensemble, PyTree]:
    """The run whose symbols and limits apply, the model, and its parameters.

    Raises:
      UserError: for several runs of which one divides texts otherwise than the first, or knows
        other symbols; when there is none.
    """
    if not members:
        raise UserError("an ensemble needs at least one run folder.")
    first, *others = members
    if not others:
        return first.run, Seq2Seq(first.run.config.model), first.params
    for other in others:
        if differing := _differences(first.run, other.run):
            raise UserError(
                f"runs answer together if they read and write the same symbols, but {first.folder} "
                f"and {other.folder} differ in {' and '.join(differing)}; train them on the same "
                "data with the same units."
            )
    # The first also says how to search, where nothing else is asked for.
    configs = [member.run.config for member in members]
    config = dataclasses.replace(
        configs[0],
        max_length=max(config.max_length for config in configs),
        longest_source=min(config.longest_source for config in configs),
    )
    model = Ensemble(tuple(config.model for config in configs))
    return first.run._replace(config=config), model, member_params([m.params for m in members])


def _differences(run: Run, other: Run) -> list[str]:
    """What keeps two runs from answering together."""
    differing = [
        name
        for name in ("source_vocabulary", "target_vocabulary")
        if getattr(run, name).to_dict() != getattr(other, name).to_dict()
    ]
    found = [name.replace("_", " ") for name in differing]
    differs = run.config.source_reading != other.config.source_reading
    return found + ["how short sources are filled up, or their direction"] * differs
