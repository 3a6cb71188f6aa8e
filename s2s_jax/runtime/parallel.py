"""Data parallelism: every device holds the parameters, and gets its share of a batch's rows.

The mesh is that of `devices.start`; None stands for one device, which runs the plain programs. In
training the devices add up their sums at every step; in decoding none waits for another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from s2s_jax.runtime.devices import AXIS


def data_parallel(step: Callable[..., Any], mesh: Mesh, scalars: int = 0) -> Callable[..., Any]:
    """Runs `step` on all devices at once, each with its rows of the batch.

    The devices exchange sums only where the step asks for their total. Left to itself, XLA would
    exchange them at every step of the backward scan.

    Args:
      step: `(state, batch, *scalars, total) -> results`, which must be the same on all devices;
        `total` adds sums up over them.
      mesh: the devices.
      scalars: how many numbers the step takes beside state and batch.
    """
    total = functools.partial(jax.lax.psum, axis_name=AXIS)
    # With check_vma JAX would sum the gradients of replicated parameters a second time.
    return jax.shard_map(
        lambda *arguments: step(*arguments, total),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS), *[PartitionSpec()] * scalars),
        out_specs=PartitionSpec(),
        check_vma=False,
    )


def share(batch_size: int, mesh: Mesh | None) -> slice:
    """The rows of a batch that this process reads for its devices, which may be more or fewer.

    If the devices do not divide the batch, the last rows lie beyond its end: they are padding,
    which has no weight.
    """
    if mesh is None:
        return slice(0, batch_size)
    rows = -(-batch_size // mesh.size)
    first = rows * list(mesh.devices.flat).index(mesh.local_devices[0])
    return slice(first, first + rows * len(mesh.local_devices))


def place(batch: Any, mesh: Mesh | None) -> Any:
    """Turns arrays of this process's rows into its part of arrays on all devices."""
    if mesh is None:
        return batch
    sharding, here = NamedSharding(mesh, PartitionSpec(AXIS)), len(mesh.local_devices)

    def distribute(array: np.ndarray) -> jax.Array:
        shape = (len(array) // here * mesh.size, *array.shape[1:])
        return jax.make_array_from_process_local_data(sharding, array, shape)

    return jax.tree.map(distribute, batch)


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Copies arrays that every process has to every device."""
    if mesh is None:
        return tree
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(
        lambda array: jax.make_array_from_process_local_data(
            sharding, np.asarray(array), np.shape(array)
        ),
        tree,
    )


def one_copy(replicated: Any) -> Any:
    """What `replicate` put on every device, as it is on the first; nothing is moved."""
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), replicated)


def run_rows(
    program: Callable[..., Any],
    static: tuple[Any, ...],
    params: Any,
    rows: tuple[np.ndarray, ...],
    shared: tuple[Any, ...],
    mesh: Mesh | None,
) -> Any:
    """Computes `program(*static, params, *rows, *shared)`, its rows divided over the devices.

    Every device runs until its own rows have ended. Rows come sorted by length, and long sources
    have long answers, so rows are dealt like cards, row i to device i % n: each device has long and
    short ones, and none works on the longest alone while the others wait.

    Args:
      program: one of `programs`; each row of its results depends on that row alone.
      static: what it is compiled for.
      params: as `replicate` returns them.
      rows: arrays `[batch, ...]`, as the results are; the number of devices divides the batch.
      shared: what is the same for every row.
      mesh: this process's devices; None runs the program as it is.
    """
    if mesh is None:
        return program(*static, params, *rows, *shared)
    each = len(rows[0]) // mesh.size
    dealt = place([deal(array, each, mesh.size) for array in rows], mesh)
    found = run_sharded(program, static, mesh, params, dealt, shared)
    return jax.tree.map(lambda array: deal(np.asarray(array), mesh.size, each), found)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def run_sharded(
    program: Callable[..., Any],
    static: tuple[Any, ...],
    mesh: Mesh,
    params: Any,
    rows: list[jax.Array],
    shared: tuple[Any, ...],
) -> Any:
    """What `run_rows` compiles: the program on each device's rows, with no communication."""
    return jax.shard_map(
        lambda params, rows, shared: program(*static, params, *rows, *shared),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS), PartitionSpec()),
        out_specs=PartitionSpec(AXIS),
        check_vma=False,
    )(params, rows, shared)


def deal(array: np.ndarray, outer: int, inner: int) -> np.ndarray:
    """Rows `[outer * inner, ...]`, numbered by outer and inner place, in the other order."""
    shape = array.shape
    return array.reshape(outer, inner, *shape[1:]).swapaxes(0, 1).reshape(shape)
