"""What is compiled: the model's decode step under each way of decoding, and teacher forcing.

The arguments are what a program is compiled for, the parameters, arrays with a row for each
source, and what is the same for every row, in this order: `parallel.run_rows` divides them so.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, UInt32

from s2s_jax.config import ModelConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.beam import BeamResult, beam_search
from s2s_jax.decoding.continuous import in_groups
from s2s_jax.decoding.greedy import Limits, StepFn, greedy_decode
from s2s_jax.decoding.sampling import sample_decode
from s2s_jax.model.ensemble import Ensemble
from s2s_jax.model.seq2seq import Seq2Seq

_LENGTH = 8  # Tokens that a source or an answer has at the least, most of the time.
_MAX_TABLE = 2**24  # Numbers, 64 MB.


def _start(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    source: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    at_a_time: int | None,
    slots: int = 1,
    of_logits: Callable[[jax.Array], jax.Array] = lambda logits: logits,
) -> tuple[StepFn[PyTree, PyTree], PyTree, PyTree, jax.Array]:
    """What every way of decoding begins with: step, carry, memory, and the first tokens.

    The step forbids what is never written. Sources are encoded as many at a time as decoded: of
    more at once the arrays would not stay in a processor's cache.
    """
    # Nothing ever trained these as an answer, or the answer would be no text.
    never = [Vocabulary.pad_id, Vocabulary.bos_id]
    never += [Vocabulary.unk_id] * (not model.config.writes_unk)

    variables = {"params": params}
    # One product for all tokens that there are takes the place of one for each that is read.
    if _tables_pay(source.shape[0], slots, model.config):
        _, tables = cast(Any, model.apply(variables, method="make_tables", mutable=["tables"]))
        variables |= tables

    def step_fn(carry: PyTree, memory: PyTree, tokens: jax.Array) -> tuple[PyTree, jax.Array]:
        """A decoder's step, with minus infinity for what is never written."""
        carry, logits = model.bind(variables).decode_step(carry, memory, tokens)
        # Added, not assigned: XLA fuses a sum with the step, and scatters an assignment.
        forbidden = jnp.zeros(logits.shape[-1]).at[jnp.array(never)].set(-jnp.inf)
        return carry, of_logits(logits) + forbidden

    def encode(rows: tuple[jax.Array, jax.Array]) -> tuple[PyTree, PyTree]:
        """Carry and memory of some sources."""
        return model.bind(variables).encode(*rows)

    carry, memory = in_groups(encode, (source, mask), at_a_time)
    first_tokens = jnp.full(source.shape[0], Vocabulary.bos_id, jnp.int32)
    return step_fn, carry, memory, first_tokens


def _tables_pay(sources: int, slots: int, config: ModelConfig) -> bool:
    """Whether more tokens are read and written than there are, and tables of these are small."""
    if not isinstance(sources, int):  # In an exported program a symbol, which may be 1.
        return False
    return all(
        vocab <= rows * _LENGTH and 4 * config.latent_dim * vocab <= _MAX_TABLE
        for vocab, rows in (
            (config.source_vocab_size, sources),
            (config.target_vocab_size, sources * slots),
        )
    )


def _limits(
    capacity: int,
    mask: Bool[Array, "batch time"],
    limit: Int[Array, ""] | int,
    at_a_time: int | None,
) -> Limits:
    return {
        "eos_id": Vocabulary.eos_id,
        "pad_id": Vocabulary.pad_id,
        "max_length": jnp.asarray(limit),
        "capacity": capacity,
        "ended": ~mask.any(axis=1),  # Nothing was said: nothing is answered.
        "at_a_time": at_a_time,
    }


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def greedy(
    model: Seq2Seq | Ensemble,
    capacity: int,
    at_a_time: int | None,
    params: PyTree,
    source: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    limit: Int[Array, ""] | int,
) -> Int[Array, "batch {capacity}"]:
    """Source ids and mask -> ids of the answers, of at most `limit` tokens.

    With `at_a_time` so many sources are decoded together while the others wait; it divides the
    batch.
    """
    start = _start(model, params, source, mask, at_a_time)
    return greedy_decode(*start, **_limits(capacity, mask, limit, at_a_time))


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def sample(
    model: Seq2Seq | Ensemble,
    capacity: int,
    at_a_time: int | None,
    truncate: bool,
    params: PyTree,
    source: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    numbers: UInt32[Array, " batch"],
    limit: Int[Array, ""] | int,
    seed: UInt32[Array, ""] | int,
    temperature: Float[Array, ""] | float,
    top_k: Int[Array, ""] | int,
    top_p: Float[Array, ""] | float,
) -> Int[Array, "batch {capacity}"]:
    """As `greedy`, drawing: the noise of a row depends on `seed` and on its own number."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), numbers)
    return sample_decode(
        *_start(model, params, source, mask, at_a_time),
        keys,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        truncate=truncate,
        **_limits(capacity, mask, limit, at_a_time),
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def beam(
    model: Seq2Seq | Ensemble,
    capacity: int,
    at_a_time: int | None,
    slots: int,
    n_best: int,
    params: PyTree,
    source: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
    limit: Int[Array, ""] | int,
    alpha: Float[Array, ""] | float,
) -> BeamResult:
    """As `greedy`, by beam search."""
    # Over all symbols: the probabilities are then those of training and of given targets.
    start = _start(model, params, source, mask, at_a_time, slots, jax.nn.log_softmax)
    limits = _limits(capacity, mask, limit, at_a_time)
    return beam_search(*start, beam=slots, n_best=n_best, alpha=alpha, **limits)


@functools.partial(jax.jit, static_argnums=0)
def score(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    source: Int[Array, "batch source_time"],
    mask: Bool[Array, "batch source_time"],
    target: Int[Array, "batch target_time"],
) -> Float[Array, "batch target_time"]:
    """Source ids and mask, target ids -> the log-probability of each target token."""
    return _log_probs(model.bind({"params": params})(source, mask, _shifted(target)), target)


@functools.partial(jax.jit, static_argnums=0)
def score_and_attend(
    model: Seq2Seq | Ensemble,
    params: PyTree,
    source: Int[Array, "batch source_time"],
    mask: Bool[Array, "batch source_time"],
    target: Int[Array, "batch target_time"],
) -> tuple[Float[Array, "batch target_time"], Float[Array, "batch target_time source_time"] | None]:
    """As `score`, and the attention of each target token to the source; None without attention."""
    variables, inputs = {"params": params}, (source, mask, _shifted(target))
    logits, found = cast(Any, model.apply(variables, *inputs, mutable=["intermediates"]))
    if model.config.attention == "none":
        return _log_probs(logits, target), None
    weights = found["intermediates"]["decoder"]["attention"]["weights"][0]
    return _log_probs(logits, target), weights


def _log_probs(
    logits: Float[Array, "batch time vocab"], target: Int[Array, "batch time"]
) -> Float[Array, "batch time"]:
    """Of each target token."""
    log_probs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(log_probs, target[:, :, None], axis=2)[:, :, 0]


def _shifted(target: Int[Array, "batch time"]) -> Int[Array, "batch time"]:
    """What the decoder reads of a target in teacher forcing: `<bos>`, and all but the last id."""
    first = jnp.full((target.shape[0], 1), Vocabulary.bos_id, target.dtype)
    return jnp.concatenate((first, target[:, :-1]), axis=1)
