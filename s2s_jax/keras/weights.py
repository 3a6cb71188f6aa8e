"""Parameters over Keras's symbols <-> the parameters of a `Seq2Seq`: rows reordered.

A vocabulary here begins with `<pad> <bos> <eos> <unk>`, so the rows of Keras's characters move.
Rows that Keras does not have are zeros, and their outputs too unlikely to change the softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.reading.layers import refuse
from s2s_jax.runs.folder import Run

NEVER = -1e9
"""The output bias of what is never written: its probability is exactly 0."""


def layer_names(layer: int, backward: bool = False) -> tuple[str, str]:
    """The names of a layer's input projection and cell in the parameters, counted from 0."""
    start = ("upper_" if layer else "") + ("backward_" if backward else "")
    if not layer:
        return f"{start}inputs", f"{start}cell"
    return f"{start}inputs_{layer - 1}", f"{start}cells_{layer - 1}"


def vocab_sizes(params: Any) -> tuple[int, int]:
    """Numbers of source and target symbols."""
    return len(_tables(params["encoder"])[0]), len(_tables(params["decoder"])[0])


def for_all_symbols(side: Any, kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
    """An output layer for all symbols that a decoder reads; those it left out are never written.

    Raises:
      UserError: if it writes more.
    """
    read, written = len(_tables(side)[0]), len(bias)
    if written > read:
        refuse(
            f"an output layer of at most the {read} symbols that the decoder reads", f"{written}"
        )
    missing = [(0, read - written)]
    return [
        np.pad(kernel, [(0, 0), *missing]),
        np.pad(bias, missing, constant_values=np.float32(NEVER)),
    ]


def to_params(params: Any, characters: Characters) -> dict[str, Any]:
    """The parameters of a `Seq2Seq` over `characters.vocabularies()`."""
    source, target = characters.vocabularies()
    ids = characters.ids(source, target)
    start = target.symbols.index(characters.start) if characters.start not in SPECIALS else None

    def read(rows: np.ndarray) -> np.ndarray:
        """Rows `[Keras's symbols, ...]` at the ids that our decoder reads."""
        spread = _scatter_rows(rows, ids.target_inputs, len(target), 0)
        if start is not None:
            # What is written is read: the start is there twice (see `Characters.vocabularies`).
            spread[start] = spread[Vocabulary.bos_id]
        return spread

    def written(rows: np.ndarray, rest: float) -> np.ndarray:
        """Rows `[Keras's symbols, ...]` at the ids that our decoder writes; `rest` elsewhere."""
        return _scatter_rows(rows, ids.target_outputs, len(target), rest)

    output = {"bias": written(params["decoder"]["output"]["bias"], NEVER)}
    if "kernel" in params["decoder"]["output"]:
        kernel = written(params["decoder"]["output"]["kernel"].T, 0).T
        output["kernel"] = np.ascontiguousarray(kernel)
    return {
        "encoder": _changed(
            params["encoder"], lambda rows: _scatter_rows(rows, ids.source, len(source), 0)
        ),
        "decoder": {**_changed(params["decoder"], read), "output": output},
    }


def from_params(params: Any, characters: Characters, run: Run) -> dict[str, Any]:
    """The inverse of `to_params`, bit for bit, for the vocabularies of `run`.

    An output layer that shares the embeddings has a kernel of its own here.
    """
    ids = characters.ids(run.source_vocabulary, run.target_vocabulary)
    params = jax.tree.map(np.asarray, params)
    output = dict(params["decoder"]["output"])
    if "kernel" not in output:  # `tie_embeddings`.
        output["kernel"] = _tables(params["decoder"])[0].T
    output = {
        name: np.ascontiguousarray(array[..., ids.target_outputs]) for name, array in output.items()
    }
    return {
        "encoder": _changed(params["encoder"], lambda rows: rows[ids.source]),
        "decoder": {
            **_changed(params["decoder"], lambda rows: rows[ids.target_inputs]),
            "output": output,
        },
    }


def _tables(side: Any) -> list[np.ndarray]:
    """What has a row for each symbol: embeddings, or the kernels that read one-hot vectors."""
    if "embedding" in side["inputs"]:
        return [side["inputs"]["embedding"]["embedding"]]
    return [side[name]["kernel"] for name in ("inputs", "backward_inputs") if name in side]


def _changed(side: Any, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """A side with other rows of its symbols."""
    if "embedding" in side["inputs"]:
        table = change(side["inputs"]["embedding"]["embedding"])
        return {**side, "inputs": {**side["inputs"], "embedding": {"embedding": table}}}
    names = [name for name in ("inputs", "backward_inputs") if name in side]
    return side | {name: {**side[name], "kernel": change(side[name]["kernel"])} for name in names}


def _scatter_rows(rows: np.ndarray, ids: np.ndarray, size: int, rest: float) -> np.ndarray:
    """`[size, ...]` with `rows` at `ids` and `rest` elsewhere."""
    spread = np.full((size, *rows.shape[1:]), rest, np.float32)
    spread[ids] = rows
    return spread
