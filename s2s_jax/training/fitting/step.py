"""One optimizer step: the gradient of the loss, and what the optimizer makes of it.

Each is compiled by itself. The gradient is compiled for each shape of a batch; the keys that
dropout draws with, and the update, depend on no lengths and are compiled once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from s2s_jax.data.batching import Batch
from s2s_jax.model.dropout import row_keys
from s2s_jax.model.losses import Sums, cross_entropy, token_sums
from s2s_jax.runtime.compilation import step_options
from s2s_jax.runtime.devices import AXIS
from s2s_jax.runtime.parallel import data_parallel
from s2s_jax.training.fitting.state import TrainingState


def _logits(
    apply_fn: Callable[..., jax.Array], params: Any, batch: Batch, *keys: jax.Array
) -> jax.Array:
    inputs = batch.source, batch.source_mask, batch.target_inputs
    return apply_fn({"params": params}, *inputs, *keys)


def objective(
    params: Any,
    apply_fn: Callable[..., jax.Array],
    batch: Batch,
    mean_tokens: jax.Array,
    smoothing: float = 0.0,
    *keys: jax.Array,
) -> tuple[jax.Array, Sums]:
    """What training minimizes, and beside it what is reported of the batch.

    The objective is the cross-entropy over `mean_tokens`. What it is divided by is the same for
    all batches of an epoch, so that every token weighs the same in batches of short and
    of long sentences; Keras divides by a constant too. `smoothing` is that of
    `cross_entropy`, and `keys` are those of dropout, where the model has it.

    Returns:
      The objective, and the reported sums in nats over real target tokens, whatever the objective
      is.
    """
    logits = _logits(apply_fn, params, batch, *keys)
    minimized = cross_entropy(logits, batch.targets, batch.target_mask, smoothing)
    return minimized / mean_tokens, token_sums(logits, batch.targets, batch.target_mask)


def _gradient_step(
    state: TrainingState,
    rows: tuple[Any, ...],
    mean_tokens: jax.Array,
    total: Callable[[Any], Any] = lambda sums: sums,
) -> tuple[Any, Sums]:
    """The gradient and the reported sums of rows: a batch and, with dropout, their keys."""

    def gradient(batch: Batch, *keys: jax.Array) -> tuple[Any, Sums]:
        compute = jax.grad(objective, has_aux=True)
        return compute(state.params, state.apply_fn, batch, mean_tokens, state.smoothing, *keys)

    if state.parts == 1:
        return total(gradient(*rows))

    def divided(x: jax.Array) -> jax.Array:
        # Rows of padding, which have no weight, make the parts equal.
        x = jnp.pad(x, ((0, -len(x) % state.parts), *[(0, 0)] * (x.ndim - 1)))
        return x.reshape(state.parts, -1, *x.shape[1:])

    parts = jax.tree.map(divided, rows)
    nothing = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype),
        jax.eval_shape(gradient, *jax.tree.map(lambda x: x[0], parts)),
    )
    summed, _ = jax.lax.scan(
        lambda summed, part: (jax.tree.map(jnp.add, summed, gradient(*part)), None), nothing, parts
    )
    return total(summed)


def _update_step(
    state: TrainingState, gradients: Any, sums: Sums, rate: jax.Array | None
) -> tuple[TrainingState, Sums]:
    # One branch or the other: choosing between new and old values element by element costs 4 %.
    squares = [jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradients)]
    finite = jnp.isfinite(sums.loss) & jnp.isfinite(sum(squares))
    return jax.lax.cond(
        finite,
        lambda: (state.updated(gradients, rate), sums),
        # No batch is without tokens, so that none says that the update was skipped.
        lambda: (state.replace(step=state.step + 1), jax.tree.map(jnp.zeros_like, sums)),
    )


def _eval_step(
    state: TrainingState, batch: Batch, total: Callable[[Any], Any] = lambda sums: sums
) -> Sums:
    logits = _logits(state.apply_fn, state.judged, batch)
    return total(token_sums(logits, batch.targets, batch.target_mask))


def _dropout_keys(state: TrainingState, rows: int) -> jax.Array:
    """Of the rows of a batch, as the model takes them."""
    assert state.key is not None
    key = jax.random.wrap_key_data(state.key)
    return row_keys(jax.random.fold_in(key, state.step), rows, state.config)


class Steps(NamedTuple):
    """The compiled steps of training, for batches that are divided over a mesh or are not."""

    keys: Callable[..., Any]  # State, number of rows -> the keys that dropout draws with.
    gradient: Callable[..., Any]  # State, batch and keys, mean tokens of a batch -> gradient, sums.
    update: Callable[..., Any]  # State, gradient, sums, share of the learning rate -> state, sums.
    evaluate: Callable[..., Any]  # State, batch -> its sums, with the parameters that are judged.

    def train(
        self, state: TrainingState, batch: Batch, mean_tokens: Any, rate: Any = None
    ) -> tuple[TrainingState, Sums]:
        """One optimizer step: the next state, and the sums of the batch.

        Where the loss or the gradient is not finite, parameters and optimizer state stay as they
        were and the sums are zero. The old state is gone.

        Args:
          state, batch: on the devices, as `place` puts a batch there.
          mean_tokens: real target tokens of a batch, in the mean.
          rate: the share of the learning rate; None for all of it.
        """
        gradients, sums = self.gradient(state, self.rows(state, batch), mean_tokens)
        return self.update(state, gradients, sums, rate)

    def rows(self, state: TrainingState, batch: Batch) -> tuple[Any, ...]:
        """The batch and, with dropout, the keys of its rows."""
        return (batch,) if state.key is None else (batch, self.keys(state, len(batch.source)))


@functools.lru_cache(maxsize=8)
def compiled_steps(mesh: Mesh | None) -> Steps:
    """The steps for batches divided over a mesh; None for one device."""
    jit = functools.partial(jax.jit, compiler_options=step_options())
    keys = functools.partial(jit, _dropout_keys, static_argnums=1)
    update = functools.partial(jit, _update_step, donate_argnums=0)
    if mesh is None:
        return Steps(keys(), jit(_gradient_step), update(), jit(_eval_step))
    return Steps(
        keys(out_shardings=NamedSharding(mesh, PartitionSpec(AXIS))),
        jit(data_parallel(_gradient_step, mesh, scalars=1)),
        update(out_shardings=NamedSharding(mesh, PartitionSpec())),
        jit(data_parallel(_eval_step, mesh)),
    )
