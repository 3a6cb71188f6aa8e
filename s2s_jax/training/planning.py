"""What was asked for and what is saved -> the configuration of a run and its data."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path, PurePath
from typing import NamedTuple

from jax.sharding import Mesh

from s2s_jax.config import (
    EMBEDDED,
    DataConfig,
    ModelConfig,
    RunConfig,
    SearchConfig,
    TrainConfig,
    files,
)
from s2s_jax.data.batching import Batches
from s2s_jax.data.buckets import MAX_BUCKETS
from s2s_jax.data.corpus import Corpus
from s2s_jax.data.preparation import Prepared, prepare
from s2s_jax.errors import UserError
from s2s_jax.recipes import default_recipe
from s2s_jax.runs.folder import ROOT, Run, holds_run, read_run
from s2s_jax.runtime.files import safe_name
from s2s_jax.training.fitting.schedules import check_watched
from s2s_jax.training.request import Request, with_recipe
from s2s_jax.training.starting import Start, continued, read_start, settings_after

# On resume. The state does not depend on these; precision may differ between devices.
_MAY_CHANGE = {"epochs", "patience", "save_every", "precision"}
# The pairs must stay the same, but where and how they are kept may change.
_MAY_CHANGE |= {"data", "validation", "test", "columns", "separator", "quotes", "encoding"}
_MAY_CHANGE |= {"licence"}


class Job(NamedTuple):
    """What the stages of a run share."""

    request: Request
    folder: Path
    saved: Run | None  # The run that is resumed; None for a new one.
    start: Start | None  # The run whose weights a new one begins with, if there is one.
    run: Run
    prepared: Prepared
    mesh: Mesh | None  # None for one device.


def choose_folder(request: Request) -> Path:
    """The folder asked for, or the one named after the data."""
    if request.out is not None:
        return request.out
    if request.pairs is not None:
        return ROOT / "pairs"
    names = files(request.data.get("data", EMBEDDED))
    name = PurePath(names[0].rstrip("/")).name
    stem = re.sub(r"(\.(txt|tsv|csv|jsonl|parquet|gz|zip))+$", "", name, flags=re.IGNORECASE)
    if len(names) > 1:  # x.en and x.fr
        stem = PurePath(stem).stem
    return ROOT / safe_name(stem.strip(".") or "run")


def saved_run(request: Request, folder: Path) -> Run | None:
    """The run to resume, if that was asked for and there is one."""
    if request.resume and request.overwrite:
        raise UserError("`resume` continues a run and `overwrite` replaces it; give one.")
    if request.overwrite or not holds_run(folder):
        return None
    if request.resume:
        return read_run(folder)
    raise UserError(
        f"{folder} holds a run already; continue it (`resume`), replace it (`overwrite`) or "
        "choose another folder (`out`)."
    )


def wanted_start(request: Request, saved: Run | None) -> Start | None:
    """The run whose weights a new one begins with; a resumed one has begun."""
    if request.start_from is None and request.step != "best":
        raise UserError("`step` is a step of the run that `start_from` names; give both.")
    if request.start_from is not None and saved is not None and not saved.config.started_from:
        raise UserError(
            "the run to resume did not begin with the weights of another; leave out `start_from`, "
            "or begin a new run with another `out`."
        )
    if request.start_from is None or saved is not None:
        return None
    return read_start(Path(request.start_from), request.step)


def configure(
    request: Request, saved: Run | None, progress: bool, start: Start | None = None
) -> tuple[RunConfig, Prepared, str | None]:
    """The whole configuration and the data; all that can be checked is checked before reading.

    Args:
      request: what was asked for.
      saved: the run to resume, or None for a new one.
      progress: show the progress of a download.
      start: the run whose weights a new one begins with.

    Returns:
      The configuration, the data, and the recipe that was chosen for them, if one was.

    Raises:
      UserError: for a value out of its range, unusable data, or what does not fit a saved run.
    """
    if saved is None:
        return _configure_new(request, progress, start)
    config = saved.config
    _refuse_changes(request, config)
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, **request.data),
        train=dataclasses.replace(config.train, **request.train),
        decode=dataclasses.replace(config.decode, **request.decode),
    )
    corpus = _load(request, config.data, config.train.seed, progress)
    prepared = prepare(config.data, config.train.seed, saved.encoders, progress, corpus=corpus)
    if prepared.data_hash != config.data_hash:
        raise UserError(
            f"{' '.join(files(config.data.data))} does not hold the pairs that this run was begun "
            "with; resume on the same data, or begin a new run with another `out`."
        )
    return config, prepared, None


def _configure_new(
    request: Request, progress: bool, start: Start | None
) -> tuple[RunConfig, Prepared, str | None]:
    """`configure` for a new run."""
    recipe = encoders = corpus = None
    if start is not None:
        decode = dataclasses.replace(start.run.config.decode, **request.decode)
        data, model, train = settings_after(start, request.data, request.model, request.train)
        encoders = start.run.encoders
    else:
        if request.recipe is None:
            recipe, corpus = _default_recipe(request, progress)
            request = with_recipe(request._replace(recipe=recipe))
        data, model, train, decode = _configs(request)
    if request.more is not None:
        train = dataclasses.replace(train, epochs=request.more)
    if train.epochs == 0 and start is None:
        raise UserError("`epochs` must be at least 1, not 0, where no `start_from` is given.")
    corpus = corpus or _load(request, data, train.seed, progress)
    prepared = prepare(data, train.seed, encoders, progress, extend=True, corpus=corpus)
    model = dataclasses.replace(
        model,
        source_vocab_size=len(prepared.source_vocabulary),
        target_vocab_size=len(prepared.target_vocabulary),
    )
    check_watched(train, bool(prepared.validation))
    source, target = prepared.longest
    config = RunConfig(data, model, train, target + 1, prepared.data_hash, source, decode=decode)
    return config if start is None else continued(config, start), prepared, recipe


def _configs(request: Request) -> tuple[DataConfig, ModelConfig, TrainConfig, SearchConfig]:
    """The configurations of a new run; the sizes of the vocabularies are not known yet."""
    return (
        DataConfig(**request.data),
        ModelConfig(1, 1, **request.model),
        TrainConfig(**request.train),
        SearchConfig(**request.decode),
    )


def _default_recipe(request: Request, progress: bool) -> tuple[str, Corpus | None]:
    """The recipe where none was asked for; with the data, if it is their number that chose it."""
    data, _, train, _ = _configs(request)
    corpus = None if data.data == EMBEDDED else _load(request, data, train.seed, progress)
    return default_recipe(data.data, len(corpus.pairs) if corpus else 0), corpus


def _load(request: Request, data: DataConfig, seed: int, progress: bool) -> Corpus:
    """The pairs of a run of this seed."""
    return request.load(data, data.seed_of_draws(seed), progress, request.pairs)


def training_batches(config: RunConfig, prepared: Prepared) -> Batches:
    """The batches that a run learns from."""
    train, draw = config.train, prepared.draws(config.data.subword_sampling, config.train.seed)
    shapes = train.shapes or MAX_BUCKETS, bool(train.shapes)
    return Batches(prepared.examples, train.batch_size, train.seed, *shapes, draw)


def validation_batches(config: TrainConfig, prepared: Prepared) -> Batches:
    """The batches that a run is judged by."""
    # Validation is quick next to training: a few more padded positions beat more compilations.
    return Batches(
        prepared.encode(prepared.validation), config.batch_size, None, 3, bool(config.shapes)
    )


def _refuse_changes(request: Request, config: RunConfig) -> None:
    """Refuses to resume with anything that the saved state depends on."""
    changes = []
    for section in ("data", "model", "train"):
        saved = getattr(config, section)
        wanted = dataclasses.replace(saved, **getattr(request, section))
        for field in getattr(request, section):
            kept, given = getattr(saved, field), getattr(wanted, field)
            if given != kept and field not in _MAY_CHANGE:
                changes.append(f"`{field}` saved {kept}, given {given}")
    if changes:
        raise UserError(
            f"a run is resumed with the settings it was begun with ({'; '.join(changes)}); "
            "leave these out, or begin a new run with another `out`."
        )
