"""What one file of Keras holds: a whole model, its encoder, or its decoder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.keras.reading.files import Opened, opened
from s2s_jax.keras.reading.halves import kind_of
from s2s_jax.keras.reading.layers import Graph, parse, uses_dropout
from s2s_jax.keras.reading.layouts import ArchiveLayout, LegacyLayout, read_array, text
from s2s_jax.keras.reading.shapes import recognise_weights


class Part(NamedTuple):
    """What one file holds."""

    path: Path
    kind: str
    """`"encoder"`, `"decoder"` or `"whole model"`."""
    graph: Graph
    weights: Mapping[str, list[np.ndarray]]
    """Of each layer, by the layer's own name."""
    version: str
    """Of the Keras that wrote it; empty where it is not said."""
    optimizer: str
    learning_rate: float
    dropout: bool
    """Whether it was trained with dropout, as far as the file tells."""


def read_part(path: Path, architecture: Any) -> Part:
    """Reads one `.h5` or `.keras`, with what `model.to_json()` gave, or None if it was not kept.

    Raises:
      UserError: if the file is damaged or forged, or has layers that cannot be read here.
    """
    with opened(path) as found:
        config = found.config if architecture is None else architecture
        graph = None if config is None else parse(config)
        archived = ArchiveLayout.fits(found.file)
        layout = ArchiveLayout(found.file) if archived else LegacyLayout(found.file)
        if config is None:
            kinds = layout.kinds()
        else:
            layers = config["config"]["layers"]
            kinds = {layer["config"]["name"]: layer["class_name"] for layer in layers}
        weights = {
            layer: [read_array(found.file, name, found.size) for name in names]
            for layer, names in layout.names(kinds).items()
        }
        graph = graph or recognise_weights(kinds, weights)
        return Part(
            path,
            kind_of(graph),
            graph,
            weights,
            _version(found, config, archived),
            *_optimizer(found, config),
            config is not None and uses_dropout(config),
        )


def _version(found: Opened, config: Any, archived: bool) -> str:
    """Of the Keras that wrote a file; empty where nothing tells."""
    places = (found.file, found.file.get("model_weights", found.file))
    said = [found.version, *(text(place.attrs.get("keras_version", "")) for place in places)]
    if config is not None:
        # Keras 3 leaves its version out of model.to_json(), but names its own modules.
        own = str(config.get("module", "")).startswith("keras.src.models")
        said += [str(config.get("keras_version", "")), "3.0" if own else ""]
    elif archived:
        said.append("3.0")  # Or TensorFlow 2, with the same default.
    return next(filter(None, said), "")


def _optimizer(found: Opened, config: Any) -> tuple[str, float]:
    """The optimizer's class, as one name whoever wrote it, and its rate; empty and 0 without."""
    training = json.loads(found.file.attrs.get("training_config", "{}"))
    values = training.get("optimizer_config")
    if values is None and config is not None:
        values = (config.get("compile_config") or {}).get("optimizer")
    name, rate = "", 0.0
    if isinstance(values, Mapping):
        name = str(values.get("class_name", ""))
        settings = values.get("config", {})
        rate = settings.get("learning_rate", settings.get("lr", 0.0))  # Of Keras before 2.3.
    elif "optimizer/vars" in found.file:
        group = found.file["optimizer/vars"]
        name = text(group.attrs.get("name", ""))
        numbers = [item for item in group.values() if item.shape == ()]
        rate = next((float(x[()]) for x in numbers if x.dtype == np.float32), 0.0)
    # "Custom>RMSprop", "rm_sprop", "adam_1": one name, whatever wrote it.
    name = re.sub(r"(.*>|_\d+$|_)", "", name).lower()
    return name, rate if isinstance(rate, float) and 0 < rate < 1e3 else 0.0
