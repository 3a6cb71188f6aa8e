"""What attention looked at while an answer was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from s2s_jax.data.corpus import normalize
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.programs import score_and_attend
from s2s_jax.decoding.sources import read_sources
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.model.ensemble import Ensemble
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


def align(
    translator: Translator, text: str, target: str | Sequence[str] | None = None
) -> Alignment:
    """The attention of an answer to its text.

    Args:
      translator: whose model has attention.
      text: the source.
      target: the answer, or its symbols as in `Hypothesis.tokens`, without `<eos>` where it was
        cut off; by default the answer that the run gives.

    Raises:
      UserError: for a model without attention, and for a source without a known symbol.
    """
    run = translator.run
    if isinstance(translator.model, Ensemble):
        raise UserError("the models of an ensemble look at a source each in its way; load one run.")
    if run.config.model.attention == "none":
        raise UserError("this model has no attention; train one with `attention` luong.")
    source = read_sources(run, [text], strict=False, first=1)[0].ids
    if not len(source):
        raise UserError(f"training saw no symbol of {text!r}; there is nothing to align.")
    target = translator(text) if target is None else target
    if isinstance(target, str):
        ids = run.target_vocabulary.encode(normalize(target))
        ids = np.append(ids, np.int32(Vocabulary.eos_id))
    else:
        ids = run.target_vocabulary.ids_of(target)
    params = one_copy(translator.params) if translator.mesh else translator.params
    mask = np.ones((1, len(source)), bool)
    _, found = score_and_attend(translator.model, params, source[None], mask, ids[None])
    assert found is not None  # The model has attention.
    read, written = run.source_vocabulary.symbols, run.target_vocabulary.names
    sides = tuple(read[i] for i in source), tuple(written[i] for i in ids)
    return Alignment(*sides, np.asarray(found[0]))
