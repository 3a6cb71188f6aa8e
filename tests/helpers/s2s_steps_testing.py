"""Steps of a run for tests: odd parameters, a moved optimizer state, and where they are kept."""

import jax
import numpy as np

from s2s_jax.config import TrainConfig
from s2s_jax.model.losses import Sums
from s2s_jax.runs.checkpointing import restore_params, restore_state, save_step
from s2s_jax.runs.folder import all_steps
from s2s_jax.runs.steps import find_step, prune_steps
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_optimizer

PROGRESS = TrainingProgress(
    step=6,
    epoch=2,
    batch=1,
    sums=Sums(0.1 + 0.2, 7.0, 2.0**53),
    seconds=1 / 3,
    history=({"epoch": 1, "loss": 1e-300, "val_loss": None}, {"epoch": 2, "loss": 0.1}),
)


def make_params(rows=40):
    rng = np.random.default_rng(0)
    odd = [np.nan, np.inf, -0.0, 1e-45, np.finfo(np.float32).max, 1 / 3]
    return {
        "encoder": {"cell": {"kernel": rng.normal(size=(rows, 50)).astype(np.float32)}},
        "decoder": {"bias": np.array(odd, np.float32), "scale": np.float32([[2.5]])},
    }


def make_opt_state(params, optimizer="adam", clip_norm=0.0):
    """An optimizer's state that two updates have moved from where it began."""
    tx = make_optimizer(TrainConfig(optimizer=optimizer, clip_norm=clip_norm))
    state = tx.init(params)
    for scale in (1.0, -0.3):
        gradients = jax.tree.map(
            lambda x, scale=scale: np.clip(np.nan_to_num(x), -1, 1) * scale, params
        )
        _, state = tx.update(gradients, state, params)
    return jax.device_get(state)


PARAMS = make_params()
OPT_STATE = make_opt_state(PARAMS)


def same(a, b):
    """Whether two trees are equal in structure and bit for bit."""
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes() for x, y in pairs
    )


def save(folder, progress=PROGRESS, val_loss=1.5, params=PARAMS, opt_state=OPT_STATE):
    save_step(folder, params, opt_state, progress.to_record(), val_loss)
    prune_steps(folder)


def kept(folder):
    return all_steps(folder)


def found(folder, which):
    return find_step(folder, which)


def assert_reads(folder, which="best"):
    step = find_step(folder, which)
    assert same(restore_params(folder, step, PARAMS), PARAMS)
    params, opt_state, record = restore_state(folder, step, PARAMS, OPT_STATE)
    assert same(params, PARAMS)
    assert same(opt_state, OPT_STATE)
    progress = TrainingProgress.from_record(record)
    assert progress == PROGRESS
    return step
