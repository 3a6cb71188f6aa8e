"""Pairs of ids -> padded batches of a few static shapes.

Each new shape costs a compilation, and each padded position is wasted work. So pairs go
into a handful of buckets, each with one source and one target length, chosen for the data at
hand. A batch holds pairs of one bucket, and those left over in smaller ones, and is padded
to its bucket's lengths.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int32

from s2s_jax.data.buckets import (
    MAX_BUCKETS,
    Bucket,
    first_that_fits,
    fits,
    interleave,
    pair_buckets,
    target_buckets,
)
from s2s_jax.data.vocabulary import Draw, Vocabulary


class Batch(NamedTuple):
    """Padded ids, with masks that are true on real tokens. Rows may be all padding.

    Attributes:
      source: the sources.
      source_mask: of `source`.
      target_inputs: what the decoder reads: `<bos>` and the targets.
      targets: what it should predict at each step: the targets and `<eos>`.
      target_mask: of both `target_inputs` and `targets`.
    """

    source: Int32[np.ndarray, "batch source_time"]
    source_mask: Bool[np.ndarray, "batch source_time"]
    target_inputs: Int32[np.ndarray, "batch target_time"]
    targets: Int32[np.ndarray, "batch target_time"]
    target_mask: Bool[np.ndarray, "batch target_time"]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Encoded pairs.

    Attributes:
      sources: the ids of each source.
      targets: the ids of each target, without `<bos>` and `<eos>`.
      characters: of all targets as text, the end of each counted as one; 0 if unknown.
    """

    sources: list[Int32[np.ndarray, " _"]]
    targets: list[Int32[np.ndarray, " _"]]
    characters: int = 0

    @functools.cached_property
    def lengths(self) -> Int[np.ndarray, "pairs 2"]:
        """The source and target length of the least bucket that each pair fits into."""
        return np.array(
            [(len(s), len(t) + 1) for s, t in zip(self.sources, self.targets, strict=True)], int
        ).reshape(-1, 2)


