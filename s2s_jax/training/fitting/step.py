"""One optimizer step, compiled: the gradient of the loss, and what the optimizer makes of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from s2s_jax.data.batching import Batch
from s2s_jax.model.losses import Sums, cross_entropy, token_sums
from s2s_jax.runtime.parallel import ALONE, Devices, data_parallel
from s2s_jax.training.fitting.state import TrainingState


def _logits(
    apply_fn: Callable[..., jax.Array], params: Any, batch: Batch, *keys: jax.Array
) -> jax.Array:
    inputs = batch.source, batch.source_mask, batch.target_inputs
    return apply_fn({"params": params}, *inputs, *keys)


def dropout_keys(key: jax.Array, step: jax.Array | int, rows: jax.Array) -> jax.Array:
    """A key for each row of a batch, by its place in all of it: the devices do not matter.

    Args:
      key: the data of the run's key.
      step: updates before this one.
      rows: places in the batch, `[rows]`.

    Returns:
      Typed keys `[rows]`.
    """
    of_step = jax.random.fold_in(jax.random.wrap_key_data(key), step)
    return jax.vmap(jax.random.fold_in, (None, 0))(of_step, rows)


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
    all batches of an epoch, so that every token weighs as much, be it in a batch of short
    sentences or of long ones; Keras divides by a constant too. `smoothing` is that of
    `cross_entropy`, and `keys` are those of dropout, where the model has it.

    Returns:
      The objective, and the reported sums in nats over real target tokens, whatever the objective
      is.
    """
    logits = _logits(apply_fn, params, batch, *keys)
    minimized = cross_entropy(logits, batch.targets, batch.target_mask, smoothing)
    return minimized / mean_tokens, token_sums(logits, batch.targets, batch.target_mask)


def _gradients(
    state: TrainingState, batch: Batch, mean_tokens: jax.Array, devices: Devices
) -> tuple[Any, Sums]:
    """The gradient and the reported sums of this device's rows, summed over `state.parts`."""
    first, rows = devices.place() * len(batch.source), len(batch.source)
    if state.parts > 1:
        # Rows of padding, which have no weight, make the parts equal.
        padding = -rows % state.parts
        batch = jax.tree.map(lambda x: jnp.pad(x, ((0, padding), (0, 0))), batch)
        rows += padding
    keys = ()
    if state.key is not None:
        keys = (dropout_keys(state.key, state.step, first + jnp.arange(rows)),)

    def gradient(batch: Batch, *keys: jax.Array) -> tuple[Any, Sums]:
        compute = jax.grad(objective, has_aux=True)
        return compute(state.params, state.apply_fn, batch, mean_tokens, state.smoothing, *keys)

    if state.parts == 1:
        return gradient(batch, *keys)
    parts = jax.tree.map(
        lambda x: x.reshape(state.parts, rows // state.parts, *x.shape[1:]), (batch, *keys)
    )
    nothing = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype),
        jax.eval_shape(gradient, *jax.tree.map(lambda x: x[0], parts)),
    )
    total, _ = jax.lax.scan(
        lambda total, part: (jax.tree.map(jnp.add, total, gradient(*part)), None), nothing, parts
    )
    return total


def _train_step(
    state: TrainingState,
    batch: Batch,
    mean_tokens: jax.Array,
    rate: jax.Array | None = None,
    devices: Devices = ALONE,
) -> tuple[TrainingState, Sums]:
    gradients, sums = devices.total(_gradients(state, batch, mean_tokens, devices))
    # One branch or the other: choosing between new and old values element by element costs 4 %.
    squares = [jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(gradients)]
    finite = jnp.isfinite(sums.loss) & jnp.isfinite(sum(squares))
    return jax.lax.cond(
        finite,
        lambda: (state.updated(gradients, rate), sums),
        # No batch is without tokens, so that none says that the update was skipped.
        lambda: (state.replace(step=state.step + 1), jax.tree.map(jnp.zeros_like, sums)),
    )


def _eval_step(state: TrainingState, batch: Batch, devices: Devices = ALONE) -> Sums:
    logits = _logits(state.apply_fn, state.judged, batch)
    return devices.total(token_sums(logits, batch.targets, batch.target_mask))


train_step = jax.jit(_train_step, donate_argnums=0)
"""One optimizer step: state, batch, mean real target tokens of a batch, share of the learning rate
(None for all of it) -> new state, the batch's sums. The old state is gone.

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
    divided = jax.jit(data_parallel(_train_step, mesh, scalars=2), donate_argnums=0)
    return divided, jax.jit(data_parallel(_eval_step, mesh))
