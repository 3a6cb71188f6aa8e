"""Data parallelism: every device has the parameters, and its share of a batch's rows.

The mesh is `devices.start`'s; None stands for one device, on which nothing is divided and the
programs are the plain ones. In training the devices add up their sums at every step; in decoding
none waits for another.
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
    """`step` on all devices at once, each with its rows of the batch.

    The sums over devices stand where the step asks for them with `total`. Left to itself, XLA
    puts one into every step of the backward scan.

    Args:
      step: `(state, batch, *scalars, total) -> results`, the same on every device once it has
        used `total`, which adds sums up over them.
      mesh: the devices.
      scalars: how many numbers it takes beside state and batch.
    """
    total = functools.partial(jax.lax.psum, axis_name=AXIS)
    # With check_vma JAX sums the gradients of replicated parameters by itself, so once more.
    return jax.shard_map(
        lambda *arguments: step(*arguments, total),
        mesh=mesh,
        in_specs=(PartitionSpec(), PartitionSpec(AXIS), *[PartitionSpec()] * scalars),
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


def place(batch: Any, mesh: Mesh | None) -> Any:
    """Arrays of this process's rows as their part of the arrays of all devices."""
    return batch if mesh is None else _distribute(batch, NamedSharding(mesh, PartitionSpec(AXIS)))


def replicate(tree: Any, mesh: Mesh | None) -> Any:
    """Arrays that every process has, on every device."""
    return tree if mesh is None else _distribute(tree, NamedSharding(mesh, PartitionSpec()))


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
    """`program(*static, params, *rows, *shared)`, its rows divided over the devices.

    Every device goes on until its own rows have ended. Rows come sorted by length, and long ones
    write long answers; so they are dealt out like cards, row i to device i % n. Each device then
    has long and short ones, and none has the longest alone while the others wait at the end.

    Args:
      program: one of `programs`; each row of what it returns depends on that row alone.
      static: what it is compiled for.
      params: as `replicate` leaves them.
      rows: arrays `[batch, ...]`; the devices of the mesh divide the batch.
      shared: what is the same for every row.
      mesh: this process's devices; None runs the program as it is.

    Returns:
      Arrays `[batch, ...]`, in the order of the rows.
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
    """What `run_rows` compiles: the program on each device's rows, and nothing between devices."""
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


def _distribute(tree: Any, sharding: NamedSharding) -> Any:
    def distribute(array: Any) -> jax.Array:
        return jax.make_array_from_process_local_data(sharding, np.asarray(array))

    return jax.tree.map(distribute, tree)
