"""What a run is made of: frozen dataclasses that turn into JSON and back.

A configuration that exists is valid, whether its values came from a flag, a recipe or a damaged
`config.json`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from s2s_jax.config.data import EMBEDDED as EMBEDDED
from s2s_jax.config.data import EVERYTHING as EVERYTHING
from s2s_jax.config.data import TOKENS as TOKENS
from s2s_jax.config.data import DataConfig as DataConfig
from s2s_jax.config.data import Files as Files
from s2s_jax.config.data import Reading as Reading
from s2s_jax.config.data import files as files
from s2s_jax.config.model import HARD_SIGMOID_SLOPES as HARD_SIGMOID_SLOPES
from s2s_jax.config.model import ModelConfig as ModelConfig
from s2s_jax.config.options import Config, limits, option
from s2s_jax.config.search import SearchConfig as SearchConfig
from s2s_jax.config.training import TrainConfig as TrainConfig
from s2s_jax.errors import UserError

MAX_LENGTH = 1 << 17
"""Tokens of an answer; no line of a data file is longer."""

_SOURCE_READING = ("source_length", "source_filler", "source_fill_before", "source_backwards")


@dataclasses.dataclass(frozen=True)
class RunConfig(Config):
    """Everything in a run folder's `config.json`.

    `max_length` is the longest target of the training part in tokens, including `<eos>`: decoding
    stops after that many steps unless told otherwise. `data_hash` is the SHA-256 of the pairs, so
    that a run is resumed on the data it was begun with. `longest_source` is the longest source of
    the training part in tokens; 0 if unknown. `source_length`, `source_filler`,
    `source_fill_before` and `source_backwards` are the `length`, `filler`, `fill_before` and
    `backwards` of a `SourceEncoder`. `started_from` names the run and step whose weights this run
    began with, if they were not drawn. `decode` is how answers are searched for by default.
    """

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    max_length: int = dataclasses.field(metadata=limits(least=1, most=MAX_LENGTH))
    data_hash: str
    longest_source: int = option(0, least=0)
    source_length: int = option(0, least=0)
    source_filler: str = "<pad>"
    source_fill_before: bool = False
    source_backwards: bool = False
    started_from: str = ""
    decode: SearchConfig = SearchConfig()

    FORMAT: ClassVar[int] = 1
    """Raised when programs of the format before could not read the run; they then refuse it."""

    @property
    def source_reading(self) -> dict[str, Any]:
        """The fields that a `SourceEncoder` takes after its vocabulary, in its order."""
        return {name: getattr(self, name) for name in _SOURCE_READING}

    @property
    def sections(self) -> tuple[Config, ...]:
        """The configurations whose options a user can set."""
        return self.data, self.model, self.train, self.decode

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"format": self.FORMAT, **super().to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
          UserError: for another format, and for keys that are unknown, missing or invalid.
        """
        found = values.get("format") if isinstance(values, Mapping) else None
        if found != cls.FORMAT:
            raise UserError(
                f"run folders of format {cls.FORMAT} can be read here, this one has {found!r}; "
                "use the version of s2s_jax that wrote it, or a newer one."
            )
        values = {key: values[key] for key in values if key != "format"}
        if isinstance(values.get("model"), Mapping):
            # The filler and the length were once in the model's section.
            model = dict(values["model"])
            moved = {key: model.pop(key) for key in _SOURCE_READING if key in model}
            values = {**moved, **values, "model": model}
        return super().from_dict(values)
