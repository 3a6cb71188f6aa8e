"""Steps are compiled ahead of their batches: each shape once, and none that is not needed."""

import logging
import re
import threading
import time

import jax
import numpy as np
import pytest
from s2s_testing import draw

from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.data.batching import Batches
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.training.fitting import ahead
from s2s_jax.training.fitting.ahead import compiled_ahead
from s2s_jax.training.fitting.loop import fit
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_state
from s2s_jax.training.fitting.step import compiled_steps

MODEL = Seq2Seq(ModelConfig(12, 14, latent_dim=8, dropout=0.1))
CONFIG = TrainConfig(epochs=2, batch_size=4, seed=1)
TRAINING, VALIDATION = Batches(draw(30, 0), 4, 1), Batches(draw(7, 1), 4)
STEPS = compiled_steps(None)


def many_shapes(step):
    """A step to compile for the shapes of eight sizes of batches."""
    return [(step, Batches(draw(30, n), size, 1), 0, 0) for n, size in enumerate(range(1, 9))]


@pytest.fixture
def compiled(caplog):
    """Returns what was compiled since it was last called: names of functions.

    By any thread, or by the test's own alone.
    """
    jax.clear_caches()
    # The context manager of this name is for the thread alone that enters it.
    jax.config.update("jax_log_compiles", True)
    caplog.set_level(logging.WARNING)

    def names(here=False):
        found = [
            re.match(r"Compiling (?:jit\()?(\w+)", record.getMessage())
            for record in caplog.records
            if not (here and record.threadName.startswith("compiling"))
        ]
        caplog.clear()
        return [match[1] for match in found if match]

    yield names
    jax.config.update("jax_log_compiles", False)


def train():
    return fit(
        make_state(MODEL, CONFIG), TrainingProgress(), TRAINING, VALIDATION, CONFIG,
        save=lambda *_: None,
    )  # fmt: skip


@pytest.mark.slow
def test_a_run_compiles_each_step_once_for_each_of_its_shapes(compiled):
    assert len(TRAINING.shapes()) > 1
    train()
    names = compiled()
    assert names.count(STEPS.gradient.__name__) == len(TRAINING.shapes())
    assert names.count(STEPS.evaluate.__name__) == len(VALIDATION.shapes())
    assert names.count(STEPS.update.__name__) == names.count(STEPS.keys.__name__) == 1
    train()
    assert compiled() == []  # In the same process, another run of these settings.


def test_what_a_step_needs_was_compiled_in_a_thread_and_awaited(compiled):
    state = make_state(MODEL, CONFIG)
    parts = [(STEPS.gradient, TRAINING, 0, 0)]
    with compiled_ahead(STEPS, state, parts, None) as steps:
        for batch in TRAINING.epoch(0):
            steps.gradient(state, STEPS.rows(state, batch), np.float32(1))
    assert STEPS.gradient.__name__ not in compiled(here=True)
    assert not [t for t in threading.enumerate() if t.name.startswith("compiling")]


def test_the_memory_of_compiling_is_returned_after_each_shape(monkeypatch, compiled):
    released = []
    monkeypatch.setattr(ahead, "release_freed_memory", lambda: released.append(compiled()))
    state, parts = make_state(MODEL, CONFIG), [(STEPS.gradient, Batches(draw(9, 1), 3), 0, 0)]
    with compiled_ahead(STEPS, state, parts, None) as steps:
        for batch in parts[0][1].epoch(0):
            steps.gradient(state, STEPS.rows(state, batch), np.float32(1))
    assert len(released) == len(parts[0][1].shapes())
    assert any(STEPS.gradient.__name__ in names for names in released)


def test_a_run_that_is_stopped_leaves_the_rest_uncompiled(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    class Slow:
        """A step that takes as long to compile as the test wants."""

        def __init__(self):
            self.asked, self.go = [], threading.Event()

        def lower(self, *_):
            self.asked.append(1)
            self.go.wait(60)
            return self

        def compile(self):
            return self

    step = Slow()
    many = many_shapes(step)
    shapes = sum(len(batches.shapes()) for _, batches, _, _ in many)
    threading.Timer(0.2, step.go.set).start()
    with compiled_ahead(STEPS, make_state(MODEL, CONFIG), many, None):
        pass
    assert len(step.asked) < shapes


@pytest.mark.parametrize(("processors", "at_a_time"), [(1, 1), (2, 1), (6, 3)])
def test_a_program_is_compiled_for_every_two_processors(monkeypatch, processors, at_a_time):
    monkeypatch.setattr("os.cpu_count", lambda: processors)

    class Counted:
        """A step that counts how many programs of it are compiled at a time."""

        def __init__(self):
            self.running, self.most, self.lock = 0, 0, threading.Lock()

        def lower(self, *_):
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            time.sleep(0.05)
            return self

        def compile(self):
            with self.lock:
                self.running -= 1

    step = Counted()
    with compiled_ahead(STEPS, make_state(MODEL, CONFIG), many_shapes(step), None):
        while step.most < at_a_time:
            time.sleep(0.01)
        time.sleep(0.2)
    assert step.most == at_a_time


def test_what_fails_to_compile_fails_where_it_is_needed():
    class Broken:
        def lower(self, *_):
            raise MemoryError("too large")

    broken, state = STEPS._replace(gradient=Broken()), make_state(MODEL, CONFIG)
    failing = compiled_ahead(broken, state, [(broken.gradient, TRAINING, 0, 0)], None)
    with failing as steps, pytest.raises(MemoryError, match="too large"):
        steps.train(state, TRAINING.shapes()[0], np.float32(1))
