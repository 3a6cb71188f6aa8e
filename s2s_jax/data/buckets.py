"""The few static shapes that batches are padded to, chosen for the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

MAX_BUCKETS = 5
"""Each costs a compilation; with seven an epoch would be 3 % faster (fra.txt, 2 cores)."""

_COSTS = (1, 2)
"""What a padded position of a source and of a target costs, roughly: the decoder has attention and
the output layer on top of its LSTM."""


class Bucket(NamedTuple):
    """The padded lengths of a batch in tokens; `target` counts the `<eos>`."""

    source: int
    target: int


def target_buckets(
    lengths: Int[np.ndarray, "pairs 2"], max_buckets: int = MAX_BUCKETS
) -> list[Bucket]:
    """The target lengths that pad least, each with the source length that its pairs need.

    The buckets grow in both lengths, and the last one fits every pair. Dynamic programming over the
    distinct target lengths: `cost[k, j]` is the least number of target positions when the j
    shortest lengths share k buckets.
    """
    edges, counts = np.unique(lengths[:, 1], return_counts=True)
    before = np.concatenate(([0], np.cumsum(counts)))
    buckets = min(max_buckets, len(edges))
    cost = np.full((buckets + 1, len(edges) + 1), np.inf)
    start = np.zeros((buckets + 1, len(edges) + 1), int)
    cost[0, 0] = 0
    for k in range(1, buckets + 1):
        for j in range(1, len(edges) + 1):
            # For each i: the k-th bucket takes the lengths i + 1 to j and pads them to the j-th.
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


def pair_buckets(lengths: Int[np.ndarray, "pairs 2"], max_buckets: int) -> list[Bucket]:
    """Shapes over source and target lengths together.

    All pairs begin in one bucket. The division of a bucket in two, at a source or at a target
    length, that saves most is made, until there are as many as there may be. The cheapest comes
    first; the last one fits every pair.
    """
    divisions = [_division(lengths)]
    done = [lengths]
    while len(done) < max_buckets:
        best = int(np.argmax([saved for saved, _ in divisions]))
        if divisions[best][0] <= 0:
            break
        halves = divisions[best][1]
        del divisions[best], done[best]
        divisions += map(_division, halves)
        done += halves
    shapes = {Bucket(*map(int, np.maximum(pairs.max(axis=0, initial=0), 1))) for pairs in done}
    longest = Bucket(*(max(sizes) for sizes in zip(*shapes, strict=True)))
    ordered = sorted(shapes - {longest}, key=lambda bucket: (np.dot(bucket, _COSTS), bucket))
    # Where no shape fits every pair, the dearest grows to do so.
    return [*(ordered if longest in shapes else ordered[:-1]), longest]


def _division(
    lengths: Int[np.ndarray, "pairs 2"],
) -> tuple[float, list[Int[np.ndarray, "_ 2"]]]:
    """The padded positions that the best division in two saves, and the two parts."""
    saved, halves = 0.0, [lengths]
    for side in (0, 1):
        ordered = lengths[np.argsort(lengths[:, side], kind="stable")]
        cuts = np.flatnonzero(np.diff(ordered[:, side])) + 1
        if not len(cuts):
            continue
        costs = np.maximum.accumulate(ordered) @ _COSTS
        costs_behind = np.maximum.accumulate(ordered[::-1])[::-1] @ _COSTS
        divided = cuts * costs[cuts - 1] + (len(ordered) - cuts) * costs_behind[cuts]
        gain = float(len(ordered) * costs[-1] - divided.min())
        if gain > saved:
            cut = cuts[divided.argmin()]
            saved, halves = gain, [ordered[:cut], ordered[cut:]]
    return saved, halves


def fits(bucket: Bucket, into: Bucket) -> bool:
    """Whether what fits into one bucket fits into the other."""
    return bucket.source <= into.source and bucket.target <= into.target


def first_that_fits(
    buckets: list[Bucket], lengths: Int[np.ndarray, "pairs 2"]
) -> Int[np.ndarray, " pairs"]:
    """The index of the first bucket that each pair fits into."""
    return (np.array(buckets)[None] >= lengths[:, None]).all(axis=2).argmax(axis=1)


def interleave(kinds: Sequence[int], rng: np.random.Generator) -> Int[np.ndarray, " batches"]:
    """A random order of the batches, as indices, in which each kind is spread evenly.

    The n batches of a kind come one in each n-th of the epoch. Left to chance, some epochs end
    with short sentences only, and are judged by what these last few batches taught.
    """
    when = np.empty(len(kinds))
    for kind in np.unique(kinds):
        batches = rng.permutation(np.flatnonzero(kinds == kind))
        when[batches] = (np.arange(len(batches)) + rng.random(len(batches))) / len(batches)
    return np.argsort(when)
