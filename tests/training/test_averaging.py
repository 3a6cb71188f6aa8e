"""The moving average of the parameters: what it is, and that it is what is judged and kept."""

import jax
import numpy as np
import pytest
from s2s_testing import PAIRS, draw

from s2s_jax import train
from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.data.batching import Batches
from s2s_jax.errors import Damaged
from s2s_jax.model.seq2seq import Seq2Seq, param_shapes
from s2s_jax.runs.checkpointing import restore_params, restore_state, save_step, step_path
from s2s_jax.runs.folder import all_steps, read_run
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_state
from s2s_jax.training.fitting.step import compiled_steps

MODEL = Seq2Seq(ModelConfig(12, 14, latent_dim=8))
train_step, eval_step = compiled_steps(None).train, compiled_steps(None).evaluate
EVERYTHING = {
    "latent_dim": 8, "dropout": 0.1, "batch_size": 8, "optimizer": "adamw", "weight_decay": 0.1,
    "clip_norm": 0.5, "schedule": "cosine", "warmup": 3, "label_smoothing": 0.1, "ema": 0.9,
    "epochs": 2,
}  # fmt: skip


def assert_same(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_it_is_the_average_by_its_definition_and_is_judged_but_changes_no_update():
    batch = next(Batches(draw(30, 0), 32, max_buckets=1).epoch())
    plain, state = (make_state(MODEL, TrainConfig(ema=ema)) for ema in (0.0, 0.3))
    wanted = jax.device_get(plain.params)
    assert_same(state.average, wanted)
    for t in range(6):
        plain, _ = train_step(plain, batch, np.float32(100))
        state, _ = train_step(state, batch, np.float32(100))
        decay = min(0.3, (1 + t) / (10 + t))
        params = jax.device_get(plain.params)
        wanted = jax.tree.map(lambda a, p, d=decay: d * a + (1 - d) * p, wanted, params)
    jax.tree.map(lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-5), state.average, wanted)
    assert_same(state.params, plain.params)
    averaged = eval_step(plain.replace(params=state.average), batch)
    assert_same(eval_step(state, batch), averaged)
    assert float(averaged.loss) != float(eval_step(plain, batch).loss)


def test_a_step_decodes_with_the_average_and_goes_on_with_the_parameters(tmp_path):
    state = make_state(MODEL, TrainConfig(ema=0.9))
    average = jax.tree.map(lambda x: x + 1, state.average)
    record = TrainingProgress(step=3).to_record()
    save_step(tmp_path, state.params, state.opt_state, record, 1.0, average)
    assert_same(restore_params(tmp_path, 3, state.params), average)
    assert_same(restore_state(tmp_path, 3, state.params, state.opt_state)[0], state.params)
    # Without its files it is damaged: the parameters do not take its place unasked.
    folder = step_path(tmp_path, 3)
    (folder / "average").rename(tmp_path / "elsewhere")
    with pytest.raises(Damaged):
        restore_params(tmp_path, 3, state.params)
    (folder / "params").rename(folder / "average")
    with pytest.raises(Damaged):
        restore_params(tmp_path, 3, state.params)


@pytest.mark.slow
def test_a_run_with_every_option_is_resumed_exactly_and_its_average_started_from(tmp_path):
    def stop(metrics):
        raise InterruptedError

    def saved(name):
        folder = tmp_path / name
        shapes = param_shapes(read_run(folder).config.model)
        return restore_params(folder, all_steps(folder)[-1], shapes)

    whole = train(PAIRS, out=tmp_path / "whole", **EVERYTHING)
    with pytest.raises(InterruptedError):
        train(PAIRS, out=tmp_path / "parts", callbacks=[stop], **EVERYTHING)
    parts = train(PAIRS, out=tmp_path / "parts", resume=True)
    assert_same(saved("parts"), saved("whole"))
    assert [e["val_loss"] for e in parts.history] == [e["val_loss"] for e in whole.history]
    train(PAIRS, out=tmp_path / "on", start_from=tmp_path / "whole", step="latest", epochs=0)
    assert_same(saved("on"), saved("whole"))
