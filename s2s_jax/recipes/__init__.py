"""Recipes: TOML files with what a run is made of, in the sections of a run's `config.json`.

    description = "One line for --help"

    [data]
    tokens = "word"

    [train]
    epochs = 7

What a recipe leaves out has the defaults of the configurations, which are the Keras tutorial's.
"""

import json
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.config import (
    EMBEDDED,
    DataConfig,
    Files,
    ModelConfig,
    RunConfig,
    SearchConfig,
    TrainConfig,
)
from s2s_jax.config.options import Config, nearest, refuse_unknown
from s2s_jax.errors import UserError, quote_options

FEW_PAIRS = 100
"""Up to this number, the tutorial's settings make too few updates to learn anything."""

SECTIONS: dict[str, type[Config]] = {
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "decode": SearchConfig,
}


class Recipe(NamedTuple):
    """The settings that a recipe makes, by section and field."""

    description: str
    data: dict[str, Any]
    model: dict[str, Any]
    train: dict[str, Any]
    decode: dict[str, Any]


def built_in() -> dict[str, Traversable]:
    """The recipes that come with the package, by name."""
    files = (file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml"))
    return {file.name.removesuffix(".toml"): file for file in sorted(files, key=lambda f: f.name)}


def default_recipe(data: Files, pairs: int) -> str:
    """The name of the default recipe for data with this number of pairs."""
    if data == EMBEDDED:
        return "embedded"
    return "small" if pairs <= FEW_PAIRS else "tutorial"


def read_recipe(recipe: str) -> Recipe:
    """Reads a recipe: the name of a built-in one, a TOML file, a run folder or its `config.json`.

    Raises:
      UserError: for a file that cannot be read, an unknown name, and an invalid value.
    """
    known = built_in()
    file = known.get(recipe, Path(recipe))
    if isinstance(file, Path) and file.is_dir():
        file /= "config.json"
    try:
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.name.endswith(".json") else tomllib.loads(text)
    except FileNotFoundError:
        if file.name == recipe and not Path(recipe).suffix:
            raise UserError(
                f"`recipe` must be a file or one of {', '.join(known)}, not {recipe}; "
                f"the nearest is {nearest(recipe, known)}."
            ) from None
        raise UserError(f"`recipe` {recipe}: no such file.") from None
    except OSError as error:
        raise UserError(f"`recipe` {recipe} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UserError(f"`recipe` {recipe} cannot be read: {error}; correct it.") from None
    try:
        return _of_run(values) if file.name.endswith(".json") else _of_toml(values)
    except UserError as error:
        raise UserError(f"`recipe` {recipe}: {quote_options(str(error))}") from None


def _of_run(values: dict[str, Any]) -> Recipe:
    """The settings of a run that a user could have made."""
    if isinstance(values, dict):
        values.pop("sha256", None)
    config = RunConfig.from_dict(values).to_dict()
    sections = {
        name: {field: config[name][field] for field in section.options()}
        for name, section in SECTIONS.items()
    }
    return Recipe("", **sections)


def _of_toml(values: dict[str, Any]) -> Recipe:
    refuse_unknown(values, {"description", *SECTIONS}, "a recipe")
    sections = {name: values.get(name, {}) for name in SECTIONS}
    for name, section in SECTIONS.items():
        if not isinstance(sections[name], dict):
            raise UserError(f"{name} must be a section, [{name}], not {sections[name]!r}.")
        refuse_unknown(sections[name], section.options(), f"[{name}]")
        section.check(sections[name])
    return Recipe(str(values.get("description", "")), **sections)
