"""The steps of a run, compiled ahead of the batches that need them, several at a time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from s2s_jax.data.batching import Batches
from s2s_jax.runtime.memory import release_freed_memory
from s2s_jax.runtime.parallel import place, share
from s2s_jax.training.fitting.state import TrainingState
from s2s_jax.training.fitting.step import Steps


@contextlib.contextmanager
def compiled_ahead(
    steps: Steps,
    state: TrainingState,
    parts: Sequence[tuple[Callable[..., Any], Batches, int, int]],
    mesh: Mesh | None,
) -> Iterator[Steps]:
    """Compiles in the background while the block runs, on all processors.

    In the block the steps are those yielded, which wait for what is being compiled of them. A shape
    is compiled once: a jitted function that is called finds what was compiled of it.

    Args:
      steps: those of the run.
      state: the one that it starts from.
      parts: a step to compile, for the shapes of which batches, from which epoch and batch of it
        on; in the order in which they are needed.
      mesh: the devices that share each batch; None for one device.
    """
    like = jax.eval_shape(lambda state: state, state)
    if mesh is not None:
        everywhere = NamedSharding(mesh, PartitionSpec())
        like = jax.tree.map(lambda x: x.update(sharding=everywhere), like)
    with ThreadPoolExecutor(_programs_at_a_time(), "compiling") as pool:
        compiling = {}
        for step, batches, epoch, first in parts:
            rows = share(batches.batch_size, mesh)
            for empty in batches.shapes(epoch, first, rows.stop - rows.start):
                batch = place(empty, mesh)
                # Keys are drawn here: in the threads, the state would be gone.
                given = (like, batch)
                if step is steps.gradient:
                    given = (like, steps.rows(state, batch), np.float32(1))
                compiling[_key(step, given[1])] = pool.submit(_compile, step, given)

        def waiting(step: Callable[..., Any]) -> Callable[..., Any]:
            """The step, called as soon as it is compiled."""

            def call(state: TrainingState, rows: Any, *scale: Any) -> Any:
                if future := compiling.get(_key(step, rows)):
                    future.result()
                return step(state, rows, *scale)

            return call

        try:
            yield steps._replace(gradient=waiting(steps.gradient), evaluate=waiting(steps.evaluate))
        finally:
            pool.shutdown(cancel_futures=True)


def _programs_at_a_time() -> int:
    """As many as there are processors; on CPUs half as many.

    There XLA itself compiles the parts of a program in several threads. On 2 processors two
    programs at a time are ready no sooner, but take a fifth more processor time and a third more
    memory.
    """
    processors = os.cpu_count() or 1
    return max(1, processors // 2) if jax.default_backend() == "cpu" else processors


def _compile(step: Any, given: tuple[Any, ...]) -> None:
    """Compiles a step, and returns the memory that this took to the system."""
    try:
        step.lower(*given).compile()
    finally:
        release_freed_memory()


def _key(step: Callable[..., Any], rows: Any) -> tuple[Any, ...]:
    return id(step), *(array.shape for array in jax.tree.leaves(rows))
