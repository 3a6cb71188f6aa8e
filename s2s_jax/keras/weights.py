"""Keras's weights <-> the parameters of a `Seq2Seq`: the same numbers in another order of rows.

A vocabulary here begins with `<pad> <bos> <eos> <unk>`, so the rows of Keras's characters move.
Rows that Keras does not have are zeros, and their outputs so unlikely that softmax is unmoved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

NEVER = -1e9
"""The output bias of what is never written: its share of a softmax is exactly 0."""


class LSTMWeights(NamedTuple):
    """Of an LSTM in Keras's layout, gates i, f, g, o; all float32."""

    embedding: np.ndarray | None
    """`[vocab, embedding_dim]`; None for one-hot inputs."""
    kernel: np.ndarray
    """`[vocab or embedding_dim, 4 * units]`."""
    recurrent_kernel: np.ndarray
    """`[units, 4 * units]`."""
    bias: np.ndarray
    """`[4 * units]`."""

    @property
    def vocab_size(self) -> int:
        return len(self.kernel if self.embedding is None else self.embedding)


class Weights(NamedTuple):
    """Of the whole model."""

    encoder: LSTMWeights
    decoder: LSTMWeights
    output_kernel: np.ndarray
    """`[units, target_vocab]`."""
    output_bias: np.ndarray
    """`[target_vocab]`."""


def to_params(
    weights: Weights, source_ids: Sequence[int], target_ids: Sequence[int], sizes: tuple[int, int]
) -> dict[str, Any]:
    """The parameters of a `Seq2Seq`.

    Args:
      weights: in Keras's order of characters.
      source_ids, target_ids: of each of Keras's characters, its id here.
      sizes: of the vocabularies here.
    """
    source_size, target_size = sizes
    kernel = _spread(weights.output_kernel.T, target_ids, target_size, 0).T
    bias = _spread(weights.output_bias, target_ids, target_size, NEVER)
    output = {"kernel": np.ascontiguousarray(kernel), "bias": bias}
    return {
        "encoder": _side_params(weights.encoder, source_ids, source_size),
        "decoder": {**_side_params(weights.decoder, target_ids, target_size), "output": output},
    }


def from_params(params: Any, source_ids: Sequence[int], target_ids: Sequence[int]) -> Weights:
    """The inverse of `to_params`, bit for bit."""
    source_ids, target_ids = np.asarray(source_ids), np.asarray(target_ids)
    output = params["decoder"]["output"]
    return Weights(
        _side_weights(params["encoder"], source_ids),
        _side_weights(params["decoder"], target_ids),
        np.asarray(output["kernel"])[:, target_ids],
        np.asarray(output["bias"])[target_ids],
    )


def _side_params(weights: LSTMWeights, ids: Sequence[int], size: int) -> dict[str, Any]:
    inputs = {"kernel": weights.kernel, "bias": weights.bias}
    if weights.embedding is None:
        inputs["kernel"] = _spread(weights.kernel, ids, size, 0)
    else:
        inputs["embedding"] = {"embedding": _spread(weights.embedding, ids, size, 0)}
    return {"inputs": inputs, "cell": {"recurrent_kernel": weights.recurrent_kernel}}


def _side_weights(params: Any, ids: np.ndarray) -> LSTMWeights:
    inputs = params["inputs"]
    kernel, embedding = np.asarray(inputs["kernel"]), None
    if "embedding" in inputs:
        embedding = np.asarray(inputs["embedding"]["embedding"])[ids]
    else:
        kernel = kernel[ids]
    recurrent_kernel = np.asarray(params["cell"]["recurrent_kernel"])
    return LSTMWeights(embedding, kernel, recurrent_kernel, np.asarray(inputs["bias"]))


def _spread(rows: np.ndarray, ids: Sequence[int], size: int, rest: float) -> np.ndarray:
    """`[size, ...]` with `rows` at `ids` and `rest` elsewhere."""
    spread = np.full((size, *rows.shape[1:]), rest, np.float32)
    spread[np.asarray(ids)] = rows
    return spread
