"""What a run is made of: frozen dataclasses that turn into JSON and back.

A field is valid or the object does not exist: every check runs at construction and raises
`UserError`, whether the value came from a flag or from a damaged `config.json`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

from s2s_jax.errors import UserError

EMBEDDED = "sample"
"""The name of the embedded corpus."""

MAX_LENGTH = 1 << 17
"""Tokens of an answer; no line of a data file is longer, so that more is forged."""

LEARNING_RATES = {"rmsprop": 1e-3, "adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
"""The optimizers offered, with the learning rate that each takes when none is given."""


HARD_SIGMOID_SLOPES = {"hard_sigmoid": 1 / 6, "keras2_hard_sigmoid": 0.2}
"""clip(slope * z + 0.5, 0, 1) in place of an LSTM's sigmoid: Keras changed the slope in Keras 3."""


def _flag(field: str) -> str:
    return f"`{field}`"


class _Config:
    """Conversion to and from plain dictionaries, shared by the configurations below."""

    _types: ClassVar[dict[str, type]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
          UserError: for a key that is unknown or missing.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise UserError(
                f"{cls.__name__} has the fields {', '.join(fields)}; "
                f"unknown: {', '.join(unknown)} (written by a newer version of s2s_jax?)."
            )
        missing = [
            name
            for name, field in fields.items()
            if field.default is dataclasses.MISSING and name not in values
        ]
        if missing:
            raise UserError(f"{cls.__name__} needs the fields {', '.join(missing)}.")
        return cls(**values)

    def _integer(self, field: str, least: int) -> None:
        value = getattr(self, field)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise UserError(
                f"{_flag(field)} must be a whole number of at least {least}, not {value!r}."
            )

    def _number(self, field: str, least: float, *, inclusive: bool = False) -> None:
        value = getattr(self, field)
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = fits and (least <= value if inclusive else least < value) and value < float("inf")
        if not fits:
            bound = "of at least" if inclusive else "above"
            raise UserError(f"{_flag(field)} must be a number {bound} {least:g}, not {value!r}.")

    def _choice(self, field: str, choices: Collection[str]) -> None:
        value = getattr(self, field)
        if not isinstance(value, str) or value not in choices:
            raise UserError(f"{_flag(field)} must be one of {', '.join(choices)}, not {value!r}.")

    def _boolean(self, field: str) -> None:
        if not isinstance(getattr(self, field), bool):
            raise UserError(f"{_flag(field)} must be true or false, not {getattr(self, field)!r}.")


@dataclasses.dataclass(frozen=True)
class DataConfig(_Config):
    """Which pairs a run is trained on, and how they are read and divided."""

    data: str = EMBEDDED
    num_samples: int = 10_000
    swap: bool = False
    tokens: str = "char"
    max_source_length: int = 500
    max_target_length: int = 500
    validation_split: float = 0.2
    split: str = "source"

    def __post_init__(self) -> None:
        if not isinstance(self.data, str) or not self.data:
            raise UserError("`data` must be a path, a URL or a name such as fra-eng.")
        for field in ("num_samples", "max_source_length", "max_target_length"):
            self._integer(field, 0)
        self._boolean("swap")
        self._choice("tokens", ("char", "word"))
        self._choice("split", ("source", "tail"))
        self._number("validation_split", 0, inclusive=True)
        if self.validation_split >= 1:
            raise UserError(
                f"`validation_split` must be below 1, not {self.validation_split}: "
                "nothing would be left to train on."
            )


@dataclasses.dataclass(frozen=True)
class ModelConfig(_Config):
    """The sizes of a `Seq2Seq`; `embedding_dim` 0 stands for one-hot inputs.

    `source_length` 0 masks what stands beyond a source's end, and so does every run begun here.
    Else the encoder goes on, up to so many tokens, through the symbol `source_filler`, as models
    from Keras do: `<pad>` is then an all-zero one-hot vector, and a space is a space.
    `recurrent_activation` is "sigmoid" in every run begun here; models from Keras may have another.
    """

    source_vocab_size: int
    target_vocab_size: int
    latent_dim: int = 256
    embedding_dim: int = 0
    source_length: int = 0
    source_filler: str = "<pad>"
    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        for field in ("source_vocab_size", "target_vocab_size", "latent_dim"):
            self._integer(field, 1)
        self._integer("embedding_dim", 0)
        self._integer("source_length", 0)
        self._choice("recurrent_activation", ("sigmoid", *HARD_SIGMOID_SLOPES))
        if not isinstance(self.source_filler, str):
            raise UserError(f"source_filler must be a symbol, not {self.source_filler!r}.")

    @property
    def filling(self) -> tuple[int, str]:
        """How far sources are filled up, and with what: for `Vocabulary.encode_source`."""
        return self.source_length, self.source_filler


@dataclasses.dataclass(frozen=True)
class TrainConfig(_Config):
    """How the parameters are fitted.

    `learning_rate` 0 takes the optimizer's own (`LEARNING_RATES`); `clip_norm` 0 leaves the
    gradient's norm as it is; `patience` 0 trains all `epochs`, else training stops after that
    many epochs without a better validation loss; `save_every` 0 saves at the ends of epochs,
    else after every so many optimizer steps as well. `precision` is that of matrix products alone;
    parameters, optimizer and sums are float32, and decoding is float32 throughout.
    """

    epochs: int = 100
    batch_size: int = 64
    optimizer: str = "rmsprop"
    learning_rate: float = 0.0
    clip_norm: float = 0.0
    patience: int = 0
    save_every: int = 0
    seed: int = 0
    precision: str = "float32"

    def __post_init__(self) -> None:
        for field in ("epochs", "batch_size"):
            self._integer(field, 1)
        for field in ("patience", "save_every", "seed"):
            self._integer(field, 0)
        self._choice("optimizer", LEARNING_RATES)
        self._choice("precision", ("float32", "bfloat16"))
        for field in ("learning_rate", "clip_norm"):
            self._number(field, 0, inclusive=True)


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """All that a run folder's `config.json` says.

    `max_length` is the longest target of the training part in tokens, `<eos>` included: the
    number of steps after which decoding gives up when nothing else is asked for. `data_hash`
    is the SHA-256 of the pairs, so that a run is resumed on the data it began with.
    """

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    max_length: int
    data_hash: str

    FORMAT: ClassVar[int] = 1
    """Raised whenever a run folder's layout changes; older programs then refuse it."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "format": self.FORMAT,
            "data": self.data.to_dict(),
            "model": self.model.to_dict(),
            "train": self.train.to_dict(),
            "max_length": self.max_length,
            "data_hash": self.data_hash,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
          UserError: for another format, and for fields that are unknown, missing or invalid.
        """
        found = values.get("format") if isinstance(values, Mapping) else None
        if found != cls.FORMAT:
            raise UserError(
                f"run folders of format {cls.FORMAT} can be read here, this one has {found!r}; "
                "use the version of s2s_jax that wrote it, or a newer one."
            )
        wanted = {"format", "data", "model", "train", "max_length", "data_hash"}
        if set(values) != wanted:
            odd = ", ".join(sorted(set(values) ^ wanted))
            raise UserError(f"config.json needs the keys {', '.join(sorted(wanted))}; see {odd}.")
        for key in ("data", "model", "train"):
            if not isinstance(values[key], Mapping):
                raise UserError(f"config.json: {key!r} must be an object.")
        length = values["max_length"]
        if not isinstance(length, int) or not 1 <= length <= MAX_LENGTH:
            raise UserError(
                f"config.json: 'max_length' must be a whole number from 1 to {MAX_LENGTH}, not "
                f"{length!r}."
            )
        return cls(
            data=DataConfig.from_dict(values["data"]),
            model=ModelConfig.from_dict(values["model"]),
            train=TrainConfig.from_dict(values["train"]),
            max_length=values["max_length"],
            data_hash=str(values["data_hash"]),
        )
