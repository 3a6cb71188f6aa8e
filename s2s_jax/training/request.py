"""What the user of training asks for, and what a recipe adds to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.config import files
from s2s_jax.config.options import refuse_unknown
from s2s_jax.data.corpus import Corpus, Pair
from s2s_jax.data.preparation import load_corpus
from s2s_jax.errors import UserError
from s2s_jax.recipes import SECTIONS, read_recipe
from s2s_jax.runtime.devices import DeviceRequest


class Request(NamedTuple):
    """What the user asked for; the mappings hold the fields of the configurations given.

    `more` resumes as well, and trains that many epochs from there. `pairs` take the place of a data
    file. `start_from` and `step` name the run and the step whose weights a new run begins
    with. `tensorboard` and `mlflow` ask for their logs. `load` reads the data; several runs may
    share one that remembers.
    """

    data: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]
    decode: Mapping[str, Any]
    out: Path | None = None
    resume: bool = False
    overwrite: bool = False
    more: int | None = None
    devices: DeviceRequest = DeviceRequest()
    recipe: str | None = None
    start_from: str | os.PathLike[str] | None = None
    step: str | int = "best"
    pairs: tuple[Pair, ...] | None = None
    tensorboard: bool = False
    mlflow: bool = False
    load: Callable[..., Corpus] = load_corpus


def request_for(settings: Mapping[str, Any]) -> Request:
    """A request from settings by their names, which are those of the flags.

    Raises:
      UserError: for an unknown name, and for what `with_recipe` raises.
    """
    sections = {name: section.options() for name, section in SECTIONS.items()}
    own = set(Request._fields) - {*sections, "devices", "load"}
    known = own.union(DeviceRequest._fields, *sections.values())
    refuse_unknown(settings, known, "the settings of a run")

    def given(names: Iterable[str]) -> dict[str, Any]:
        return {name: settings[name] for name in names if name in settings}

    return with_recipe(
        Request(
            **{name: given(options) for name, options in sections.items()},
            devices=DeviceRequest(**given(DeviceRequest._fields)),
            **given(own),
        )
    )


def with_recipe(request: Request) -> Request:
    """The request, with the settings of the recipe asked for beneath those given.

    Raises:
      UserError: when the recipe cannot be read, or does not name its data where it has to; when
        `more` is out of range or does not go with what else is given.
    """
    if request.more is not None:
        if request.more < 1:
            raise UserError(f"`more` must be a whole number of at least 1, not {request.more}.")
        if "epochs" in request.train:
            raise UserError("`epochs` says where training ends, `more` how far it is; give one.")
        request = request._replace(resume=True)
    named = files(request.data.get("data", ""))[0]
    if named.endswith(".toml"):
        if request.recipe is not None:
            raise UserError("`data` names a recipe already; leave out `recipe`, or name the data.")
        request = request._replace(
            data={key: value for key, value in request.data.items() if key != "data"}, recipe=named
        )
    if request.recipe is None:
        return request
    recipe = read_recipe(request.recipe)
    if named.endswith(".toml") and "data" not in recipe.data:
        raise UserError(
            f"{named} does not name its data; add data = ... to its section [data], or give it "
            "by `recipe` beside `data`."
        )
    kept = recipe.data
    if "tokens" in request.data:  # Which sets both sides.
        sides = ("source_tokens", "target_tokens")
        kept = {key: value for key, value in kept.items() if key not in sides}
    return request._replace(
        data={**kept, **request.data},
        model={**recipe.model, **request.model},
        train={**recipe.train, **request.train},
        decode={**recipe.decode, **request.decode},
    )
