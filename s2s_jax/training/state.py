"""What an optimizer step changes: parameters, and the state of the optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training.train_state import TrainState

from s2s_jax.config.training import PARTS, TrainConfig
from s2s_jax.model.seq2seq import Seq2Seq


class TrainingState(TrainState):
    """Flax's state, with what else an update depends on.

    Attributes:
      key: the data of the key that dropout draws with; None for a model without dropout.
      smoothing: of the labels, in the objective.
    """

    key: jax.Array | None = None
    smoothing: float = struct.field(pytree_node=False, default=0.0)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The optimizer, with Keras's constants: optax's differ (RMSProp's decay and eps)."""
    return _make_optimizer(
        config.optimizer,
        config.learning_rate,
        config.weight_decay,
        config.clip_norm,
        config.freeze,
    )


@functools.lru_cache(maxsize=8)  # Equal settings share their compiled steps.
def _make_optimizer(
    name: str, rate: float, weight_decay: float, clip_norm: float, freeze: str
) -> optax.GradientTransformation:
    optimizer = {
        "rmsprop": lambda: optax.rmsprop(rate, decay=0.9, eps=1e-7),
        "adam": lambda: optax.adam(rate, eps=1e-7),
        "adamw": lambda: optax.adamw(rate, eps=1e-7, weight_decay=weight_decay),
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


def dropout_key(model: Seq2Seq, config: TrainConfig) -> jax.Array | None:
    """The `key` of a `TrainingState`."""
    return jax.random.key_data(jax.random.key(config.seed)) if model.config.dropout else None


def make_state(model: Seq2Seq, config: TrainConfig) -> TrainingState:
    """Parameters drawn with the seed, and the optimizer's first state."""
    init, apply = _functions(model)
    tokens = jnp.zeros((1, 1), jnp.int32)
    variables = init(jax.random.key(config.seed), tokens, jnp.ones((1, 1), bool), tokens)
    state = TrainingState.create(
        apply_fn=apply,
        params=variables["params"],
        tx=make_optimizer(config),
        key=dropout_key(model, config),
        smoothing=config.label_smoothing,
    )
    # A Python int would be compiled for once as a constant and once as an array.
    return state.replace(step=jnp.int32(0))
