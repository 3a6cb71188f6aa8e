"""Data parallelism: every device has the parameters, and its share of a batch's rows.

The mesh is `devices.start`'s; None stands for one device, on which nothing is divided and the
programs are the plain ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from s2s_jax.batching import Batch
from s2s_jax.devices import AXIS

Step = Callable[[Any, Batch, Callable[[Any], Any]], Any]
"""`(state, batch, total) -> results`; `total` adds sums up over the devices."""


def divide(step: Step, mesh: Mesh) -> Callable[[Any, Batch], Any]:
    """`step` on all devices at once, each with its rows of the batch.

    The sums over devices stand where the step asks for them with `total`. Left to itself, XLA
    puts one into every step of the backward scan.

    Args:
      step: has the same results on every device once it has used `total`.
      mesh: the devices.
    """
    total = functools.partial(jax.lax.psum, axis_name=AXIS)
    # With check_vma JAX sums the gradients of replicated parameters by itself, so once more.
    return jax.shard_map(
        lambda state, batch: step(state, batch, total),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
        out_specs=PartitionSpec(),
        check_vma=False,
    )


def share(batch_size: int, mesh: Mesh | None) -> slice:
    """The rows of a batch of `batch_size` that this process reads for its devices.

    Where the devices do not divide the batch, the last rows of the last shares lie behind its
    end: they are padding, which weighs nothing.
    """
    if mesh is None:
        return slice(0, batch_size)
    rows = -(-batch_size // mesh.size) * len(mesh.local_devices)
    first = jax.process_index() * rows
    return slice(first, first + rows)


def place(batch: Batch, mesh: Mesh | None) -> Batch:
    """A batch of this process's rows as its part of the batch of all devices."""
    return batch if mesh is None else _distribute(batch, NamedSharding(mesh, PartitionSpec(AXIS)))


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays that every process has, on every device."""
    return tree if mesh is None else _distribute(tree, NamedSharding(mesh, PartitionSpec()))


def _distribute(tree: Any, sharding: NamedSharding) -> Any:
    def distribute(array: Any) -> jax.Array:
        return jax.make_array_from_process_local_data(sharding, np.asarray(array))

    return jax.tree.map(distribute, tree)
