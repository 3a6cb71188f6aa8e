"""However many devices share a batch, what is learnt is the same."""

import functools
import json
import os
import shutil
import types

import jax
import numpy as np
import pytest
from jax.sharding import AxisType
from s2s_testing import PAIRS, SMALL, run_script

from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.data.batching import Batches, Examples
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runtime.devices import AXIS
from s2s_jax.runtime.parallel import (
    deal,
    one_copy,
    place,
    replicate,
    run_rows,
    share,
)
from s2s_jax.training.fitting.state import make_state
from s2s_jax.training.fitting.step import compiled_steps

ROWS = 10
STEPS = compiled_steps(None)


@pytest.fixture(scope="module")
def problem():
    """A state, and a batch whose last row is padding."""
    rng = np.random.default_rng(0)
    examples = Examples(
        *([rng.integers(4, 12, n).astype(np.int32) for n in rng.integers(1, 6, 9)] for _ in "st")
    )
    (batch,) = Batches(examples, ROWS, max_buckets=1).epoch()
    config = TrainConfig(optimizer="sgd", learning_rate=0.5)
    return make_state(Seq2Seq(ModelConfig(12, 12, latent_dim=8, dropout=0.3)), config), batch


def copy(tree):
    """Another copy: a step takes its state away."""
    return jax.tree.map(jax.numpy.array, tree)


@pytest.mark.slow
def test_shares_of_a_batch_teach_what_all_of_it_teaches(problem):
    (state, batch), devices = problem, 5
    # vmap names an axis as a mesh does, and needs one device.
    total = functools.partial(jax.lax.psum, axis_name=AXIS)
    step = functools.partial(STEPS.gradient.__wrapped__, total=total)
    shares = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), STEPS.rows(state, batch))
    found, sums = jax.jit(jax.vmap(step, in_axes=(None, 0, None), axis_name=AXIS))(
        state, shares, 30.0
    )
    wanted, wanted_sums = STEPS.gradient(state, STEPS.rows(state, batch), 30.0)
    for each in range(devices):
        np.testing.assert_allclose([x[each] for x in sums], wanted_sums, rtol=1e-6)
        jax.tree.map(
            lambda f, w, k=each: np.testing.assert_allclose(f[k], w, rtol=1e-5, atol=1e-7),
            found,
            wanted,
        )


