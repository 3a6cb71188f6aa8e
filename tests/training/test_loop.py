import dataclasses
import functools
import math
import types
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_testing import draw

from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.data.batching import Batches, Examples
from s2s_jax.model.losses import Sums
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.training.fitting import loop, validation
from s2s_jax.training.fitting.loop import MOST_SKIPPED, NotFinite, fit
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_state
from s2s_jax.training.fitting.step import compiled_steps
from s2s_jax.training.fitting.validation import validation_sums

CONFIG = TrainConfig(epochs=3, batch_size=4, seed=1)
MODEL = Seq2Seq(ModelConfig(12, 14, latent_dim=8))
# With every option of regularization.
EVERYTHING = TrainConfig(
    epochs=3, batch_size=4, seed=1, optimizer="adamw", weight_decay=0.1, clip_norm=0.5,
    schedule="cosine", warmup=5, label_smoothing=0.1, ema=0.9,
)  # fmt: skip
train_step = compiled_steps(None).train
DROPPING = Seq2Seq(dataclasses.replace(MODEL.config, dropout=0.2))


TRAINING, VALIDATION = draw(30, 0), draw(7, 1)
NOTHING = Batches(Examples([], []), 4)
# To be learned: the first symbol. One shape, so that a step is compiled once.
COPIES = Examples(TRAINING.sources, [ids[:1] for ids in TRAINING.sources])


class Watcher:
    """Remembers what it is told, and can stop training after some steps."""

    def __init__(self, stop_after=math.inf):
        self.metrics, self.steps, self.asked, self.stop_after = [], [], 0, stop_after

    def on_step(self, progress):
        assert (progress.sums.tokens > 0) == (progress.skipped < progress.batch)
        self.steps.append(progress.step)

    def on_epoch(self, metrics):
        self.metrics.append(metrics)

    def should_stop(self):
        self.asked += 1
        return self.asked >= self.stop_after


def watched_by(watcher):
    watcher = watcher or Watcher()
    told = {"on_step": watcher.on_step, "on_epoch": [watcher.on_epoch]}
    return told | {"should_stop": watcher.should_stop}


def batches(examples, config=CONFIG):
    return Batches(examples, config.batch_size, config.seed)


def train(
    state=None, progress=None, config=CONFIG, validation=VALIDATION, listener=None, model=MODEL
):
    """Fits; returns the last state, the progress, and everything that was saved."""
    saved = []

    def save(state, progress):
        arrays = {name: getattr(state, name) for name in ("params", "opt_state", "average")}
        saved.append((jax.device_get(arrays), progress))

    parts = batches(TRAINING, config), Batches(validation, 4)
    state, progress = fit(
        state or make_state(model, config), progress or TrainingProgress(), *parts, config,
        save=save, **watched_by(listener),
    )  # fmt: skip
    return state, progress, saved


