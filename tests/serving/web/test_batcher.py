"""How questions are gathered, by properties that hold whatever answers them."""

import asyncio
import threading
from typing import NamedTuple

import pytest

from s2s_jax.serving.web.batcher import MOST_SHAPES, MOST_WAITING, Batcher, Busy


class Kind(NamedTuple):
    shape: str
    number: int = 0


class Recorder:
    """Answers items with themselves, and keeps the batches."""

    def __init__(self, sizes=(1, 4)):
        self.batches, self.compiled, self.kept = [], [], []
        self.sizes = sizes
        self.gate = threading.Event()
        self.gate.set()
        self.slow_shape = None

    def compute(self, kind, items, rows):
        self.gate.wait(10)
        self.batches.append((kind, list(items), rows))
        if "bad" in items:
            raise RuntimeError("bad")
        return [(kind.number, item) for item in items]

    def compile_(self, kind, rows):
        if kind.shape == self.slow_shape:
            self.slow.wait(10)
        if kind.shape == "broken":
            raise MemoryError("too large")
        self.compiled.append((kind.shape, rows))
        self.kept.append((kind.shape, rows))

    def batcher(self):
        return Batcher(self.compute, self.compile_, lambda kind: self.sizes, self.kept.clear)


def inside(work, recorder):
    """Runs a coroutine function of a batcher that is running."""

    async def run():
        batcher = recorder.batcher()
        batcher.prepare(Kind("a"))
        async with batcher.running():
            return await asyncio.wait_for(work(batcher), 20)

    return asyncio.run(run())


def test_every_item_gets_its_own_answer_in_order():
    recorder = Recorder()

    async def work(batcher):
        return await asyncio.gather(
            *(batcher.ask(Kind("a", n % 3), [n, -n]) for n in range(30))
        )  # fmt: skip

    found = inside(work, recorder)
    assert found == [[(n % 3, n), (n % 3, -n)] for n in range(30)]


def test_what_waits_while_a_batch_is_computed_makes_the_next():
    recorder = Recorder()
    recorder.gate.clear()

    async def work(batcher):
        asked = [asyncio.create_task(batcher.ask(Kind("a"), [n])) for n in range(6)]
        await asyncio.sleep(0.1)
        recorder.gate.set()
        await asyncio.gather(*asked)

    inside(work, recorder)
    assert sorted(item for _, items, _ in recorder.batches for item in items) == list(range(6))
    assert len(recorder.batches) <= 3
    for _, items, rows in recorder.batches:
        assert len(items) <= rows and rows in recorder.sizes


def test_a_batch_has_one_kind():
    recorder = Recorder()

    async def work(batcher):
        await asyncio.gather(*(batcher.ask(Kind("a", n % 2), [n]) for n in range(20)))

    inside(work, recorder)
    for kind, items, _ in recorder.batches:
        assert {item % 2 for item in items} == {kind.number}


def test_other_shapes_are_answered_while_one_is_compiled():
    recorder = Recorder()
    recorder.slow_shape, recorder.slow = "b", threading.Event()

    async def work(batcher):
        waiting = asyncio.create_task(batcher.ask(Kind("b"), [1]))
        await asyncio.sleep(0)
        assert await batcher.ask(Kind("a"), [2]) == [(0, 2)]
        assert not waiting.done()
        recorder.slow.set()
        assert await waiting == [(0, 1)]

    inside(work, recorder)
    assert recorder.compiled.count(("b", 1)) == 1


def test_a_failure_is_that_of_its_batch_alone():
    recorder = Recorder(sizes=(1,))

    async def work(batcher):
        bad = asyncio.create_task(batcher.ask(Kind("a"), ["bad"]))
        with pytest.raises(MemoryError):
            await batcher.ask(Kind("broken"), [1])
        with pytest.raises(RuntimeError):
            await bad
        assert await batcher.ask(Kind("a"), [2]) == [(0, 2)]

    inside(work, recorder)


def test_a_full_queue_refuses():
    recorder = Recorder()
    recorder.gate.clear()

    async def work(batcher):
        one = asyncio.create_task(batcher.ask(Kind("a"), [0]))
        await asyncio.sleep(0.1)  # It is being computed.
        many = asyncio.create_task(batcher.ask(Kind("a"), range(MOST_WAITING)))
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batcher.ask(Kind("a"), [1])
        recorder.gate.set()
        await one
        assert len(await many) == MOST_WAITING

    inside(work, recorder)


def test_what_nobody_waits_for_is_not_computed():
    recorder = Recorder(sizes=(1,))
    recorder.gate.clear()

    async def work(batcher):
        asked = [asyncio.create_task(batcher.ask(Kind("a"), [n])) for n in range(3)]
        await asyncio.sleep(0.1)
        asked[1].cancel()
        await asyncio.sleep(0)
        recorder.gate.set()
        await asyncio.gather(asked[0], asked[2])

    inside(work, recorder)
    assert [items for _, items, _ in recorder.batches] == [[0], [2]]


def test_no_more_shapes_are_compiled_than_a_process_has_room_for():
    recorder = Recorder()

    async def work(batcher):
        for n in range(3 * MOST_SHAPES):
            assert await batcher.ask(Kind(f"shape {n}"), [n]) == [(0, n)]
            assert len({shape for shape, _ in recorder.kept}) <= MOST_SHAPES
        assert await batcher.ask(Kind("a"), [1]) == [(0, 1)]

    inside(work, recorder)
    assert recorder.compiled.count(("a", 1)) == 2  # It was forgotten in between.


def test_shapes_that_are_waited_for_are_not_forgotten():
    recorder = Recorder()
    recorder.slow_shape, recorder.slow = "shape 0", threading.Event()

    async def work(batcher):
        asked = [
            asyncio.create_task(batcher.ask(Kind(f"shape {n}"), [n])) for n in range(MOST_SHAPES)
        ]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await batcher.ask(Kind("one more"), [0])
        recorder.slow.set()
        assert await asyncio.gather(*asked) == [[(0, n)] for n in range(MOST_SHAPES)]
        assert await batcher.ask(Kind("one more"), [0]) == [(0, 0)]

    inside(work, recorder)
