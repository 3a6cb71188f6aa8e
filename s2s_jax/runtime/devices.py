"""The devices of a run, and the processes that share it."""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib.util
import os
import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from s2s_jax.errors import UserError
from s2s_jax.runtime.compilation import compile_soon_on_gpus

AXIS = "batch"
"""The mesh's one axis, over which the rows of a batch are divided."""

PLATFORMS = ("cpu", "gpu", "tpu")

_STEPS_UNHEARD = 8
"""With several processes: steps between two checks whether any of them received a signal."""

_TPU_FILES = ("/dev/accel*", "/dev/vfio/[0-9]*")
"""Through which programs reach a TPU, up to version 4 and since."""


class DeviceRequest(NamedTuple):
    """What the user asked for; the fields are the flags, None if not given."""

    platform: str | None = None
    devices: int | None = None
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def start(request: DeviceRequest, alone: bool = False) -> Mesh | None:
    """Connects to the other processes, if there are any, and takes the devices.

    Must come before anything else that JAX computes.

    Args:
      request: what the user asked for.
      alone: use this process's devices only and connect to no other, even in a SLURM job, where
        each process may decode something else.

    Returns:
      A mesh over the devices of all processes, in the order of the processes; None for one device.

    Raises:
      UserError: when there are no such devices, or the processes cannot connect.
    """
    if request.devices is not None and request.devices < 1:
        raise UserError(f"`devices` must be at least 1, not {request.devices}.")
    _check_processes(request)
    if request.platform is not None:
        jax.config.update("jax_platforms", request.platform)
    compile_soon_on_gpus()
    if not alone:
        _connect(request)
    check_platform(request.platform)
    here = len(jax.local_devices())
    if request.devices is not None and request.devices > here:
        raise UserError(
            f"`devices` {request.devices} asks for more than there are: "
            f"{here} x {jax.default_backend()}."
        )
    chosen = []
    for process in [jax.process_index()] if alone else range(jax.process_count()):
        of_process = [d for d in jax.devices() if d.process_index == process]
        chosen += of_process[: request.devices]
    if len(chosen) == 1:
        return None
    return Mesh(np.array(chosen), (AXIS,), axis_types=(AxisType.Auto,))


def of_this_process(mesh: Mesh | None) -> Mesh | None:
    """The part of a mesh that this process can use by itself; None for one device."""
    if mesh is None or len(mesh.local_devices) == 1:
        return None
    return Mesh(np.array(mesh.local_devices), mesh.axis_names, axis_types=mesh.axis_types)


def check_platform(platform: str | None) -> None:
    """Starts JAX on "cpu", "gpu" or "tpu"; None takes the best that is available.

    Raises:
      UserError: when there is no such device, or none at all.
    """
    try:
        found = jax.default_backend()
    except RuntimeError as error:
        if platform is None:
            raise UserError(f"JAX finds no device to compute on ({error}).") from None
        found = None
    if platform not in (None, found):
        raise UserError(
            f"`platform` {platform}: JAX {jax.__version__} finds none here; take another, or "
            "install JAX for it (https://docs.jax.dev/en/latest/installation.html)."
        )


def _check_processes(request: DeviceRequest) -> None:
    """Raises `UserError` unless all or none of the three flags are given, and fit together."""
    address, processes, process = request.coordinator, request.num_processes, request.process_id
    if address is processes is process is None:
        return
    if address is None or processes is None or process is None:
        raise UserError("`coordinator`, `num_processes` and `process_id` go together.")
    if not re.fullmatch(r".+:\d{1,5}", address):
        raise UserError(f"`coordinator` must be HOST:PORT, not {address!r}.")
    if processes < 1 or not 0 <= process < processes:
        raise UserError(
            f"`process_id` must be one of 0 to {processes - 1} where "
            f"`num_processes` is {processes}; it is {process}."
        )


def _connect(request: DeviceRequest) -> None:
    """Starts `jax.distributed` if flags or the machine say that there are several processes."""
    if request.coordinator is None and not _in_cluster(request.platform):
        return
    if jax.distributed.is_initialized():
        return
    try:
        # Without flags JAX finds its place in a TPU pod or a SLURM job by itself.
        jax.distributed.initialize(request.coordinator, request.num_processes, request.process_id)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"could not connect to the other processes ({error}); give each the same `coordinator` "
            "HOST:PORT and `num_processes`, and its own `process_id`."
        ) from None


def _in_cluster(platform: str | None) -> bool:
    """Whether this is one of several tasks of a SLURM step, or a machine of a TPU pod."""
    if "SLURM_STEP_NODELIST" in os.environ and int(os.environ.get("SLURM_NTASKS", 1)) > 1:
        return True
    # A machine with a TPU may be one of many. Colab's is alone, and cannot tell JAX where it is.
    may_use_tpu = platform in (None, "tpu") and os.environ.get("JAX_PLATFORMS") in (None, "tpu")
    return (
        may_use_tpu
        and "COLAB_RELEASE_TAG" not in os.environ
        and importlib.util.find_spec("libtpu") is not None
        and any(map(glob.glob, _TPU_FILES))
    )


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Lets no process leave the block before all have ended it; if one fails, so do the others.

    Raises:
      Exception: this process's own, or a `UserError` that says which other process failed.
    """
    mine: Exception | None = None
    try:
        yield
    except Exception as error:
        mine = error
    failed = _gather(mine is not None)
    if mine is not None:
        raise mine
    if any(failed):
        raise UserError(f"process {failed.index(1)} failed; see its message.")


def is_same_everywhere(text: str) -> bool:
    """Whether all processes call this with the same text; each of them must call it."""
    return len(set(_gather(zlib.crc32(text.encode())))) == 1


def agreed_signal(pending: Callable[[], int | None]) -> Callable[..., int | None]:
    """Lets all processes learn at the same step of a signal that any of them has received.

    A process that stopped alone would leave the others waiting for its part of the next step.

    Args:
      pending: returns the number of the signal that this process has received, or None.

    Returns:
      A function that all processes must call equally often. It asks the others at every eighth
      call, since asking waits for the steps in flight, and with `now=True`.
    """
    calls = 0
    agreed: int | None = None

    def signal(now: bool = False) -> int | None:
        """The number of the signal that all know of, or None."""
        nonlocal calls, agreed
        calls += 1
        if now or jax.process_count() == 1 or calls % _STEPS_UNHEARD == 0:
            agreed = max(_gather(pending() or 0)) or None
        return agreed

    return signal


def _gather(number: int) -> list[int]:
    """The number that each process calls this with, in the order of the processes."""
    if jax.process_count() == 1:
        return [number]
    sharding, copy = _gathering()
    mine = np.array([number], np.uint32)
    numbers = jax.make_array_from_process_local_data(sharding, mine, (jax.process_count(),))
    return np.asarray(copy(numbers).addressable_data(0)).tolist()


@functools.cache
def _gathering() -> tuple[NamedSharding, Callable[[jax.Array], jax.Array]]:
    """How numbers lie, one with each process, and a program that copies all to each.

    JAX's own `process_allgather` needs processes of equally many devices.
    """
    first = {device.process_index: device for device in reversed(jax.devices())}
    mesh = Mesh(np.array([first[process] for process in sorted(first)]), ("process",))
    copied = NamedSharding(mesh, PartitionSpec())
    return NamedSharding(mesh, PartitionSpec("process")), jax.jit(
        lambda numbers: numbers, out_shardings=copied
    )