def assert_same(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def without_times(history):
    return [{k: v for k, v in epoch.items() if "second" not in k} for epoch in history]


@pytest.mark.parametrize(("config", "model"), [(CONFIG, MODEL), (EVERYTHING, DROPPING)])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(config, model):
    wanted, progress, _ = train(config=config, model=model)
    reached_steps = set()
    for stop_after in (1, 8, 11, 20):  # Within and at the end of epochs of 8 batches.
        _, _, saved = train(config=config, model=model, listener=Watcher(stop_after))
        arrays, reached = saved[-1]
        reached_steps.add(reached.step)
        state = make_state(model, config).replace(
            **jax.device_put(arrays), step=jnp.int32(reached.step)
        )
        found, resumed, _ = train(state, reached, config)
        assert_same(found.params, wanted.params)
        assert_same(found.opt_state, wanted.opt_state)
        assert_same(found.average, wanted.average)
        assert resumed.step == progress.step == 24
        assert without_times(resumed.history) == without_times(progress.history)
    assert len(reached_steps - {24}) == 4


def test_more_epochs_later_equal_more_epochs_at_once():
    wanted, _, _ = train()
    state, progress, _ = train(config=dataclasses.replace(CONFIG, epochs=1))
    found, _, _ = train(state, progress)
    assert_same(found.params, wanted.params)


@pytest.mark.slow
def test_raising_the_epochs_of_a_schedule_goes_on_with_that_of_the_longer_run():
    def rates(progress):
        return [epoch["learning_rate"] for epoch in progress.history]

    _, whole, _ = train(config=EVERYTHING)
    short = dataclasses.replace(EVERYTHING, epochs=1)
    state, progress, _ = train(config=short)
    assert rates(progress) == [pytest.approx(short.learning_rate / 100)]
    _, longer, _ = train(state, progress, EVERYTHING)
    assert rates(longer) == [*rates(progress), *rates(whole)[1:]]
    assert rates(whole)[2] < rates(whole)[1] < rates(whole)[0]
    assert rates(train()[1]) == [CONFIG.learning_rate] * 3


@pytest.mark.slow
def test_plateau_lowers_the_rate_of_the_epochs_after_it():
    config = dataclasses.replace(
        CONFIG, optimizer="sgd", learning_rate=1e-12, epochs=6, schedule="plateau"
    )
    _, progress, _ = train(config=config)
    found = [epoch["learning_rate"] for epoch in progress.history]
    losses = [epoch["val_loss"] for epoch in progress.history]
    assert losses.index(min(losses)) == 0
    assert found == [1e-12 * share for share in (1, 1, 1, 0.5, 0.5, 0.25)]


def test_metrics_are_those_of_the_parameters_saved():
    _, progress, saved = train()
    for arrays, at in saved:
        state = make_state(MODEL, CONFIG).replace(params=jax.device_put(arrays["params"]))
        sums = validation_sums(state, Batches(VALIDATION, 4))
        assert sums.tokens == sum(len(t) + 1 for t in VALIDATION.targets)
        assert at.history[-1]["val_loss"] == pytest.approx(sums.loss / sums.tokens, rel=1e-6)
    assert [epoch["epoch"] for epoch in progress.history] == [1, 2, 3]


def test_it_learns_what_can_be_learned():
    config = TrainConfig(epochs=60, batch_size=4, optimizer="adam", learning_rate=0.02)
    _, progress = fit(
        make_state(MODEL, config), TrainingProgress(), batches(COPIES, config), NOTHING, config,
        save=lambda *_: None, **watched_by(None),
    )  # fmt: skip
    assert progress.history[-1]["accuracy"] > 0.99
    assert progress.history[-1]["loss"] < 0.1
    assert "val_loss" not in progress.history[-1]


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adamw", "sgd"])
def test_every_optimizer_lowers_the_loss(optimizer):
    config = dataclasses.replace(CONFIG, optimizer=optimizer, epochs=6)
    _, progress = fit(
        make_state(MODEL, config), TrainingProgress(), batches(COPIES, config), NOTHING, config,
        save=lambda *_: None, **watched_by(None),
    )  # fmt: skip
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]


def test_patience_ends_a_run_that_gets_no_better():
    config = dataclasses.replace(
        CONFIG, optimizer="sgd", learning_rate=1e-12, epochs=50, patience=3
    )
    _, progress, _ = train(config=config)
    losses = [epoch["val_loss"] for epoch in progress.history]
    assert len(losses) < 50
    assert len(losses) - 1 - losses.index(min(losses)) == 3


@pytest.mark.slow
def test_bfloat16_learns_nearly_what_float32_does():
    config = dataclasses.replace(CONFIG, optimizer="adam", learning_rate=0.01, epochs=5)
    losses = []
    for dtype in (jnp.float32, jnp.bfloat16):
        state, progress, _ = train(make_state(Seq2Seq(MODEL.config, dtype), config), config=config)
        losses.append(progress.history[-1]["val_loss"])
        kept = {x.dtype for x in jax.tree.leaves((state.params, state.opt_state)) if x.ndim}
        assert kept == {jnp.dtype("float32")}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_seed_decides_everything():
    def run(seed):
        return train(config=dataclasses.replace(CONFIG, seed=seed, epochs=1))[0].params

    first = run(5)
    assert_same(run(5), first)
    different = jax.tree.map(lambda a, b: (a != b).any(), first, run(6))
    assert any(jax.tree.leaves(different))


