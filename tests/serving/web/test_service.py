"""What is compiled for a question, and which program answers it meanwhile."""

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.fixed_shapes import Answered, answer_batch, forget
from s2s_jax.decoding.sources import read_sources
from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.serving.web import service
from s2s_jax.serving.web.questions import read_question


@pytest.fixture
def programs(monkeypatch):
    """Stands in for the model: the lengths of the batches, and a gate before short ones."""
    lengths, gate = [], threading.Event()

    def answer_batch(translator, sources, config, rows, length):
        compiling = not any(source.text for source in sources)
        if compiling and length == 16:
            gate.wait(20)
        if not compiling:
            lengths.append(length)
        nothing = [Translation(s.text, s.unseen, (Hypothesis(""),), s.doubts) for s in sources]
        return [Answered(each, (0.0,), None) for each in nothing]

    monkeypatch.setattr(service, "answer_batch", answer_batch)
    return lengths, gate


def test_a_short_text_waits_for_no_program_of_its_own(make_run, programs):
    lengths, gate = programs
    served = service.Service([make_run("none", longest=20)])
    served.prepare()
    question = read_question(b'{"text": "abc"}', served.names)

    async def ask():
        async with served.batcher.running():
            await asyncio.wait_for(served.answer(question), 10)
            assert lengths == [32]
            gate.set()
            while lengths[-1] != 16:
                await asyncio.wait_for(served.answer(question), 10)

    try:
        asyncio.run(ask())
    finally:
        gate.set()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux tells what is mapped")
def test_what_is_forgotten_is_unmapped_and_answers_as_before(make_run):
    translator = make_run("luong")
    sources = read_sources(translator.run, ["abc"], strict=False, first=1)

    def answers():
        return [
            answer_batch(translator, sources, DecodeConfig(beam=beam), 1, 16)[0].translation
            for beam in (1, 2)
        ]

    def mapped():
        gc.collect()
        return len(Path("/proc/self/maps").read_bytes().splitlines())

    found, before = answers(), mapped()
    forget()
    assert mapped() < before - 20
    assert answers() == found
