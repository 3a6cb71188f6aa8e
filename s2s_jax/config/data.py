"""Which pairs, and how they are read: the options of data."""

import dataclasses

from s2s_jax.config.options import Config, option
from s2s_jax.errors import UserError

EMBEDDED = "sample"
"""The name of the built-in corpus."""

TOKENS = ("char", "decomposed", "grapheme", "word", "space", "subword")
"""The units that a text can be divided into; see `data/tokenizers.py`."""

Files = str | tuple[str, ...]
"""Some data: a path, URL or name; or two, a file of sources and one of targets."""


def files(data: Files) -> tuple[str, ...]:
    """The files of some data, one or two."""
    return (data,) if isinstance(data, str) else tuple(data)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading(Config):
    """How pairs are read from data; the lengths are in characters after normalization."""

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


EVERYTHING = Reading(num_samples=0, max_source_length=0, max_target_length=0)
"""All pairs of some data, whatever their length."""


@dataclasses.dataclass(frozen=True)
class DataConfig(Reading):
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
    licence: str = option(
        "", metavar="NAME", help="licence of the data, such as cc-by-2.0, for the run's README.md"
    )
    tokens: str = option(
        "char",
        choices=TOKENS,
        help="units of both sides: characters; decomposed, with accents and the letters of Korean "
        "syllables by themselves; graphemes, which a reader takes for one character; words; what "
        "white space divides; or subwords, learned from the training part",
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
    subword_sampling: float = option(
        0.0,
        least=0,
        metavar="ALPHA",
        help="draw in each epoch how a text is divided, a way of probability p in proportion to "
        "p^ALPHA; 0 = take the likeliest",
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
    split_seed: int = option(
        -1, least=-1, metavar="N",
        help="seed of what is drawn of the data, the held-out sources above all; -1 = --seed",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.data:
            raise UserError("`data` must be a path, a URL or a name such as fra-eng, not empty.")
        for side in ("source_tokens", "target_tokens"):
            object.__setattr__(self, side, getattr(self, side) or self.tokens)
        for name in ("vocab_size", "subword_sampling"):
            if getattr(self, name) and "subword" not in (self.source_tokens, self.target_tokens):
                raise UserError(f"`{name}` needs `tokens` subword, on one side at least.")

    def seed_of_draws(self, seed: int) -> int:
        """What the data are drawn with in a run of this seed."""
        return seed if self.split_seed < 0 else self.split_seed

    @property
    def all_files(self) -> tuple[str, ...]:
        """The files of all parts."""
        parts = (self.data, self.validation, self.test)
        return tuple(file for part in parts if part for file in files(part))