def test_a_stop_after_the_last_batch_completes_the_epoch():
    _, progress, saved = train(listener=Watcher(stop_after=8))
    assert (progress.epoch, progress.batch, progress.step) == (1, 0, 8)
    assert saved[-1][1] == progress and "val_loss" in progress.history[-1]


@functools.cache  # The same function is compiled once.
def poisoned_apply(what):
    """A model whose loss, or gradient alone, is not finite in batches with the symbol 11."""

    def apply_fn(variables, source, mask, target_inputs):
        logits = MODEL.apply(variables, source, mask, target_inputs)
        bad = (source == 11).any()
        if what == "loss":
            return logits * jnp.where(bad, jnp.nan, 1.0)
        total = sum(leaf.sum() for leaf in jax.tree.leaves(variables))
        # Zero, and for the symbol 11 of infinite slope.
        return logits + jnp.sqrt(jnp.where(bad, 0.0, 1.0) + total * 0.0) - jnp.where(bad, 0.0, 1.0)

    return apply_fn


def poisoned(what):
    """A state of such a model."""
    return make_state(MODEL, CONFIG).replace(apply_fn=poisoned_apply(what))


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_an_update_that_is_not_finite_changes_nothing_and_is_counted(what):
    state = poisoned(what)
    before = jax.device_get((state.params, state.opt_state))
    good = Examples([np.int32([4, 5, 6])] * 4, [np.int32([4])] * 4)
    bad = Examples([np.int32([4, 5, 11])] * 4, good.targets)
    good, bad = (next(batches(e).epoch()) for e in (good, bad))
    state, sums = train_step(state, bad, 9.0)
    assert_same(jax.device_get((state.params, state.opt_state)), before)
    assert tuple(map(float, sums)) == (0, 0, 0)
    state, sums = train_step(state, good, 9.0)
    alone, wanted = train_step(poisoned(what), good, 9.0)
    assert_same((state.params, state.opt_state, sums), (alone.params, alone.opt_state, wanted))
    assert float(sums.tokens) > 0


def some_poisoned(share):
    """The training pairs, with the symbol 11 in some of the sources and in no other."""
    rng = np.random.default_rng(3)
    sources = [np.minimum(source, 10) for source in TRAINING.sources]
    sources = [
        np.append(s[:-1], 11).astype(np.int32) if rng.random() < share else s for s in sources
    ]
    return Examples(sources, TRAINING.targets)


def fit_poisoned(examples, state, progress=None, listener=None):
    saved = []

    def save(state, progress):
        saved.append((jax.device_get((state.params, state.opt_state)), progress))

    try:
        fit(state, progress or TrainingProgress(), batches(examples), NOTHING, CONFIG, save=save,
            **watched_by(listener))  # fmt: skip
    except NotFinite as stopped:
        return saved, stopped
    return saved, None


def test_skipped_updates_are_in_the_metrics_and_not_in_the_loss():
    examples = some_poisoned(0.05)
    saved, stopped = fit_poisoned(examples, poisoned("loss"))
    assert stopped is None
    history = saved[-1][1].history
    assert sum(epoch["skipped_updates"] for epoch in history) >= 3
    assert all(math.isfinite(epoch["loss"]) for epoch in history)
    # An interruption anywhere changes neither.
    (arrays, broken_off), *_ = fit_poisoned(examples, poisoned("loss"), listener=Watcher(5))[0]
    params, opt_state = jax.device_put(arrays)
    state = poisoned("loss").replace(params=params, opt_state=opt_state)
    resumed, _ = fit_poisoned(examples, state, broken_off)
    assert_same(resumed[-1][0], saved[-1][0])
    assert without_times(resumed[-1][1].history) == without_times(history)


