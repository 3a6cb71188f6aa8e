"""Begins a run with the weights of another, for fine-tuning on new data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.config.training import LEARNING_RATES
from s2s_jax.data.batching import Batches
from s2s_jax.decoding.members import read_member
from s2s_jax.errors import UserError
from s2s_jax.evaluation.fingerprint import read_training_sources, write_training_sources
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.checkpointing import beginning, save_step
from s2s_jax.runs.folder import Run
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import TrainingState, make_state
from s2s_jax.training.fitting.validation import mean_loss

_GENTLER = 10  # How much lower the learning rate is, so that what was learned stays.
_POSSIBLE = -1e8  # What Keras cannot write has a bias below this after an import.


class Start(NamedTuple):
    """The run that another starts from."""

    origin: str  # Its folder and step, for people.
    run: Run
    params: PyTree
    sources: np.ndarray | None  # The hashes of what it was trained on; None if it does not say.


def read_start(folder: Path, step: str | int) -> Start:
    """Reads the run to start from, at its step "best", "latest" or of a number.

    Raises:
      UserError: when the folder holds no run, or a damaged one.
    """
    run, params, _, number = read_member(folder, step)
    return Start(f"{folder}, step {number}", run, params, read_training_sources(folder))


def settings_after(
    start: Start, data: Mapping[str, Any], model: Mapping[str, Any], train: Mapping[str, Any]
) -> tuple[DataConfig, ModelConfig, TrainConfig]:
    """The settings of a run that starts from another.

    Args:
      start: the run to start from. It gives the model, the units of both sides and, where nothing
        else is asked for, the settings of training.
      data, model, train: what was asked for.

    Raises:
      UserError: for settings that the weights do not go with, and when the data are not named.
    """
    saved = start.run.config
    units = {
        "source_tokens": start.run.source_vocabulary.tokenizer.kind,
        "target_tokens": start.run.target_vocabulary.tokenizer.kind,
        "vocab_size": saved.data.vocab_size,
    }
    _refuse_others(start.origin, {**saved.model.to_dict(), **units}, {**data, **model})
    if not data.get("data"):
        raise UserError("`start_from` needs `data`: the pairs to continue with.")
    before = saved.train
    rate = before.learning_rate / _GENTLER
    if train.get("optimizer", before.optimizer) != before.optimizer:
        rate = LEARNING_RATES[train["optimizer"]] / _GENTLER
        before = dataclasses.replace(before, optimizer=train["optimizer"], weight_decay=0.0)
    before = dataclasses.replace(before, learning_rate=rate)
    return DataConfig(**{**data, **units}), saved.model, dataclasses.replace(before, **train)


def _refuse_others(origin: str, kept: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuses settings of data and model that are not those of the run to start from."""
    both = asked.get("tokens")
    given = {} if both is None else {"source_tokens": both, "target_tokens": both}
    given |= {key: value for key, value in asked.items() if key in kept}
    others = [f"`{key}` {kept[key]}, not {given[key]}" for key in given if given[key] != kept[key]]
    if others:
        raise UserError(f"{origin} has {'; '.join(others)}; leave these out.")


def continued(config: RunConfig, start: Start) -> RunConfig:
    """The configuration of a run with the limits of its start, whose sources it reads alike."""
    saved = start.run.config
    return dataclasses.replace(
        config,
        max_length=max(config.max_length, saved.max_length),
        # What is not known of the first run is not known of both.
        longest_source=saved.longest_source and max(config.longest_source, saved.longest_source),
        started_from=start.origin,
        **saved.source_reading,
    )


def note_sources(
    folder: Path, config: RunConfig, start: Start | None, sources: Iterable[str]
) -> None:
    """Writes down what a run is trained on, and what the one it started from was.

    `start` is None when the run is resumed, or starts from none.
    """
    if not config.started_from:
        write_training_sources(folder, sources)
        return
    earlier = read_training_sources(folder) if start is None else start.sources
    if earlier is not None:
        write_training_sources(folder, sources, earlier)


def save_start(
    folder: Path,
    config: RunConfig,
    start: Start,
    validation: Batches,
    error_of: Callable[[TrainingState], float] | None = None,
) -> float | None:
    """Saves the first step of a run: the weights that it starts from.

    `error_of` gives the error rate that counts before the loss, if any does.

    Returns:
      The validation loss before training in nats per target token; None without a validation part.
    """
    state = make_state(Seq2Seq(config.model), config.train)
    state = state.with_params(extended(start.params, state.params))
    loss = mean_loss(state, validation) if validation else None
    record = TrainingProgress().to_record()
    error = None if error_of is None else error_of(state)
    with beginning(folder):
        save_step(folder, state.params, state.opt_state, record, loss, state.average, error)
    return loss


def extended(params: PyTree, fresh: PyTree) -> PyTree:
    """The parameters for vocabularies to which symbols were added at the end.

    Args:
      params: for the vocabularies before.
      fresh: newly drawn, for the longer vocabularies. What belongs to an added symbol is taken from
        here, but that its output bias is the least of those in `params`: it begins as unlikely as
        the least likely symbol.
    """

    def put(old: Any, new: Any) -> np.ndarray:
        whole = np.array(new)
        whole[tuple(slice(size) for size in old.shape)] = old
        return whole

    whole = jax.tree.map(put, params, fresh)
    before, bias = (tree["decoder"]["output"]["bias"] for tree in (params, whole))
    before = np.asarray(before)
    bias[len(before) :] = before[before > _POSSIBLE].min()
    return whole
