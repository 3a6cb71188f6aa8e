"""One optimizer step, compiled: the gradient of the loss, and what the optimizer makes of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.training.train_state import TrainState
from jax.sharding import Mesh

from s2s_jax.config.training import PARTS, TrainConfig
from s2s_jax.data.batching import Batch
from s2s_jax.model.losses import Sums, cross_entropy, token_sums
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runtime.parallel import data_parallel

Total = Callable[[Any], Any]
"""Adds sums up over the devices that share a batch."""


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The optimizer, with Keras's constants: optax's differ (RMSProp's decay and eps)."""
    return _make_optimizer(config.optimizer, config.learning_rate, config.clip_norm, config.freeze)


@functools.lru_cache(maxsize=8)  # Equal settings share their compiled steps.
def _make_optimizer(
    name: str, rate: float, clip_norm: float, freeze: str
) -> optax.GradientTransformation:
    optimizer = {
        "rmsprop": lambda: optax.rmsprop(rate, decay=0.9, eps=1e-7),
        "adam": lambda: optax.adam(rate, eps=1e-7),
        "adamw": lambda: optax.adamw(rate, eps=1e-7, weight_decay=0.004),
        "sgd": lambda: optax.sgd(rate),
    }[name]()
    if clip_norm:
        optimizer = optax.chain(optax.clip_by_global_norm(clip_norm), optimizer)
    if freeze:
        labels = {part: "frozen" if part == freeze else "trained" for part in PARTS}
        parts: dict[Hashable, optax.GradientTransformation] = {
            "trained": optimizer,
            "frozen": optax.set_to_zero(),
        }
        optimizer = optax.multi_transform(parts, labels)
    return optimizer


@functools.lru_cache(maxsize=8)  # Equal models share their compiled programs.
def _functions(model: Seq2Seq) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return jax.jit(model.init), model.apply


def make_state(model: Seq2Seq, config: TrainConfig) -> TrainState:
    """Parameters drawn with the seed, and the optimizer's first state."""
    init, apply = _functions(model)
    tokens = jnp.zeros((1, 1), jnp.int32)
    variables = init(jax.random.key(config.seed), tokens, jnp.ones((1, 1), bool), tokens)
    state = TrainState.create(apply_fn=apply, params=variables["params"], tx=make_optimizer(config))
    # A Python int would be compiled for once as a constant and once as an array.
    return state.replace(step=jnp.int32(0))


def _logits(apply_fn: Callable[..., jax.Array], params: Any, batch: Batch) -> jax.Array:
    return apply_fn({"params": params}, batch.source, batch.source_mask, batch.target_inputs)


def _alone(sums: Any) -> Any:
    """The total over one device."""
    return sums


def objective(
    params: Any, apply_fn: Callable[..., jax.Array], batch: Batch, mean_tokens: jax.Array
) -> tuple[jax.Array, Sums]:
    """What training minimizes, and beside it what is reported of the batch.

    The objective is the cross-entropy over `mean_tokens`. What it is divided by is the same for
    all batches of an epoch, so that every token weighs as much, be it in a batch of short
    sentences or of long ones; Keras divides by a constant too.

    Returns:
      The objective, and the reported sums in nats over real target tokens, whatever the objective
      is.
    """
    logits = _logits(apply_fn, params, batch)
    minimized = cross_entropy(logits, batch.targets, batch.target_mask)
    return minimized / mean_tokens, token_sums(logits, batch.targets, batch.target_mask)


def _train_step(
    state: TrainState, batch: Batch, mean_tokens: jax.Array, total: Total = _alone
) -> tuple[TrainState, Sums]:
    gradient = jax.grad(objective, has_aux=True)
    gradients, sums = total(gradient(state.params, state.apply_fn, batch, mean_tokens))
    # One branch or the other: choosing between new and old values element by element costs 4 %.
    squares = [jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradients)]
    finite = jnp.isfinite(sums.loss) & jnp.isfinite(sum(squares))
    return jax.lax.cond(
        finite,
        lambda: (state.apply_gradients(grads=gradients), sums),
        # No batch is without tokens, so that none says that the update was skipped.
        lambda: (state.replace(step=state.step + 1), jax.tree.map(jnp.zeros_like, sums)),
    )


def _eval_step(state: TrainState, batch: Batch, total: Total = _alone) -> Sums:
    logits = _logits(state.apply_fn, state.params, batch)
    return total(token_sums(logits, batch.targets, batch.target_mask))


train_step = jax.jit(_train_step, donate_argnums=0)
"""One optimizer step: state, batch, mean real target tokens of a batch -> new state, the batch's
sums. The old state is gone.

Where the loss or the gradient is not finite, parameters and optimizer state stay as they were and
the sums are zero.
"""

eval_step = jax.jit(_eval_step)
"""The sums of one batch, parameters left alone."""


@functools.lru_cache(maxsize=8)
def compiled_steps(mesh: Mesh | None) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`train_step` and `eval_step`, for batches divided over a mesh."""
    if mesh is None:
        return train_step, eval_step
    divided = jax.jit(data_parallel(_train_step, mesh, scalars=1), donate_argnums=0)
    return divided, jax.jit(data_parallel(_eval_step, mesh))
