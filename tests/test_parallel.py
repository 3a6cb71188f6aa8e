"""However many devices share a batch, what is learnt is the same."""

import functools
import json
import os
import shutil

import jax
import numpy as np
import pytest
from conftest import PAIRS, SMALL, run_script
from jax.sharding import AxisType

from s2s_jax.batching import Examples, choose_buckets, epoch_batches
from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.devices import AXIS
from s2s_jax.models import Seq2Seq
from s2s_jax.optimization import _train_step, make_state, train_step
from s2s_jax.parallel import divide, place, replicate, share

ROWS = 10


@pytest.fixture(scope="module")
def problem():
    """A state, and a batch whose last row is padding."""
    rng = np.random.default_rng(0)
    examples = Examples(
        *([rng.integers(4, 12, n).astype(np.int32) for n in rng.integers(1, 6, 9)] for _ in "st")
    )
    (batch,) = epoch_batches(examples, choose_buckets(examples.lengths(), 1), ROWS)
    config = TrainConfig(optimizer="sgd", learning_rate=0.5)
    return make_state(Seq2Seq(ModelConfig(12, 12, latent_dim=8)), config), batch


def copy(tree):
    """Another copy: a step takes its state away."""
    return jax.tree.map(jax.numpy.array, tree)


def test_shares_of_a_batch_teach_what_all_of_it_teaches(problem):
    (state, batch), devices = problem, 5
    # vmap names an axis as a mesh does, and needs one device.
    step = functools.partial(_train_step, total=functools.partial(jax.lax.psum, axis_name=AXIS))
    shares = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
    found, sums = jax.jit(jax.vmap(step, in_axes=(None, 0), axis_name=AXIS))(state, shares)
    wanted, wanted_sums = train_step(copy(state), batch)
    for each in range(devices):
        np.testing.assert_allclose([x[each] for x in sums], wanted_sums, rtol=1e-6)
        jax.tree.map(
            lambda f, w, k=each: np.testing.assert_allclose(f[k], w, rtol=1e-5, atol=1e-7),
            found.params,
            wanted.params,
        )


def test_a_mesh_of_one_device_gives_the_same_bits(problem):
    state, batch = problem
    mesh = jax.make_mesh((1,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    found = jax.jit(divide(_train_step, mesh))(replicate(state, mesh), place(batch, mesh))
    jax.tree.map(np.testing.assert_array_equal, found, train_step(copy(state), batch))


def test_one_device_is_left_alone(problem):
    state, batch = problem
    assert replicate(state, None) is state
    assert place(batch, None) is batch
    assert share(7, None) == slice(0, 7)


@pytest.mark.parametrize("size", [8, 12])
def test_shares_together_are_the_batch(problem, size):
    """Each of four devices reads its rows; those behind the end of the batch are empty."""
    _, whole = problem
    lengths = whole.source_mask.sum(1)
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, 12, n).astype(np.int32) for n in lengths]
    examples = Examples(sources, sources)
    buckets = choose_buckets(examples.lengths())

    def batches(share):
        return list(epoch_batches(examples, buckets, 7, np.random.default_rng(1), 0, share))

    rows = size // 4
    shares = [batches(slice(k * rows, (k + 1) * rows)) for k in range(4)]
    for number, batch in enumerate(batches(None)):
        for part, wanted in enumerate(batch):
            found = np.concatenate([share[number][part] for share in shares])
            np.testing.assert_array_equal(found[:7], wanted)
            assert not shares[3][number].source_mask[7 - 3 * rows :].any()


@pytest.mark.slow
def test_any_number_of_devices_learns_the_same_and_steps_travel(tmp_path, data_file):
    """8 simulated devices deadlock on few cores unless the pool has far more threads."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "8", "PJRT_NPROC": "32"}

    def train(out, devices, epochs, *more):
        done = run_script(
            "train.py", "--data", data_file, *SMALL, "--batch-size", 5, "--epochs", epochs,
            "--devices", devices, "--out", out, *more, cwd=tmp_path, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"{devices} x cpu," in done.stdout

    def losses(out):
        lines = (tmp_path / out / "metrics.jsonl").read_text().splitlines()
        return [(epoch["loss"], epoch["val_loss"]) for epoch in map(json.loads, lines)]

    def decode(out):
        sources = [source for source, _ in PAIRS]
        done = run_script("decode.py", "--checkpoint", out, *sources, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for devices in (1, 2, 4, 8):
        train(f"on{devices}", devices, 3)
        assert len(losses(f"on{devices}")) == 3
        np.testing.assert_allclose(losses(f"on{devices}"), losses("on1"), rtol=1e-5)
    shutil.copytree(tmp_path / "on1", tmp_path / "on1to8")
    train("on1", 1, 30, "--resume")
    train("on1to8", 8, 30, "--resume")
    train("on8", 1, 30, "--resume")
    for out in ("on1to8", "on8"):
        np.testing.assert_allclose(losses(out)[:6], losses("on1")[:6], rtol=1e-5)
        assert decode(out) == decode("on1") != ""
