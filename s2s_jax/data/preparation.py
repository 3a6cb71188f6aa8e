"""From the name of some data to encoded examples, ready to be trained on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

import numpy as np

from s2s_jax.config import EMBEDDED, DataConfig, Files, Reading, files
from s2s_jax.data.batching import Examples
from s2s_jax.data.corpus import Corpus, Pair, collect_rows, read_pairs
from s2s_jax.data.embedded import embedded_pairs, set_phrases
from s2s_jax.data.reading.delimited import clean
from s2s_jax.data.reading.download import resolve
from s2s_jax.data.splitting import split_pairs
from s2s_jax.data.vocabulary import Draw, SourceEncoder, Vocabulary
from s2s_jax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A corpus, split, and what turns its texts into ids.

    `parts` are the corpora that were given as "validation" and "test", if any were.
    """

    corpus: Corpus
    training: list[Pair]
    validation: list[Pair]
    source_encoder: SourceEncoder
    target_vocabulary: Vocabulary
    parts: Mapping[str, Corpus] = dataclasses.field(default_factory=dict)

    @property
    def test(self) -> list[Pair]:
        """The pairs that were given for a test."""
        return self.parts["test"].pairs if "test" in self.parts else []

    @property
    def leaks(self) -> dict[str, int]:
        """How many pairs of each part that was given have a source that is trained on."""
        trained_on = {pair.source for pair in self.training}
        return {
            name: sum(pair.source in trained_on for pair in part.pairs)
            for name, part in self.parts.items()
        }

    @property
    def source_vocabulary(self) -> Vocabulary:
        """The symbols of the sources."""
        return self.source_encoder.vocabulary

    @property
    def longest(self) -> tuple[int, int]:
        """The tokens of the longest source and of the longest target of training."""
        source, target = self.examples.lengths.max(axis=0)
        return int(source), int(target) - 1  # Without its `<eos>`.

    @cached_property
    def examples(self) -> Examples:
        """The ids of the training part."""
        return self.encode(self.training)

    @property
    def data_hash(self) -> str:
        """SHA-256 of the pairs, in their order and parts."""
        digest = hashlib.sha256()
        for part in (self.training, self.validation):
            for pair in part:
                digest.update(f"{pair.source}\t{pair.target}\n".encode())
            digest.update(b"\0")
        return digest.hexdigest()

    def lines(self, rows: Iterable[int]) -> list[int]:
        """The numbers (from 1) of the lines of the data that training pairs stand on."""
        line_of = dict(zip(self.corpus.pairs, self.corpus.lines, strict=True))
        return sorted(line_of[self.training[row]] for row in rows)

    def encode(self, pairs: Iterable[Pair]) -> Examples:
        """The ids of pairs."""
        sources, targets, characters = [], [], 0
        for pair in pairs:
            sources.append(self.source_encoder.encode(pair.source))
            targets.append(self.target_vocabulary.encode(pair.target))
            characters += len(pair.target) + 1
        return Examples(sources, targets, characters)

    def draws(self, alpha: float, seed: int) -> Draw | None:
        """Divides the training part anew in each epoch; None where `alpha` is 0."""

        def draw(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            """The ids of source and target of each training pair, as an epoch divides them."""
            seeds = np.random.SeedSequence((seed, epoch)).generate_state(2 * len(self.training))
            rows = zip(self.training, seeds.reshape(-1, 2).tolist(), strict=True)
            for (source, target), (one, other) in rows:
                ids = self.source_encoder.encode(source, (alpha, one))
                yield ids, self.target_vocabulary.encode(target, (alpha, other))

        return draw if alpha else None


IN_MEMORY = "<pairs in memory>"
"""Stands for the path of data that were given as pairs."""


def load_corpus(
    config: DataConfig,
    seed: int,
    progress: bool = False,
    pairs: Iterable[tuple[str, str]] | None = None,
) -> Corpus:
    """The pairs given, or those that `config` names: the embedded corpus, files, or a download.

    Raises:
      UserError: when they are unavailable, or none is usable.
    """
    if pairs is not None:
        numbered = enumerate((clean(source, target) for source, target in pairs), 1)
        return collect_rows(IN_MEMORY, numbered, config)
    if config.data == IN_MEMORY:
        raise UserError("the run was trained on pairs in memory; give them again as its `data`.")
    if config.data != EMBEDDED:
        return _read("data", config.data, config, progress)
    drawn = embedded_pairs(config.seed_of_draws(seed))
    corpus = collect_rows(EMBEDDED, enumerate(drawn, 1), config)
    by_heart = (Pair(*(pair[::-1] if config.swap else pair)) for pair in set_phrases())
    return dataclasses.replace(corpus, always_train=frozenset(by_heart))


def _read(option: str, data: Files, reading: Reading, progress: bool) -> Corpus:
    """The pairs of the files, URLs or names that an option was given."""
    return read_pairs(tuple(resolve(file, progress, option) for file in files(data)), reading)


def prepare(
    config: DataConfig,
    seed: int,
    encoders: tuple[SourceEncoder, Vocabulary] | None = None,
    progress: bool = False,
    pairs: Iterable[tuple[str, str]] | None = None,
    *,
    extend: bool = False,
    corpus: Corpus | None = None,
) -> Prepared:
    """Loads and splits a corpus.

    Args:
      config: which pairs, and how they are split.
      seed: draws the split (and the embedded corpus), unless `config` has another for that.
      encoders: of source and target; without them they are made from the training part.
      progress: show the progress of a download.
      pairs: in memory, instead of those that `config` names.
      extend: add what is new in the training part to the vocabularies of `encoders`.
      corpus: what `load_corpus` returns, where it was called already.

    Raises:
      UserError: when the pairs are unavailable, or a part would be empty.
    """
    corpus = corpus or load_corpus(config, seed, progress, pairs)
    given = {"validation": config.validation, "test": config.test}
    all_pairs = dataclasses.replace(config, num_samples=0)
    parts = {name: _read(name, data, all_pairs, progress) for name, data in given.items() if data}
    if "validation" in parts:
        training, validation = corpus.pairs, parts["validation"].pairs
    else:
        how = config.validation_split, config.split, config.seed_of_draws(seed)
        training, validation = split_pairs(corpus.pairs, *how, corpus.always_train)
    sources, targets = ([pair[side] for pair in training] for side in (0, 1))
    if encoders is None:
        source = Vocabulary.from_texts(sources, config.source_tokens, config.vocab_size)
        target = Vocabulary.from_texts(targets, config.target_tokens, config.vocab_size)
        encoders = SourceEncoder(source), target
    elif extend:
        source = encoders[0].vocabulary.extended(sources)
        encoder = dataclasses.replace(encoders[0], vocabulary=source)
        encoders = encoder, encoders[1].extended(targets)
    return Prepared(corpus, training, validation, *encoders, parts)
