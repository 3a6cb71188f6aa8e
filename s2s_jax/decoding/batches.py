"""Ids in, ids out: rows of any length, in batches of a few static shapes, each compiled once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Bool, Float, Int32, PyTree, UInt32

from s2s_jax.data.batching import pad
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.programs import beam, greedy, sample, score
from s2s_jax.model.ensemble import Ensemble
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runtime.parallel import one_copy, run_rows

_SHORTEST = 16  # Rows are padded to 16, 32, 64, ... tokens: few shapes to compile.
_MOST_GROUPS = 16  # In a batch; all but one wait for their turn.
# What bounds the memory that a batch takes on each device:
_MAX_TOKENS = 2**14  # the padded tokens that are decoded at a time, 4 kB each at 256 units,
_MAX_WAITING = 2**15  # all its padded tokens, 3 kB each with attention,
_MAX_SCORED = 2**13  # those of sources and given targets together,
_MAX_WRITTEN = 2**22  # the tokens set aside for answers,
_MAX_LOGITS = 2**24  # and the logits of given targets.


class HypothesisIds(NamedTuple):
    """A hypothesis in ids: `<eos>` included where it was reached, then padding.

    `ranked` is what beam search ranks it by, and `log_prob` its log-probability in nats; None
    where nothing was ranked.
    """

    ids: Int32[np.ndarray, " time"]
    ranked: float | None = None
    log_prob: float | None = None

    @property
    def written(self) -> Int32[np.ndarray, " _"]:
        """The ids without the padding."""
        return self.ids[self.ids != Vocabulary.pad_id]


def decode_rows(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    rows: Sequence[Int32[np.ndarray, " _"]],
    config: DecodeConfig,
    limit: int,
    capacity: int | None = None,
    mesh: Mesh | None = None,
) -> list[list[HypothesisIds]]:
    """The answers to each row of source ids, best first; none for a row without ids.

    Args:
      model, params: the model; its parameters as `parallel.replicate` leaves them.
      rows: source ids.
      config: how to decode, and how many hypotheses at a time; as sources are answered, others of
        the batch take their places.
      limit: the most tokens in an answer.
      capacity: room for that many tokens, `limit` by default; what is compiled depends on it.
      mesh: the devices that share the batches; None for one device.
    """
    answers: list[list[HypothesisIds]] = [[] for _ in rows]
    capacity, devices = power_of_two(capacity or limit), 1 if mesh is None else mesh.size
    # Sorted by length, so that batches pad little and end together.
    filled = [i for i, row in enumerate(rows) if len(row)]
    order = sorted(filled, key=lambda i: len(rows[i]), reverse=True)
    while order:
        length = power_of_two(max(len(rows[order[0]]), _SHORTEST))
        written = _MAX_WRITTEN // (config.beam * capacity)
        room = devices * min(written, _MAX_TOKENS // length)
        room_waiting = devices * min(written, _MAX_WAITING // length)
        together = max(1, min(config.batch_size // config.beam, room))
        most = min(_MOST_GROUPS, max(1, room_waiting // together))
        # Those that need less padding wait for a batch of their own.
        shorter = length // 2 if length > _SHORTEST else 0
        as_long = sum(len(rows[i]) > shorter for i in order[: most * together])
        most = min(most, max(1, -(-as_long // together)))
        at_most = together << (most.bit_length() - 1)  # A power of two of groups, as below.
        chosen, order = order[:at_most], order[at_most:]
        size, sharing = fit_rows(min(len(chosen), together), together, devices)
        groups = power_of_two(-(-len(chosen) // size))
        batch = pad([rows[i] for i in chosen], groups * size, length)
        where = (params, mesh) if sharing == devices else (one_copy(params), None)
        at_a_time = size // sharing if groups > 1 else None
        found = decode_batch(model, *where, config, capacity, limit, *batch, at_a_time)
        for i, answer in zip(chosen, found, strict=False):
            answers[i] = answer
    return answers


def decode_batch(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    mesh: Mesh | None,
    config: DecodeConfig,
    capacity: int,
    limit: int,
    source: Int32[np.ndarray, "batch time"],
    mask: Bool[np.ndarray, "batch time"],
    at_a_time: int | None = None,
) -> list[list[HypothesisIds]]:
    """The answers to each row of a padded batch, so many at a time on each device."""
    if config.beam > 1:
        static = (model, capacity, at_a_time, config.beam, config.n_best)
        shared = (limit, float(config.length_penalty))
        found = run_rows(beam, static, params, (source, mask), shared, mesh)
        # A small vocabulary may not have as many answers as there are slots.
        return [
            [
                HypothesisIds(ids, float(ranked), float(log_prob))
                for ids, log_prob, ranked in zip(*row, strict=True)
                if ranked > -np.inf
            ]
            for row in zip(*map(np.asarray, found), strict=True)
        ]
    if config.sample:
        top_k = min(config.top_k, model.config.target_vocab_size)
        how = np.uint32(config.seed), float(config.temperature), top_k, float(config.top_p)
        static = (model, capacity, at_a_time, config.top_k > 0 or config.top_p < 1)
        numbered = (source, mask, row_hashes(source, mask))
        tokens = run_rows(sample, static, params, numbered, (limit, *how), mesh)
    else:
        static = (model, capacity, at_a_time)
        tokens = run_rows(greedy, static, params, (source, mask), (limit,), mesh)
    return [[HypothesisIds(ids)] for ids in np.asarray(tokens)]


def row_hashes(
    source: Int32[np.ndarray, "batch time"], mask: Bool[np.ndarray, "batch time"]
) -> UInt32[np.ndarray, " batch"]:
    """A number for each row that depends on its real ids alone."""
    digests = [
        hashlib.blake2b(ids[real].astype("<i4").tobytes(), digest_size=4).digest()
        for ids, real in zip(source, mask, strict=True)
    ]
    return np.frombuffer(b"".join(digests), "<u4").astype(np.uint32)


def score_rows(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    sources: Sequence[Int32[np.ndarray, " _"]],
    targets: Sequence[Int32[np.ndarray, " _"]],
    batch_size: int,
    mesh: Mesh | None = None,
) -> list[Float[np.ndarray, " _"]]:
    """The log-probability of each token of each target, given its source and what is before it.

    Args:
      model, params, mesh: as for `decode_rows`.
      sources: ids.
      targets: ids, with their `<eos>` if that is to be counted.
      batch_size: the most pairs at a time.

    Returns:
      Natural logarithms, for each token of each target.
    """
    scores = [np.empty(0, np.float32)] * len(targets)
    order = sorted(range(len(targets)), key=lambda i: (len(targets[i]), len(sources[i])))[::-1]
    longest = power_of_two(max(map(len, sources), default=1))
    vocab, devices = model.config.target_vocab_size, 1 if mesh is None else mesh.size
    while order:
        length = power_of_two(max(len(targets[order[0]]), _SHORTEST))
        room = devices * min(_MAX_SCORED // (longest + length), _MAX_LOGITS // (length * vocab))
        at_most = max(1, min(batch_size, room))
        chosen, order = order[:at_most], order[at_most:]
        size, sharing = fit_rows(len(chosen), at_most, devices)
        held, where = (params, mesh) if sharing == devices else (one_copy(params), None)
        widest = max(_SHORTEST, *(len(sources[i]) for i in chosen))
        source, mask = pad([sources[i] for i in chosen], size, power_of_two(widest))
        target, _ = pad([targets[i] for i in chosen], size, length)
        found = run_rows(score, (model,), held, (source, mask, target), (), where)
        for i, row in zip(chosen, np.asarray(found), strict=False):
            scores[i] = row[: len(targets[i])]
    return scores


def fit_rows(rows: int, at_most: int, devices: int) -> tuple[int, int]:
    """The number of rows that a batch is padded to, and the number of devices that share it.

    With fewer rows than devices no device would have two; a single one is done as soon.
    """
    if rows < devices:
        devices = 1
    each = min(-(-at_most // devices), power_of_two(-(-rows // devices)))
    return each * devices, devices


def power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << max(n - 1, 0).bit_length()
