"""What attention looked at while an answer was written."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runtime.parallel import one_copy


class Alignment(NamedTuple):
    """The attention of each symbol of a target to each symbol of a source.

    Attributes:
      source: the symbols that were read; unseen ones may be missing.
      target: the symbols that were written, `<eos>` at the end.
      weights: each row adds up to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: Float[np.ndarray, "target source"]


def align(translator: Translator, text: str, target: str | None = None) -> Alignment:
    """The attention of an answer to its text.

    Args:
      translator: whose model has attention.
      text: the source.
      target: the answer; by default the one that greedy search gives.

    Raises:
      UserError: for a model without attention, and for a source without a known symbol.
    """
    run = translator.run
    if run.config.model.attention == "none":
        raise UserError("this model has no attention; train one with `attention` luong.")
    source = run.source_encoder.encode(text)
    if not len(source):
        raise UserError(f"training saw no symbol of {text!r}; there is nothing to align.")
    answer = translator(text) if target is None else target
    ids = np.append(run.target_vocabulary.encode(answer), Vocabulary.eos_id)
    inputs = np.append(Vocabulary.bos_id, ids[:-1])
    rows = source[None], np.ones((1, len(source)), bool), inputs[None].astype(np.int32)
    params = one_copy(translator.params) if translator.mesh else translator.params
    weights = np.asarray(_weights(translator.model, params, *rows)[0])
    read, written = run.source_vocabulary.symbols, run.target_vocabulary.symbols
    return Alignment(tuple(read[i] for i in source), tuple(written[i] for i in ids), weights)


@functools.partial(jax.jit, static_argnums=0)
def _weights(
    model: Seq2Seq,
    params: PyTree,
    source: Int[Array, "batch source_time"],
    mask: Bool[Array, "batch source_time"],
    inputs: Int[Array, "batch target_time"],
) -> Float[Array, "batch target_time source_time"]:
    """What the attention sows in the teacher-forced pass."""
    variables = {"params": params}
    found: Any = model.apply(variables, source, mask, inputs, mutable=["intermediates"])
    return found[1]["intermediates"]["decoder"]["attention"]["weights"][0]
