"""Keras's weights <-> the parameters of a `Seq2Seq`: the same numbers, their rows reordered.

A vocabulary here begins with `<pad> <bos> <eos> <unk>`, so the rows of Keras's characters move.
Rows that Keras does not have are zeros, and their outputs too unlikely to change the softmax.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.keras.characters import Characters
from s2s_jax.runs.folder import Run

NEVER = -1e9
"""The output bias of what is never written: its probability is exactly 0."""


class LSTMWeights(NamedTuple):
    """Weights of an LSTM in Keras's layout, gates i, f, g, o; all float32."""

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
    """Weights of the whole model."""

    encoder: LSTMWeights
    decoder: LSTMWeights
    output_kernel: np.ndarray
    """`[units, target_vocab]`."""
    output_bias: np.ndarray
    """`[target_vocab]`."""


def to_params(weights: Weights, characters: Characters) -> dict[str, Any]:
    """The parameters of a `Seq2Seq` over `characters.vocabularies()`."""
    source, target = characters.vocabularies()
    ids = characters.ids(source, target)
    kernel = _scatter_rows(weights.output_kernel.T, ids.target_outputs, len(target), 0).T
    bias = _scatter_rows(weights.output_bias, ids.target_outputs, len(target), NEVER)
    output = {"kernel": np.ascontiguousarray(kernel), "bias": bias}
    encoder = _side_params(weights.encoder, ids.source, len(source))
    decoder = _side_params(weights.decoder, ids.target_inputs, len(target))
    if characters.start not in SPECIALS:
        # What is written is read: the start is there twice (see `Characters.vocabularies`).
        start = target.symbols.index(characters.start)
        rows = decoder["inputs"]["kernel"]
        if weights.decoder.embedding is not None:
            rows = decoder["inputs"]["embedding"]["embedding"]
        rows[start] = rows[Vocabulary.bos_id]
    return {"encoder": encoder, "decoder": {**decoder, "output": output}}


def from_params(params: Any, characters: Characters, run: Run) -> Weights:
    """The inverse of `to_params`, bit for bit, for the vocabularies of `run`."""
    ids = characters.ids(run.source_vocabulary, run.target_vocabulary)
    output = params["decoder"]["output"]
    return Weights(
        _side_weights(params["encoder"], ids.source),
        _side_weights(params["decoder"], ids.target_inputs),
        np.asarray(output["kernel"])[:, ids.target_outputs],
        np.asarray(output["bias"])[ids.target_outputs],
    )


def _side_params(weights: LSTMWeights, ids: np.ndarray, size: int) -> dict[str, Any]:
    inputs: dict[str, Any] = {"kernel": weights.kernel, "bias": weights.bias}
    if weights.embedding is None:
        inputs["kernel"] = _scatter_rows(weights.kernel, ids, size, 0)
    else:
        inputs["embedding"] = {"embedding": _scatter_rows(weights.embedding, ids, size, 0)}
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


def _scatter_rows(rows: np.ndarray, ids: np.ndarray, size: int, rest: float) -> np.ndarray:
    """`[size, ...]` with `rows` at `ids` and `rest` elsewhere."""
    spread = np.full((size, *rows.shape[1:]), rest, np.float32)
    spread[ids] = rows
    return spread
