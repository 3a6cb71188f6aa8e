"""Sampling as a compiled loop over a step function; knows neither model nor text."""

from __future__ import annotations

from typing import Unpack

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from s2s_jax.decoding.greedy import Carry, Limits, Memory, StepFn, greedy_decode


def sample_decode(
    step_fn: StepFn[Carry, Memory],
    carry: Carry,
    memory: Memory,
    first_tokens: Int[Array, " batch"],
    keys: Key[Array, " batch"],
    *,
    temperature: Float[Array, ""] | float = 1.0,
    top_k: Int[Array, ""] | int = 0,
    top_p: Float[Array, ""] | float = 1.0,
    truncate: bool = True,
    **limits: Unpack[Limits],
) -> Int[Array, "batch capacity"]:
    """Draws each token from the decoder's distribution.

    The likeliest token after Gumbel noise is added to the logits is a draw from their softmax
    (Gumbel 1954), so this is greedy decoding with noise. A row's noise depends on its own key and
    on the number of the step alone: neither the batch nor a row's place in it matters.

    Args:
      step_fn: one step of the decoder, giving logits; minus infinity forbids a token.
      carry, memory, first_tokens: as for `greedy_decode`.
      keys: a random key for each row.
      temperature: divides the logits; above 0.
      top_k: draw among the k likeliest tokens only (Fan et al. 2018); 0 among all.
      top_p: of these, draw among the fewest likeliest that together reach this probability
        (Holtzman et al. 2020); 1 among all.
      truncate: false if `top_k` is 0 and `top_p` is 1, which saves a sort at every step.
      **limits: as for `greedy_decode`.

    Returns:
      Ids, as from `greedy_decode`.
    """

    # Keys and steps are the rows' own, in the carry: rows may be moved while others end.
    def noisy_step(
        carry: tuple[jax.Array, jax.Array, Carry], memory: Memory, tokens: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array, Carry], jax.Array]:
        """`step_fn` with noise on its logits; its carry has the keys and the step of each row."""
        keys, steps, inner = carry
        inner, logits = step_fn(inner, memory, tokens)
        logits = heat(logits, temperature)
        if truncate:
            logits = truncated(logits, top_k, top_p)
        noise = jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:]))(
            jax.vmap(jax.random.fold_in)(keys, steps)
        )
        return (keys, steps + 1, inner), logits + noise

    return greedy_decode(
        noisy_step,
        (keys, jnp.zeros(len(first_tokens), jnp.int32), carry),
        memory,
        first_tokens,
        **limits,
    )


def heat(
    logits: Float[Array, "*rows vocab"], temperature: Float[Array, ""] | float
) -> Float[Array, "*rows vocab"]:
    """Logits at a temperature above 0, less a constant."""
    # Beyond these bounds the answer is the same, but a reciprocal overflows or vanishes.
    temperature = jnp.clip(temperature, 1e-30, 1e30)
    return (logits - logits.max(-1, keepdims=True)) / temperature


def truncated(
    logits: Float[Array, "*rows vocab"],
    top_k: Int[Array, ""] | int,
    top_p: Float[Array, ""] | float,
) -> Float[Array, "*rows vocab"]:
    """Logits with minus infinity for the tokens that `top_k` and then `top_p` exclude.

    Of equally likely tokens those with lower ids come first. The likeliest always stays.
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