def test_several_in_a_row_end_the_run_with_its_state_saved_and_the_batch_named():
    examples = some_poisoned(1.0)
    before = jax.device_get(make_state(MODEL, CONFIG).params)
    saved, stopped = fit_poisoned(examples, poisoned("loss"))
    (arrays, progress) = saved[-1]
    assert_same(arrays[0], before)
    assert progress.step == stopped.step == progress.skipped >= MOST_SKIPPED
    rows = batches(examples).rows(epoch=0)[progress.batch - 1]
    assert stopped.rows.tolist() == rows.tolist()


def test_a_row_of_skipped_updates_is_noticed_wherever_it_ends():
    """As often as a signal or a save reads the sums: neither may decide whether a run ends."""
    order = batches(TRAINING).rows(epoch=0)
    bad = np.concatenate(order[1 : 1 + MOST_SKIPPED])
    sources = [np.minimum(source, 10) for source in TRAINING.sources]
    for row in bad:
        sources[row] = np.append(sources[row][:-1], 11).astype(np.int32)
    examples = Examples(sources, TRAINING.targets)
    for listener in (Watcher(), Watcher(3)):
        saved, stopped = fit_poisoned(examples, poisoned("loss"), listener=listener)
        if stopped is None:  # At step 3, by the listener: resume.
            (params, opt_state), reached = saved[-1]
            assert (reached.step, reached.skipped_in_row) == (3, 2)
            state = poisoned("loss").replace(
                params=jax.device_put(params), opt_state=jax.device_put(opt_state)
            )
            saved, stopped = fit_poisoned(examples, state, reached)
        assert stopped.step == 1 + MOST_SKIPPED
        assert stopped.rows.tolist() == order[MOST_SKIPPED].tolist()
        assert saved[-1][1].skipped == MOST_SKIPPED


class Unread(NamedTuple):
    """Stands for sums on the device; the counter tells how many of them nobody has read."""

    counter: list

    def read(self):
        self.counter[0] -= 1
        return Sums(1.0, 1.0, 1.0)


@pytest.mark.parametrize("part", ["training", "validation"])
def test_the_device_is_kept_busy_and_never_by_more_than_a_few_batches(monkeypatch, part):
    unread, most = [0], []

    def step(state, batch, *_):
        unread[0] += 1
        most.append(unread[0])
        return (state, Unread(unread)) if part == "training" else Unread(unread)

    steps = types.SimpleNamespace(train=step, evaluate=step, gradient=step)
    for module in (loop, validation):
        monkeypatch.setattr(module, "compiled_steps", lambda mesh: steps)
    monkeypatch.setattr(loop.jax, "device_get", lambda sums: sums.read())
    source = Batches(draw(200, 0), 4)
    if part == "training":
        watcher = Watcher()
        loop.train_epoch(None, TrainingProgress(), source, save=None, on_step=watcher.on_step)
        assert watcher.steps == list(range(1, 51))
    else:
        assert validation_sums(None, source).tokens == 50
    assert unread == [0]
    assert max(most) == most[-1] == 8  # Busy with seven others while one is read.


def test_a_run_saved_every_few_steps_goes_on_from_each_of_them_exactly():
    config = dataclasses.replace(CONFIG, save_every=3)
    state, progress, saved = train(config=config)
    whole, _, _ = train()
    assert_same(state.params, whole.params)
    steps = [p.step for _, p in saved]
    assert {n for n in range(1, progress.step) if n % 3 == 0} < set(steps)
    for arrays, reached in saved[1:4]:
        again = make_state(MODEL, config).replace(**jax.device_put(arrays))
        again, end, _ = train(again, reached, config)
        assert_same((again.params, again.opt_state), (state.params, state.opt_state))
        assert without_times(end.history) == without_times(progress.history)
