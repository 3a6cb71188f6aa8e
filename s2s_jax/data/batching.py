"""Pairs of ids -> padded batches of a few static shapes.

Every new shape is compiled anew, and every position padded is computed for nothing. So pairs
are put into a handful of buckets, each with one source and one target length, chosen for the
data at hand; a batch holds pairs of one bucket (or of two neighbours, where one ends and the
next begins) and is padded to its bucket's lengths.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from s2s_jax.data.vocabulary import Vocabulary

MAX_BUCKETS = 5
"""Each costs a compilation; from five to seven an epoch gains 3 % (fra.txt, 2 cores)."""


class Batch(NamedTuple):
    """Padded arrays; masks are true on real tokens. Rows may be all padding."""

    source: np.ndarray
    """Ids, int32 `[batch, source_time]`."""
    source_mask: np.ndarray
    target_inputs: np.ndarray
    """`<bos>` and the target's ids, int32 `[batch, target_time]`."""
    targets: np.ndarray
    """The target's ids and `<eos>`, int32 `[batch, target_time]`."""
    target_mask: np.ndarray


class Bucket(NamedTuple):
    """The padded lengths of a batch in tokens; `target` counts the `<eos>`."""

    source: int
    target: int


class Examples(NamedTuple):
    """Encoded pairs: two equally long lists of ids, int32 `[time]`, without `<bos>`, `<eos>`."""

    sources: list[np.ndarray]
    targets: list[np.ndarray]
    characters: int = 0
    """Of all targets as text, the end of each counted as one; 0 if unknown."""

    def lengths(self) -> np.ndarray:
        """The bucket that each pair needs at least: int `[pairs, 2]`, source and target."""
        return np.array(
            [(len(s), len(t) + 1) for s, t in zip(self.sources, self.targets, strict=True)], int
        ).reshape(-1, 2)


def pad(rows: Sequence[np.ndarray], batch_size: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask, both `[batch_size, length]`, of up to `batch_size` rows of ids."""
    ids = np.full((batch_size, length), Vocabulary.pad_id, np.int32)
    mask = np.zeros((batch_size, length), bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = True
    return ids, mask


def make_batch(examples: Examples, rows: np.ndarray, batch_size: int, bucket: Bucket) -> Batch:
    """The pairs `rows` as one batch of `batch_size` rows, padded to `bucket`."""
    source, source_mask = pad([examples.sources[i] for i in rows], batch_size, bucket.source)
    bos, eos = [Vocabulary.bos_id], [Vocabulary.eos_id]
    target_rows = [examples.targets[i] for i in rows]
    inputs, _ = pad([np.concatenate((bos, r)) for r in target_rows], batch_size, bucket.target)
    targets, mask = pad([np.concatenate((r, eos)) for r in target_rows], batch_size, bucket.target)
    return Batch(source, source_mask, inputs, targets, mask)


def choose_buckets(lengths: np.ndarray, max_buckets: int = MAX_BUCKETS) -> list[Bucket]:
    """The target lengths that pad least, each with the source length that its pairs need.

    Dynamic programming over the distinct target lengths: `cost[k, j]` is the least number of
    padded target positions when the j shortest lengths share k buckets.

    Args:
      lengths: int `[pairs, 2]`, source and target, as `Examples.lengths` gives them.
      max_buckets: at most so many shapes.

    Returns:
      Buckets that grow in both lengths; the last one holds every pair.
    """
    edges, counts = np.unique(lengths[:, 1], return_counts=True)
    before = np.concatenate(([0], np.cumsum(counts)))
    buckets = min(max_buckets, len(edges))
    cost = np.full((buckets + 1, len(edges) + 1), np.inf)
    start = np.zeros((buckets + 1, len(edges) + 1), int)
    cost[0, 0] = 0
    for k in range(1, buckets + 1):
        for j in range(1, len(edges) + 1):
            # The k-th bucket takes the lengths from the i-th to the j-th, padded to the j-th.
            totals = cost[k - 1, :j] + (before[j] - before[:j]) * edges[j - 1]
            start[k, j] = totals.argmin()
            cost[k, j] = totals.min()
    chosen, j = [], len(edges)
    for k in range(buckets, 0, -1):
        target = int(edges[j - 1])
        source = int(lengths[lengths[:, 1] <= target, 0].max())
        chosen.append(Bucket(max(source, 1), target))
        j = start[k, j]
    return chosen[::-1]


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
      max_buckets: at most so many shapes.
    """

    examples: Examples
    batch_size: int
    seed: int | None = None
    max_buckets: int = MAX_BUCKETS

    def __len__(self) -> int:
        """Batches an epoch."""
        return -(-len(self.examples.sources) // self.batch_size)

    @functools.cached_property
    def buckets(self) -> list[Bucket]:
        """The shapes of the batches; the last holds every pair."""
        return choose_buckets(self.examples.lengths(), self.max_buckets)

    @functools.cached_property
    def tokens(self) -> int:
        """Target tokens an epoch, each `<eos>` included."""
        return int(self.examples.lengths()[:, 1].sum())

    @property
    def characters_per_token(self) -> float:
        """Of the targets; 1 where a token is a character, 0 if unknown."""
        return self.examples.characters / self.tokens if self.tokens else 0.0

    @functools.cached_property
    def _bucket_of(self) -> np.ndarray:
        """The index of the bucket that each pair is in, int `[pairs]`."""
        edges = [bucket.target for bucket in self.buckets]
        return np.searchsorted(edges, self.examples.lengths()[:, 1])

    def rows(self, epoch: int = 0) -> list[np.ndarray]:
        """Which pairs each batch of an epoch holds, as indices into `examples`."""
        rng = None if self.seed is None else np.random.default_rng([self.seed, epoch])
        pairs = len(self._bucket_of)
        order = np.arange(pairs) if rng is None else rng.permutation(pairs)
        order = order[np.argsort(self._bucket_of[order], kind="stable")]
        groups = [order[i : i + self.batch_size] for i in range(0, pairs, self.batch_size)]
        if rng is None:
            return groups
        kinds = [self._bucket_of[rows].max() for rows in groups]
        return [groups[i] for i in _interleave(kinds, rng)]

    def epoch(self, epoch: int = 0, first: int = 0, share: slice | None = None) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
          epoch: its number, from 0.
          first: skip so many batches (to resume within an epoch).
          share: only these rows of each batch; those beyond its end are empty (None: all rows).
        """
        share = share or slice(0, self.batch_size)
        for rows in self.rows(epoch)[first:]:
            bucket = self.buckets[self._bucket_of[rows].max()]
            yield make_batch(self.examples, rows[share], share.stop - share.start, bucket)


def _interleave(kinds: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """A random order in which each kind comes about equally often all along.

    The n batches of a kind come one in each n-th of the epoch. Left to chance, some epochs end
    with short sentences only, and are judged by what these last few batches taught.

    Args:
      kinds: the kind of each batch.
      rng: draws the order.

    Returns:
      Indices into `kinds`, int `[batches]`.
    """
    when = np.empty(len(kinds))
    for kind in np.unique(kinds):
        batches = rng.permutation(np.flatnonzero(kinds == kind))
        when[batches] = (np.arange(len(batches)) + rng.random(len(batches))) / len(batches)
    return np.argsort(when)