def test_a_mesh_of_one_device_gives_the_same_bits(problem):
    state, batch = problem
    mesh = jax.make_mesh((1,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    divided = compiled_steps(mesh)
    found = divided.train(replicate(copy(state), mesh), place(batch, mesh), 30.0)
    jax.tree.map(np.testing.assert_array_equal, found, STEPS.train(copy(state), batch, 30.0))


def test_one_device_is_left_alone(problem):
    state, batch = problem
    assert replicate(state, None) is state
    assert place(batch, None) is batch
    assert share(7, None) == slice(0, 7)


def test_processes_with_more_devices_read_more_rows():
    devices = [["a1", "a2", "a3", "a4"], ["b1", "b2"], ["c1"]]
    of_all = np.concatenate(devices)
    meshes = [
        types.SimpleNamespace(size=7, devices=of_all, local_devices=local) for local in devices
    ]
    assert [share(13, mesh) for mesh in meshes] == [slice(0, 8), slice(8, 12), slice(12, 14)]


def test_a_mesh_runs_a_program_on_its_rows():
    mesh = jax.make_mesh((1,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    rows, params = (np.arange(6.0).reshape(3, 2), np.arange(3)), {"w": np.ones(2)}

    def program(power, params, x, n, limit):
        return {"all": (x * params["w"]) ** power, "few": jax.numpy.minimum(n, limit)}

    held = replicate(params, mesh)
    found = run_rows(program, (2,), held, rows, (1,), mesh)
    wanted = run_rows(program, (2,), params, rows, (1,), None)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    jax.tree.map(np.testing.assert_array_equal, one_copy(held), params)


def test_rows_are_dealt_out_like_cards_and_collected():
    rows = np.arange(24).reshape(12, 2)
    dealt = deal(rows, 4, 3)
    for device in range(3):
        np.testing.assert_array_equal(dealt[4 * device : 4 * device + 4], rows[device::3])
    np.testing.assert_array_equal(deal(dealt, 3, 4), rows)


@pytest.mark.parametrize("size", [8, 12])
def test_shares_together_are_the_batch(problem, size):
    """Each of four devices reads its rows; those behind the end of the batch are empty."""
    _, whole = problem
    lengths = whole.source_mask.sum(1)
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, 12, n).astype(np.int32) for n in lengths]
    examples = Examples(sources, sources)

    def batches(share):
        return list(Batches(examples, 7, seed=1).epoch(share=share))

    rows = size // 4
    shares = [batches(slice(k * rows, (k + 1) * rows)) for k in range(4)]
    for number, batch in enumerate(batches(None)):
        for part, wanted in enumerate(batch):
            found = np.concatenate([share[number][part] for share in shares])
            np.testing.assert_array_equal(found[:7], wanted)
            assert not shares[3][number].source_mask[7 - 3 * rows :].any()


def simulated(devices):
    """The environment of a process that finds so many devices.

    They deadlock on few cores unless the pool has far more threads than devices.
    """
    return os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "PJRT_NPROC": "32"}


def losses(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [(epoch["loss"], epoch["val_loss"]) for epoch in map(json.loads, lines)]


@pytest.mark.slow
def test_two_devices_learn_and_answer_as_one(tmp_path, data_file, run_here):
    def on_both(*arguments):
        done = run_script(*arguments, cwd=tmp_path, env=simulated(2))
        assert done.returncode == 0, done.stderr
        return done.stdout

    train = [
        "train.py", "--data", data_file, *SMALL, "--batch-size", 5, "--epochs", 3, "--clip-norm", 1,
        "--optimizer", "adamw", "--schedule", "cosine", "--warmup", 3, "--label-smoothing", 0.1,
        "--dropout", 0.2, "--ema", 0.9, "--attention", "luong", "--embedding-dim", 4,
        "--attend-embeddings", "--attention-heads", 2, "--out",
    ]  # fmt: skip
    assert "2 x cpu," in on_both(*train, "on2")
    run_here(*train, "on1")
    assert len(losses(tmp_path / "on2")) == 3
    np.testing.assert_allclose(losses(tmp_path / "on2"), losses(tmp_path / "on1"), rtol=1e-5)
    decode = ["decode.py", "--checkpoint", "on2", *(source for source, _ in PAIRS)]
    assert on_both(*decode) == run_here(*decode).stdout != ""


@pytest.mark.slow
def test_any_number_of_devices_learns_the_same_and_steps_travel(tmp_path, data_file):
    def train(out, devices, epochs, *more):
        done = run_script(
            "train.py", "--data", data_file, *SMALL, "--batch-size", 5, "--epochs", epochs,
            "--devices", devices, "--out", out, *more, cwd=tmp_path, env=simulated(8),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert f"{devices} x cpu," in done.stdout
        return losses(tmp_path / out)

    def decode(out):
        sources = [source for source, _ in PAIRS]
        done = run_script("decode.py", "--checkpoint", out, *sources, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    wanted = train("on1", 1, 3)
    assert len(wanted) == 3
    for devices in (2, 4, 8):
        np.testing.assert_allclose(train(f"on{devices}", devices, 3), wanted, rtol=1e-5)
    shutil.copytree(tmp_path / "on1", tmp_path / "on1to8")
    wanted = train("on1", 1, 30, "--resume")
    for out, devices in (("on1to8", 8), ("on8", 1)):
        found = train(out, devices, 30, "--resume")
        np.testing.assert_allclose(found[:6], wanted[:6], rtol=1e-5)
        assert decode(out) == decode("on1") != ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["--scores"],
        ["--beam", 3, "--n-best", 2, "--scores", "--batch-size", 21],
        ["--sample", "--seed", 5, "--scores", "--batch-size", 20],
        ["--score"],
    ],
)
def test_any_number_of_devices_decodes_the_same(trained, tmp_path, flags):
    """Nothing goes from device to device, so here no thread waits for another."""
    # Of many lengths, and so many that no number of devices divides them.
    lines = [" ".join(s for s, _ in PAIRS[i : i + 1 + i % 3]) for i in range(20)] * 2 + ["", "Tom."]
    text = "".join(f"{line}\t{PAIRS[i % 20][1]}\n" for i, line in enumerate(lines))

    def decode(devices):
        done = run_script(
            "decode.py", "--checkpoint", trained[1], "--devices", devices, *flags, cwd=tmp_path,
            stdin=text if "--score" in flags else "\n".join(lines) + "\n", env=simulated(8),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        columns = [line.split("\t") for line in done.stdout.splitlines()]
        numbers = [float(x) for row in columns for x in row if x.startswith("-")]
        texts = [[x for x in row if not x.startswith("-")] for row in columns]
        return (texts, done.stderr), numbers

    answers, numbers = decode(1)
    assert len(answers[0]) == len(lines)
    for devices in (2, 4, 8):
        found, found_numbers = decode(devices)
        assert found == answers
        np.testing.assert_allclose(found_numbers, numbers, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_run_is_judged_alike_by_any_number_of_devices(trained, tmp_path, data_file):
    def judge(devices):
        done = run_script(
            "decode.py", "--checkpoint", trained[1], "--devices", devices, "--evaluate", data_file,
            "--output", f"on{devices}", "--json", cwd=tmp_path, env=simulated(8),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout)
        del figures["sentences_per_second"]
        return figures, (tmp_path / f"on{devices}").read_text()

    (figures, answers), (wanted, wanted_answers) = judge(8), judge(1)
    assert answers == wanted_answers
    for name, value in wanted.items():
        assert figures[name] == pytest.approx(value)

    sentence = ["decode.py", "--checkpoint", trained[1], "He eats."]
    alone = run_script(*sentence, cwd=tmp_path)
    assert run_script(*sentence, cwd=tmp_path, env=simulated(8)).stdout == alone.stdout != ""
    refused = run_script(*sentence, "--devices", 9, cwd=tmp_path, env=simulated(8))
    assert refused.returncode == 2
    assert (
        refused.stderr == "decode.py: error: --devices 9 asks for more than there are: 8 x cpu.\n"
    )
