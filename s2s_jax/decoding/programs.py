"""What is compiled: the model's decode step under each way of decoding, and teacher forcing.

The arguments are what a program is compiled for, the parameters, arrays with a row for each
sentence, and what is the same for every row, in this order: so `parallel.run_rows` divides them.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.beam import BeamResult, beam_search
from s2s_jax.decoding.greedy import greedy_decode
from s2s_jax.decoding.sampling import sample_decode
from s2s_jax.model.seq2seq import Seq2Seq

# Never written: nothing ever trained them as an answer, or the answer would be no text.
_NEVER = (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id)


def _start(model: Seq2Seq, params: Any, source: jax.Array, mask: jax.Array) -> tuple[Any, ...]:
    """Step function, carry, memory and first tokens: what every way of decoding begins with."""
    variables = {"params": params}

    def step_fn(carry: Any, memory: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        return model.apply(variables, carry, memory, tokens, method="decode_step")

    carry, memory = model.apply(variables, source, mask, method="encode")
    return step_fn, carry, memory, jnp.full(source.shape[0], Vocabulary.bos_id, jnp.int32)


def _limits(capacity: int, mask: jax.Array, limit: jax.Array) -> dict[str, Any]:
    return {
        "eos_id": Vocabulary.eos_id,
        "pad_id": Vocabulary.pad_id,
        "max_length": limit,
        "capacity": capacity,
        "ended": ~mask.any(axis=1),  # Nothing was said: nothing is answered.
    }


def _forbidding(step_fn: Any, of_logits: Any = lambda logits: logits) -> Any:
    """The step function with minus infinity for what is never written."""

    def step(carry: Any, memory: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = step_fn(carry, memory, tokens)
        # Added, not assigned: XLA fuses a sum with the step, and scatters an assignment.
        forbidden = jnp.zeros(logits.shape[-1]).at[jnp.array(_NEVER)].set(-jnp.inf)
        return carry, of_logits(logits) + forbidden

    return step


@functools.partial(jax.jit, static_argnums=(0, 1))
def greedy(
    model: Seq2Seq,
    capacity: int,
    params: Any,
    source: jax.Array,
    mask: jax.Array,
    limit: jax.Array,
) -> jax.Array:
    """Source ids and mask `[batch, time]` -> ids of the answers `[batch, capacity]`."""
    step_fn, carry, memory, first = _start(model, params, source, mask)
    return greedy_decode(
        _forbidding(step_fn), carry, memory, first, **_limits(capacity, mask, limit)
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def sample(
    model: Seq2Seq,
    capacity: int,
    truncate: bool,
    params: Any,
    source: jax.Array,
    mask: jax.Array,
    numbers: jax.Array,
    limit: jax.Array,
    seed: jax.Array,
    shape: tuple[jax.Array, jax.Array, jax.Array],
) -> jax.Array:
    """As `greedy`; `seed` and the rows' own `numbers` give the noise, `shape` says how to draw."""
    step_fn, carry, memory, first = _start(model, params, source, mask)
    temperature, top_k, top_p = shape
    return sample_decode(
        _forbidding(step_fn),
        carry,
        memory,
        first,
        jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(seed), numbers),
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        truncate=truncate,
        **_limits(capacity, mask, limit),
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def beam(
    model: Seq2Seq,
    capacity: int,
    widths: tuple[int, int],
    params: Any,
    source: jax.Array,
    mask: jax.Array,
    limit: jax.Array,
    alpha: jax.Array,
) -> BeamResult:
    """As `greedy`, with the beam and the number of the best as `widths`."""
    step_fn, carry, memory, first = _start(model, params, source, mask)
    slots, n_best = widths
    # Over all symbols: the probabilities are then those of training and of given targets.
    step_fn = _forbidding(step_fn, jax.nn.log_softmax)
    options = {"beam": slots, "n_best": n_best, "alpha": alpha}
    return beam_search(step_fn, carry, memory, first, **options, **_limits(capacity, mask, limit))


@functools.partial(jax.jit, static_argnums=0)
def score(
    model: Seq2Seq, params: Any, source: jax.Array, mask: jax.Array, target: jax.Array
) -> jax.Array:
    """Source ids and mask, target ids `[batch, time]` -> log-probabilities `[batch, time]`."""
    first = jnp.full((target.shape[0], 1), Vocabulary.bos_id, target.dtype)
    inputs = jnp.concatenate((first, target[:, :-1]), axis=1)
    log_probs = jax.nn.log_softmax(model.apply({"params": params}, source, mask, inputs))
    return jnp.take_along_axis(log_probs, target[:, :, None], axis=2)[:, :, 0]
