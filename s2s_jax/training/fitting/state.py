"""What an optimizer step changes: parameters, and the state of the optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Self

import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training.train_state import TrainState

from s2s_jax.config import ModelConfig
from s2s_jax.config.training import PARTS, TrainConfig
from s2s_jax.model.seq2seq import Seq2Seq


class TrainingState(TrainState):
    """Flax's state, with what else an update depends on."""

    key: jax.Array | None = None  # The data of the key that dropout draws with, if there is any.
    average: Any = None  # Of the parameters, judged and decoding in their place; None for none.
    smoothing: float = struct.field(pytree_node=False, default=0.0)  # Of the labels.
    decay: float = struct.field(pytree_node=False, default=0.0)  # Of the average.
    parts: int = struct.field(pytree_node=False, default=1)  # Of a batch, one after another.
    config: ModelConfig = struct.field(pytree_node=False, kw_only=True)

    @property
    def judged(self) -> Any:
        """The parameters that are validated, and that decode."""
        return self.params if self.average is None else self.average

    def with_params(self, params: Any) -> Self:
        """The state with other parameters, whose average begins with them."""
        average = jax.tree.map(jnp.array, params) if self.decay else None
        return self.replace(params=params, average=average)

    def updated(self, gradients: Any, rate: jax.Array | None) -> Self:
        """The state after an update of which the share `rate` is made.

        Scaling an update scales the learning rate of every optimizer offered. The decay of the
        average rises from a tenth, so that the first parameters are soon forgotten: after t updates
        it is min(decay, (1 + t) / (10 + t)), as in TensorFlow's `ExponentialMovingAverage`.
        """
        updates, opt_state = self.tx.update(gradients, self.opt_state, self.params)
        if rate is not None:
            updates = jax.tree.map(lambda update: rate * update, updates)
        params = optax.apply_updates(self.params, updates)
        average = self.average
        if average is not None:
            decay = jnp.minimum(self.decay, (1 + self.step) / (10 + self.step))
            average = optax.incremental_update(params, average, 1 - decay)
        return self.replace(step=self.step + 1, params=params, opt_state=opt_state, average=average)


def make_optimizer(config: TrainConfig) -> optax.GradientTransformation:
    """The optimizer, with Keras's constants: optax's differ (RMSProp's decay and eps)."""
    return _make_optimizer(
        config.optimizer, config.learning_rate, config.weight_decay, config.clip_norm, config.freeze
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
    return jax.random.key_data(jax.random.key(config.seed)) if model.config.drops else None


def make_state(model: Seq2Seq, config: TrainConfig) -> TrainingState:
    """Parameters drawn with the seed, and the optimizer's first state."""
    init, apply = _functions(model)  # pyright: ignore[reportArgumentType]  Modules are frozen.
    tokens = jnp.zeros((1, 1), jnp.int32)
    variables = init(jax.random.key(config.seed), tokens, jnp.ones((1, 1), bool), tokens)
    optimizer = make_optimizer(config)
    return TrainingState(
        # A Python int would be compiled for once as a constant and once as an array.
        step=jnp.int32(0),
        apply_fn=apply,
        params=variables["params"],
        tx=optimizer,
        # In one program: left to itself, each shape of a moment would be compiled for.
        opt_state=jax.jit(optimizer.init)(variables["params"]),
        key=dropout_key(model, config),
        smoothing=config.label_smoothing,
        decay=config.ema,
        parts=config.accumulate,
        config=model.config,
    ).with_params(variables["params"])
