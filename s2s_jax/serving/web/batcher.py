"""Questions of many people, gathered into batches; knows neither model nor text.

While one batch is computed, what arrives waits and makes the next: a single question waits for
nobody, and fifty share a batch. Shapes are compiled in a thread of their own, the smallest first,
while batches of other shapes go on.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

MOST_WAITING = 1024
MOST_SHAPES = 32
"""Compiled at a time, each for several numbers of rows.

XLA maps the code of one program into memory in 100 to 300 pieces. Linux lets a process have 65,530,
and XLA ends the process when it gets no more.
"""


class Kind(Protocol):
    """What questions must have in common to share a batch; hashable."""

    @property
    def shape(self) -> Hashable:
        """What is compiled for it, apart from the number of rows."""
        ...


class Busy(Exception):
    """The queue is full; the client may try again."""


class _Job(NamedTuple):
    kind: Any
    item: Any
    answer: asyncio.Future


class Batcher:
    """A queue in front of a function that answers batches.

    Args:
      compute: answers items of one kind, in a batch of so many rows.
      compile_: prepares a batch of a kind and so many rows.
      sizes: the numbers of rows that batches of a kind may have, ascending.
      forget: gives back all that was compiled, while batches are computed; what is used again is
        compiled again. Called before there are more than `MOST_SHAPES`.
    """

    def __init__(
        self,
        compute: Callable[[Any, Sequence[Any], int], Sequence[Any]],
        compile_: Callable[[Any, int], None],
        sizes: Callable[[Any], Sequence[int]],
        forget: Callable[[], None],
    ) -> None:
        self._compute, self._compile = compute, compile_
        self._sizes, self._forget = sizes, forget
        self._ready: dict[Hashable, list[int]] = {}
        self._compiling: dict[Hashable, asyncio.Task] = {}
        self._jobs: collections.deque[_Job] = collections.deque()

    def prepare(self, kind: Kind) -> None:
        """Compiles all that batches of a kind need, before anybody asks."""
        for rows in self._sizes(kind):
            self._compile(kind, rows)
            self._ready.setdefault(kind.shape, []).append(rows)

    def is_ready(self, kind: Kind) -> bool:
        """Whether questions of a kind can be answered without compiling."""
        return kind.shape in self._ready

    def prepare_aside(self, kind: Kind) -> None:
        """Compiles what a kind needs, unless that is done or under way; batches go on.

        Raises:
          Busy: when too many other shapes are wanted at the same time.
        """
        known = self._ready.keys() | self._compiling.keys()
        if kind.shape in known:
            return
        if len(known) >= MOST_SHAPES:
            self._make_room()
        self._compiling[kind.shape] = asyncio.create_task(self._compile_all(kind))

    def _make_room(self) -> None:
        """Forgets the shapes that nobody waits for."""
        wanted = {job.kind.shape for job in self._jobs} | self._compiling.keys()
        if len(wanted) >= MOST_SHAPES:
            raise Busy
        self._ready = {shape: rows for shape, rows in self._ready.items() if shape in wanted}
        self._forget()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers inside the block; what still waits at its end is cancelled."""
        self._wake = asyncio.Event()
        with ThreadPoolExecutor(1) as self._worker, ThreadPoolExecutor(1) as self._compiler:
            task = asyncio.create_task(self._run())
            try:
                yield
            finally:
                for running in (task, *self._compiling.values()):
                    running.cancel()
                for job in self._jobs:
                    job.answer.cancel()
                self._compiler.shutdown(wait=False, cancel_futures=True)

    async def ask(self, kind: Kind, items: Sequence[Any]) -> list[Any]:
        """The answers to some items of one kind, in their order.

        Raises:
          Busy: when too many are waiting, or wait for too many shapes.
        """
        if len(self._jobs) + len(items) > MOST_WAITING:
            raise Busy
        self.prepare_aside(kind)
        loop = asyncio.get_running_loop()
        jobs = [_Job(kind, item, loop.create_future()) for item in items]
        self._jobs.extend(jobs)
        self._wake.set()
        return await asyncio.gather(*(job.answer for job in jobs))

    async def _compile_all(self, kind: Kind) -> None:
        """Like `prepare`, in a thread; the first size is used as soon as it is ready."""
        loop = asyncio.get_running_loop()
        try:
            for rows in self._sizes(kind):
                await loop.run_in_executor(self._compiler, self._compile, kind, rows)
                self._ready.setdefault(kind.shape, []).append(rows)
                self._wake.set()
        except Exception as error:
            self._fail([job for job in self._jobs if job.kind.shape == kind.shape], error)
        finally:
            del self._compiling[kind.shape]

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            batch, rows = self._next()
            if not batch:
                self._wake.clear()
                continue
            arguments = (batch[0].kind, [job.item for job in batch], rows)
            try:
                answers = await loop.run_in_executor(self._worker, self._compute, *arguments)
            except Exception as error:
                self._fail(batch, error)
                continue
            for job, answer in zip(batch, answers, strict=True):
                if not job.answer.done():
                    job.answer.set_result(answer)

    def _next(self) -> tuple[list[_Job], int]:
        """The jobs that share a batch with the one that has waited longest, and its rows."""
        self._jobs = collections.deque(job for job in self._jobs if not job.answer.done())
        first = next((job for job in self._jobs if job.kind.shape in self._ready), None)
        if first is None:
            return [], 0
        sizes = self._ready[first.kind.shape]
        batch = [job for job in self._jobs if job.kind == first.kind][: sizes[-1]]
        taken = set(map(id, batch))
        self._jobs = collections.deque(job for job in self._jobs if id(job) not in taken)
        return batch, next(rows for rows in sizes if rows >= len(batch))

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            if not job.answer.done():
                job.answer.set_exception(error)
