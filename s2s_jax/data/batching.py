"""Pairs of ids -> padded batches of a few static shapes.

Every new shape is compiled anew, and every position padded is computed for nothing. So pairs
are put into a handful of buckets, each with one source and one target length, chosen for the
data at hand; a batch holds pairs of one bucket (or of two neighbours, where one ends and the
next begins) and is padded to its bucket's lengths.
"""

from __future__ import annotations

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

    def lengths(self) -> np.ndarray:
        """The bucket that each pair needs at least: int `[pairs, 2]`, source and target."""
        return np.array(
            [(len(s), len(t) + 1) for s, t in zip(self.sources, self.targets, strict=True)]
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


def epoch_batches(
    examples: Examples,
    buckets: Sequence[Bucket],
    batch_size: int,
    rng: np.random.Generator | None = None,
    first: int = 0,
    share: slice | None = None,
) -> Iterator[Batch]:
    """Every pair exactly once, in `ceil(pairs / batch_size)` batches.

    Args:
      examples: the pairs.
      buckets: from `choose_buckets`, so that the last one holds every pair.
      batch_size: rows of each batch; the one that is not full is padded with empty rows.
      rng: shuffles the pairs within their buckets, and the order of the batches, those of a
        bucket spread over the epoch; None keeps the order of the pairs within a bucket and goes
        from the shortest bucket to the longest.
      first: leave out so many batches at the beginning (to go on within an epoch).
      share: only these rows of each batch; those behind its end are empty (None: all of it).
    """
    bucket_of = _bucket_of(examples, buckets)
    share = share or slice(0, batch_size)
    for rows in batch_rows(examples, buckets, batch_size, rng)[first:]:
        bucket = buckets[bucket_of[rows].max()]
        yield make_batch(examples, rows[share], share.stop - share.start, bucket)


def batch_rows(
    examples: Examples,
    buckets: Sequence[Bucket],
    batch_size: int,
    rng: np.random.Generator | None = None,
) -> list[np.ndarray]:
    """Which pairs each batch of `epoch_batches` holds, as indices into `examples`."""
    bucket_of = _bucket_of(examples, buckets)
    order = np.arange(len(bucket_of)) if rng is None else rng.permutation(len(bucket_of))
    order = order[np.argsort(bucket_of[order], kind="stable")]
    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    if rng is None:
        return groups
    return [groups[i] for i in _interleave([bucket_of[rows].max() for rows in groups], rng)]


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


def _bucket_of(examples: Examples, buckets: Sequence[Bucket]) -> np.ndarray:
    """The index of the bucket that each pair is in, int `[pairs]`."""
    return np.searchsorted([bucket.target for bucket in buckets], examples.lengths()[:, 1])


def num_batches(examples: Examples, batch_size: int) -> int:
    """How many batches `epoch_batches` gives in one epoch."""
    return -(-len(examples.sources) // batch_size)