def pad(
    rows: Sequence[Int[np.ndarray, " _"]], batch_size: int, length: int
) -> tuple[
    Int32[np.ndarray, "{batch_size} {length}"],
    Bool[np.ndarray, "{batch_size} {length}"],
]:
    """Ids in rows of `length`, and their mask; rows beyond the given ones are all padding."""
    ids = np.full((batch_size, length), Vocabulary.pad_id, np.int32)
    mask = np.zeros((batch_size, length), bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = True
    return ids, mask


def make_batch(
    examples: Examples, rows: Int[np.ndarray, " rows"], batch_size: int, bucket: Bucket
) -> Batch:
    """The pairs `rows` as one batch of `batch_size` rows, padded to `bucket`."""
    source, source_mask = pad([examples.sources[i] for i in rows], batch_size, bucket.source)
    bos, eos = np.array([[Vocabulary.bos_id], [Vocabulary.eos_id]], np.int32)
    target_rows = [examples.targets[i] for i in rows]
    inputs, _ = pad([np.concatenate((bos, r)) for r in target_rows], batch_size, bucket.target)
    targets, mask = pad([np.concatenate((r, eos)) for r in target_rows], batch_size, bucket.target)
    return Batch(source, source_mask, inputs, targets, mask)


@dataclasses.dataclass(frozen=True)
class Batches:
    """The batches of one part of the data, in every epoch.

    Every pair comes exactly once an epoch. Which batch it is in, and where that batch stands,
    follow from the seed and the epoch alone, so that an epoch can be resumed in its middle.

    Attributes:
      examples: the pairs.
      batch_size: rows of each batch; the one that is not full is padded with empty rows.
      seed: shuffles the pairs within their buckets, and the order of the batches, those of a
        bucket spread over the epoch; None keeps the order of the pairs within a bucket and goes
        from the shortest bucket to the longest.
      max_buckets: how many shapes there may be.
      over_sources: choose the shapes over source and target lengths together, not by targets alone.
      draw: encodes the pairs anew in each epoch; not used where longer than all of `examples`.
    """

    examples: Examples
    batch_size: int
    seed: int | None = None
    max_buckets: int = MAX_BUCKETS
    over_sources: bool = False
    draw: Draw | None = None

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.examples.sources) // self.batch_size)

    @functools.cached_property
    def buckets(self) -> list[Bucket]:
        """The shapes of the batches in every epoch; the last one fits every pair."""
        longest = self.examples.lengths.max(axis=0, initial=0)
        choose = pair_buckets if self.over_sources else target_buckets
        return choose(np.vstack((self.in_epoch(0).lengths, longest)), self.max_buckets)

    @functools.cached_property
    def in_epoch(self) -> Callable[[int], Examples]:
        """The pairs as an epoch has them, given its number."""
        return functools.lru_cache(maxsize=1)(self._in_epoch)

    def _in_epoch(self, epoch: int) -> Examples:
        if self.draw is None:
            return self.examples
        longest = self.examples.lengths.max(axis=0, initial=0)
        sources, targets = [], []
        pairs = zip(self.examples.sources, self.examples.targets, strict=True)
        for pair, (source, target) in zip(pairs, self.draw(epoch), strict=True):
            if len(source) > longest[0] or len(target) >= longest[1]:
                source, target = pair
            sources.append(source)
            targets.append(target)
        return Examples(sources, targets, self.examples.characters)

    def tokens(self, epoch: int = 0) -> int:
        """The number of target tokens in an epoch, each `<eos>` included."""
        return int(self.in_epoch(epoch).lengths[:, 1].sum())

    def characters_per_token(self, epoch: int = 0) -> float:
        """Of the targets in an epoch; 1 where a token is a character, 0 if unknown."""
        tokens = self.tokens(epoch)
        return self.examples.characters / tokens if tokens else 0.0

    def rows(self, epoch: int = 0) -> list[Int[np.ndarray, " _"]]:
        """Which pairs each batch of an epoch holds, as indices into `examples`."""
        return [rows for _, rows in self._grouped(epoch)]

    def _grouped(self, epoch: int) -> list[tuple[int, Int[np.ndarray, " _"]]]:
        """The index of the bucket and the pairs of each batch of an epoch."""
        rng = None if self.seed is None else np.random.default_rng([self.seed, epoch])
        bucket_of = first_that_fits(self.buckets, self.in_epoch(epoch).lengths)
        pairs = len(bucket_of)
        order = np.arange(pairs) if rng is None else rng.permutation(pairs)
        batches = []
        left: list[list[np.ndarray]] = [[] for _ in self.buckets]  # By the bucket that takes them.
        for k, bucket in enumerate(self.buckets):
            rows = np.concatenate((*left[k], order[bucket_of[order] == k]))
            larger = (j for j in range(k + 1, len(self.buckets)) if fits(bucket, self.buckets[j]))
            next_larger = next(larger, None)  # None for the last one alone, which fits every pair.
            full = len(rows)
            if next_larger is not None:
                full -= full % self.batch_size
                left[next_larger].append(rows[full:])
            starts = range(0, full, self.batch_size)
            batches += [(k, rows[i : i + self.batch_size]) for i in starts]
        if rng is None:
            return batches
        return [batches[i] for i in interleave([k for k, _ in batches], rng)]

    def shapes(self, epoch: int = 0, first: int = 0, rows: int | None = None) -> list[Batch]:
        """An empty batch of each shape in an epoch, in the order in which the shapes come.

        `epoch` and `first` are those of `epoch`; each batch has so many rows (None: all).
        """
        kinds = dict.fromkeys(k for k, _ in self._grouped(epoch)[first:])
        none = np.arange(0)
        rows = self.batch_size if rows is None else rows
        return [make_batch(self.examples, none, rows, self.buckets[k]) for k in kinds]

    def epoch(self, epoch: int = 0, first: int = 0, share: slice | None = None) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
          epoch: its number, from 0.
          first: skip this many batches (to resume within an epoch).
          share: only these rows of each batch; those beyond its end are empty (None: all rows).
        """
        share = share or slice(0, self.batch_size)
        examples = self.in_epoch(epoch)
        for k, rows in self._grouped(epoch)[first:]:
            yield make_batch(examples, rows[share], share.stop - share.start, self.buckets[k])
