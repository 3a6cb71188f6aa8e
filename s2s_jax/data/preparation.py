"""From the name of some data to encoded examples, ready to be trained on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

from s2s_jax.config import EMBEDDED, DataConfig
from s2s_jax.data.batching import Examples
from s2s_jax.data.corpus import Corpus, Pair, collect_pairs, read_pairs
from s2s_jax.data.download import resolve
from s2s_jax.data.embedded import embedded_pairs, set_phrases
from s2s_jax.data.splitting import split_pairs
from s2s_jax.data.vocabulary import SourceEncoder, Vocabulary


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A corpus, split, and what turns its texts into ids."""

    corpus: Corpus
    training: list[Pair]
    validation: list[Pair]
    source_encoder: SourceEncoder
    target_vocabulary: Vocabulary

    @property
    def source_vocabulary(self) -> Vocabulary:
        """The symbols of the sources."""
        return self.source_encoder.vocabulary

    @property
    def longest(self) -> tuple[int, int]:
        """The tokens of the longest source and of the longest target of training."""
        source, target = self.source_encoder.encode, self.target_vocabulary.encode
        return (
            max(len(source(pair.source)) for pair in self.training),
            max(len(target(pair.target)) for pair in self.training),
        )

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


def load_corpus(config: DataConfig, seed: int, progress: bool = False) -> Corpus:
    """The pairs that `config` names: the embedded corpus, a file, or a download.

    Raises:
      UserError: when they are unavailable, or none is usable.
    """
    limits = {
        "num_samples": config.num_samples,
        "swap": config.swap,
        "max_source_length": config.max_source_length,
        "max_target_length": config.max_target_length,
    }
    if config.data == EMBEDDED:
        lines = map("\t".join, embedded_pairs(seed))
        corpus = collect_pairs(EMBEDDED, enumerate(lines, 1), **limits)
        by_heart = (Pair(*(pair[::-1] if config.swap else pair)) for pair in set_phrases())
        return dataclasses.replace(corpus, always_train=frozenset(by_heart))
    return read_pairs(resolve(config.data, progress), **limits)


def prepare(
    config: DataConfig,
    seed: int,
    encoders: tuple[SourceEncoder, Vocabulary] | None = None,
    progress: bool = False,
) -> Prepared:
    """Loads and splits a corpus.

    Args:
      config: which pairs, and how they are split.
      seed: draws the split (and the embedded corpus).
      encoders: of source and target, where a run has them already; otherwise they are made from
        the training part.
      progress: show the progress of a download.

    Raises:
      UserError: when the pairs are unavailable, or a part would be empty.
    """
    corpus = load_corpus(config, seed, progress)
    training, validation = split_pairs(
        corpus.pairs, config.validation_split, config.split, seed, corpus.always_train
    )
    if encoders is None:
        source = Vocabulary.from_texts((pair.source for pair in training), config.source_tokens)
        target = Vocabulary.from_texts((pair.target for pair in training), config.target_tokens)
        encoders = SourceEncoder(source), target
    return Prepared(corpus, training, validation, *encoders)
