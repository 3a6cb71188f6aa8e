"""The devices of a run and the processes that share it, found and joined by JAX's own means."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh

from s2s_jax.errors import UserError

AXIS = "batch"
"""The mesh's one axis, over which the rows of a batch are divided."""

PLATFORMS = ("cpu", "gpu", "tpu")

_STEPS_UNHEARD = 8  # A signal to one of several processes may wait so many steps for the others.


class DeviceRequest(NamedTuple):
    """What the user asked for; the fields are the scripts' flags, None where none was given."""

    platform: str | None = None
    devices: int | None = None
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def start(request: DeviceRequest, alone: bool = False) -> Mesh | None:
    """Joins the other processes, if there are any, and takes the devices.

    Comes before anything else that JAX computes.

    Args:
      request: what the user asked for.
      alone: take this process's devices and wait for no other process, also in a SLURM job: each
        may decode something else.

    Returns:
      A mesh over the devices of all processes, or None when there is one device alone.

    Raises:
      UserError: when they are not to be had.
    """
    if request.devices is not None and request.devices < 1:
        raise UserError(f"--devices must be at least 1, not {request.devices}.")
    _check_processes(request)
    if request.platform is not None:
        jax.config.update("jax_platforms", request.platform)
    if not alone:
        _join_processes(request)
    check_platform(request.platform)
    here = len(jax.local_devices())
    if request.devices is not None and request.devices > here:
        raise UserError(
            f"--devices {request.devices} asks for more than there are: "
            f"{here} x {jax.default_backend()}."
        )
    chosen = []
    for process in [jax.process_index()] if alone else range(jax.process_count()):
        of_process = [d for d in jax.devices() if d.process_index == process]
        chosen += of_process[: request.devices]
    if len(chosen) == 1:
        return None
    return jax.make_mesh((len(chosen),), (AXIS,), axis_types=(AxisType.Auto,), devices=chosen)


def of_this_process(mesh: Mesh | None) -> Mesh | None:
    """The part of a mesh that this process can use by itself; None when it is one device."""
    if mesh is None or len(mesh.local_devices) == 1:
        return None
    return Mesh(np.array(mesh.local_devices), mesh.axis_names, axis_types=mesh.axis_types)


def check_platform(platform: str | None) -> None:
    """Starts JAX, which must have found "cpu", "gpu" or "tpu"; None takes the best there is.

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
            f"--platform {platform}: JAX {jax.__version__} finds none here; take another, or "
            "install JAX for it (https://docs.jax.dev/en/latest/installation.html)."
        )


def _check_processes(request: DeviceRequest) -> None:
    """Raises `UserError` unless all or none of the three flags are given, and fit together."""
    address, processes, process = request.coordinator, request.num_processes, request.process_id
    if address is processes is process is None:
        return
    if address is None or processes is None or process is None:
        raise UserError("--coordinator, --num-processes and --process-id go together.")
    if not re.fullmatch(r".+:\d{1,5}", address):
        raise UserError(f"--coordinator must be HOST:PORT, not {address!r}.")
    if processes < 1 or not 0 <= process < processes:
        raise UserError(
            f"--process-id must be one of 0 to {processes - 1} where "
            f"--num-processes is {processes}; it is {process}."
        )


def _join_processes(request: DeviceRequest) -> None:
    """Starts `jax.distributed` where flags or the machine say that there are several."""
    if request.coordinator is None and not _in_cluster(request.platform):
        return
    if jax.distributed.is_initialized():
        return
    try:
        # Without flags JAX finds its place in a TPU pod or a SLURM job by itself.
        jax.distributed.initialize(request.coordinator, request.num_processes, request.process_id)
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"the processes do not come together ({error}); give each the same --coordinator "
            "HOST:PORT and --num-processes, and its own --process-id."
        ) from None


def _in_cluster(platform: str | None) -> bool:
    """Whether this is one of several tasks of a SLURM step, or a machine of a TPU pod."""
    if "SLURM_STEP_NODELIST" in os.environ and int(os.environ.get("SLURM_NTASKS", 1)) > 1:
        return True
    # A TPU virtual machine may be one of many; Colab's is alone, and does not say where it is.
    has_tpu = (
        importlib.util.find_spec("libtpu") is not None and "COLAB_RELEASE_TAG" not in os.environ
    )
    return (
        has_tpu and platform in (None, "tpu") and os.environ.get("JAX_PLATFORMS") in (None, "tpu")
    )


def is_main() -> bool:
    """Whether this process is the one that prints and writes."""
    return jax.process_index() == 0


@contextlib.contextmanager
def together() -> Iterator[None]:
    """All processes leave the block at once; where one fails, nobody waits for it.

    Raises:
      Exception: the process's own, or a `UserError` that says which other one failed.
    """
    mine = None
    try:
        yield
    except Exception as error:
        mine = error
    failed = _gather(mine is not None)
    if mine is not None:
        raise mine
    if any(failed):
        raise UserError(f"process {failed.index(1)} cannot go on; see what it says.")


def is_same_everywhere(text: str) -> bool:
    """Whether every process has come with the same text; all must ask at once."""
    return len(set(_gather(zlib.crc32(text.encode())))) == 1


def agreed_signal(pending: Callable[[], int | None]) -> Callable[..., int | None]:
    """The signal that any process has got, learnt by all of them at the same step.

    A process that stopped alone would leave the others waiting for its part of the next step.

    Args:
      pending: the number of the signal that this process has got, or None.

    Returns:
      A function that all processes call equally often. It asks the others at every eighth call,
      since asking waits for the steps on their way, and with `now=True`.
    """
    calls, agreed = 0, None

    def signal(now: bool = False) -> int | None:
        nonlocal calls, agreed
        calls += 1
        if now or jax.process_count() == 1 or calls % _STEPS_UNHEARD == 0:
            agreed = max(_gather(pending() or 0)) or None
        return agreed

    return signal


def _gather(number: int) -> list[int]:
    """The number that each process has come with."""
    if jax.process_count() == 1:
        return [number]
    return multihost_utils.process_allgather(np.uint32(number)).tolist()
