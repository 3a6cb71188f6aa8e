"""Sampling as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from s2s_jax.decoding.greedy import StepFn, greedy_decode


def sample_decode(
    step_fn: StepFn,
    carry: Any,
    memory: Any,
    first_tokens: jax.Array,
    keys: jax.Array,
    *,
    temperature: jax.Array | float = 1.0,
    top_k: jax.Array | int = 0,
    top_p: jax.Array | float = 1.0,
    truncate: bool = True,
    **limits: Any,
) -> jax.Array:
    """Draws each token from the model's distribution.

    The likeliest token after Gumbel noise is added to the logits is a draw from their softmax
    (Gumbel 1954), so this is greedy decoding with noise. A row's noise comes from its own key
    and from the number of the step, so that neither the batch nor a row's place in it matters.

    Args:
      step_fn: one step of the model, giving logits; minus infinity forbids a token.
      carry: what it begins with, `[batch, ...]`.
      memory: what it reads at every step, `[batch, ...]`.
      first_tokens: what it reads first, usually `<bos>` `[batch]`.
      keys: random keys of the rows `[batch]`.
      temperature: divides the logits; above 0.
      top_k: draw among the k likeliest tokens only (Fan et al. 2018); 0 among all.
      top_p: of these, draw among the fewest likeliest that together have at least this
        probability (Holtzman et al. 2020); 1 among all.
      truncate: false when `top_k` is 0 and `top_p` is 1, which saves a sort at every step.
      **limits: `eos_id`, `pad_id`, `max_length`, `capacity` and `ended` of `greedy_decode`.

    Returns:
      Ids `[batch, capacity]`, as `greedy_decode` does.
    """

    # Keys and steps are the rows' own, in the carry: rows may be moved while others end.
    def noisy_step(carry: Any, memory: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        keys, steps, carry = carry
        carry, logits = step_fn(carry, memory, tokens)
        logits = heat(logits, temperature)
        if truncate:
            logits = truncated(logits, top_k, top_p)
        noise = jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:]))(
            jax.vmap(jax.random.fold_in)(keys, steps)
        )
        return (keys, steps + 1, carry), logits + noise

    steps = jnp.zeros(len(first_tokens), jnp.int32)
    return greedy_decode(noisy_step, (keys, steps, carry), memory, first_tokens, **limits)


def heat(logits: jax.Array, temperature: jax.Array | float) -> jax.Array:
    """Logits `[..., vocab]` at a temperature above 0, less a constant."""
    # Beyond these bounds the answer is the same, but a reciprocal overflows or vanishes.
    temperature = jnp.clip(temperature, 1e-30, 1e30)
    return (logits - logits.max(-1, keepdims=True)) / temperature


def truncated(logits: jax.Array, top_k: jax.Array | int, top_p: jax.Array | float) -> jax.Array:
    """Logits `[..., vocab]` with minus infinity where `top_k` and then `top_p` shut tokens out.

    Of equally likely tokens the ones of lower ids come first. The likeliest always stays.
    """
    vocab = logits.shape[-1]
    order = jnp.argsort(-logits, axis=-1, stable=True)
    ranks = jnp.argsort(order, axis=-1)
    ordered = jnp.take_along_axis(logits, order, axis=-1)
    among = jnp.arange(vocab) < jnp.where(top_k > 0, top_k, vocab)
    probs = jax.nn.softmax(jnp.where(among, ordered, -jnp.inf))
    before = jnp.cumsum(probs, axis=-1) - probs
    # The sum may pass 1 by a rounding, where top_p 1 must still keep all.
    among &= (before < top_p) | (top_p >= 1)
    return jnp.where(jnp.take_along_axis(among, ranks, axis=-1), logits, -jnp.inf)
