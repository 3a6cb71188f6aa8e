"""What a run is made of: frozen dataclasses that turn into JSON and back.

A configuration that exists is valid, whether its values came from a flag, a recipe or a damaged
`config.json`.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from s2s_jax.config.options import Config, limits, option
from s2s_jax.config.training import TrainConfig
from s2s_jax.errors import UserError

EMBEDDED = "sample"
"""The name of the built-in corpus."""

MAX_LENGTH = 1 << 17
"""Tokens of an answer; no line of a data file is longer."""

TOKENS = ("char", "grapheme", "word", "space", "subword")
"""The units that a text can be divided into; see `data/tokenizers.py`."""

HARD_SIGMOID_SLOPES = {"hard_sigmoid": 1 / 6, "keras2_hard_sigmoid": 0.2}
"""clip(slope * z + 0.5, 0, 1) in place of an LSTM's sigmoid: Keras changed the slope in Keras 3."""


Files = str | tuple[str, ...]
"""Some data: a path, URL or name; or two, a file of sources and one of targets."""


def files(data: Files) -> tuple[str, ...]:
    """The files of some data, one or two."""
    return (data,) if isinstance(data, str) else tuple(data)


@dataclasses.dataclass(frozen=True)
class DataConfig(Config):
    """Which pairs a run is trained on, and how they are read and split."""

    data: Files = option(
        EMBEDDED,
        alias="--train",
        most_values=2,
        metavar="DATA",
        help="source<TAB>target lines, CSV, JSON lines, Parquet or Hugging Face datasets; sources "
        "and targets in two files; a URL; a name such as fra-eng (manythings.org); or a recipe "
        "(.toml) that names its data",
    )
    validation: Files = option(
        "",
        most_values=2,
        metavar="PATH",
        help="validate on this data, in place of a share of --data",
    )
    test: Files = option(
        "", most_values=2, metavar="PATH", help="evaluate on this data as well, at the end"
    )
    columns: str = option(
        "",
        metavar="A,B",
        help="columns of source and target, by number or by name (default: the first two)",
    )
    separator: str = option(
        "", metavar="TEXT", help="what stands between columns (default: found in the first lines)"
    )
    quotes: str = option(
        "auto",
        choices=("auto", "csv", "text"),
        help="double quotes enclose fields, as in CSV, or belong to the text",
    )
    encoding: str = option("", metavar="NAME", help="of the text (default: UTF-8)")
    num_samples: int = option(10_000, least=0, metavar="N", help="read the first N pairs; 0 = all")
    swap: bool = option(False, help="translate from the second column to the first")
    tokens: str = option(
        "char",
        choices=TOKENS,
        help="units of both sides: characters; graphemes, which a reader takes for one character; "
        "words; what white space divides; or subwords, learned from the training part",
    )
    source_tokens: str = option(
        "", choices=("", *TOKENS), metavar="UNIT", help="units of the sources, if others"
    )
    target_tokens: str = option(
        "", choices=("", *TOKENS), metavar="UNIT", help="units of the targets, if others"
    )
    vocab_size: int = option(
        0, least=0, metavar="N", help="subwords of each side; 0 = by the size of the data"
    )
    max_source_length: int = option(
        500,
        least=0,
        metavar="N",
        help="skip pairs with a longer source, in characters; 0 = no limit",
    )
    max_target_length: int = option(
        500,
        least=0,
        metavar="N",
        help="skip pairs with a longer target, in characters; 0 = no limit",
    )
    validation_split: float = option(
        0.2,
        least=0,
        below=1,
        metavar="SHARE",
        help="share of the pairs held out for validation; 0 = none",
    )
    split: str = option(
        "source",
        choices=("source", "tail"),
        help="source: hold out whole source sentences, drawn at random; tail: hold out the last "
        "pairs, as the tutorial does",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise UserError("`data` must be a path, a URL or a name such as fra-eng, not empty.")
        for side in ("source_tokens", "target_tokens"):
            object.__setattr__(self, side, getattr(self, side) or self.tokens)


@dataclasses.dataclass(frozen=True)
class ModelConfig(Config):
    """The sizes of a `Seq2Seq`.

    `recurrent_activation` is "sigmoid" in every run trained here; models
    from Keras may have another.
    """

    source_vocab_size: int = dataclasses.field(metadata=limits(least=1))
    target_vocab_size: int = dataclasses.field(metadata=limits(least=1))
    latent_dim: int = option(256, least=1, metavar="N", help="LSTM units")
    embedding_dim: int = option(
        0, least=0, metavar="N", help="size of the token embeddings; 0 = one-hot"
    )
    recurrent_activation: str = option("sigmoid", choices=("sigmoid", *HARD_SIGMOID_SLOPES))


_FILLER = ("source_length", "source_filler")


@dataclasses.dataclass(frozen=True)
class RunConfig(Config):
    """Everything in a run folder's `config.json`.

    `max_length` is the longest target of the training part in tokens, including `<eos>`: decoding
    stops after that many steps unless told otherwise. `data_hash` is the SHA-256 of the pairs, so
    that a run is resumed on the data it was begun with. `longest_source` is the longest source of
    the training part in tokens; 0 if unknown. `source_length` and `source_filler` are the `length`
    and `filler` of a `SourceEncoder`. `started_from` names the run and step whose weights this run
    began with, if they were not drawn.
    """

    data: DataConfig
    model: ModelConfig
    train: TrainConfig
    max_length: int = dataclasses.field(metadata=limits(least=1, most=MAX_LENGTH))
    data_hash: str
    longest_source: int = option(0, least=0)
    source_length: int = option(0, least=0)
    source_filler: str = "<pad>"
    started_from: str = ""

    FORMAT: ClassVar[int] = 1
    """Raised when programs of the format before could not read the run; they then refuse it."""

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
            # The filler was once in the model's section.
            model = dict(values["model"])
            moved = {key: model.pop(key) for key in _FILLER if key in model}
            values = {**moved, **values, "model": model}
        return super().from_dict(values)
