"""Devices and processes: what cannot be had is named, and two processes are as good as one."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time

import jax
import pytest
from jax.sharding import AxisType
from s2s_testing import PAIRS, ROOT, SMALL, run_script

from s2s_jax.errors import UserError
from s2s_jax.runtime import devices
from s2s_jax.runtime.devices import (
    AXIS,
    DeviceRequest,
    agreed_signal,
    check_platform,
    is_same_everywhere,
    of_this_process,
    start,
    together,
)


@pytest.fixture(autouse=True)
def platforms():
    """JAX keeps the devices that it has found; only the wish for others is to be undone."""
    before = jax.config.jax_platforms
    yield
    jax.config.update("jax_platforms", before)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (DeviceRequest(devices=0), "`devices` must be at least 1, not 0"),
        (DeviceRequest(devices=99), r"`devices` 99 asks for more than there are: \d+ x cpu"),
        (DeviceRequest(platform="tpu"), "`platform` tpu: JAX .* finds none here"),
        (DeviceRequest(coordinator="localhost:1"), "go together"),
        (DeviceRequest(num_processes=2, process_id=0), "go together"),
        (DeviceRequest(None, None, "localhost", 2, 0), "must be HOST:PORT, not 'localhost'"),
        (DeviceRequest(None, None, "localhost:1", 2, 2), "one of 0 to 1 .* it is 2"),
        (DeviceRequest(None, None, "localhost:1", 2, -1), "one of 0 to 1 .* it is -1"),
    ],
)
def test_what_cannot_be_had_is_named(request_, message):
    with pytest.raises(UserError, match=message):
        start(request_)


def test_one_device_needs_no_mesh():
    assert start(DeviceRequest(devices=1)) is None
    check_platform(None)
    check_platform("cpu")


SLURM = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "node[1-2]", "SLURM_NTASKS": "2"}


@pytest.mark.parametrize(
    ("environment", "request_", "alone", "wanted"),
    [
        ({}, DeviceRequest(), False, []),
        (SLURM, DeviceRequest(), False, [(None, None, None)]),
        (SLURM, DeviceRequest(), True, []),
        (SLURM | {"SLURM_NTASKS": "1"}, DeviceRequest(), False, []),
        (SLURM, DeviceRequest(None, None, "host:1", 2, 1), False, [("host:1", 2, 1)]),
    ],
)
def test_processes_join_where_flags_or_slurm_say_so(
    monkeypatch, environment, request_, alone, wanted
):
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *where: joined.append(where))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert start(request_, alone) is None
    assert joined == wanted


@pytest.mark.parametrize(
    ("file", "environment", "request_", "joins"),
    [
        ("accel0", {}, DeviceRequest(), True),
        ("vfio/0", {}, DeviceRequest(platform="cpu"), False),
        ("vfio/0", {"COLAB_RELEASE_TAG": "1"}, DeviceRequest(), False),
        ("vfio/vfio", {}, DeviceRequest(), False),
    ],
)
def test_the_library_of_tpus_alone_makes_no_cluster(
    monkeypatch, tmp_path, file, environment, request_, joins
):
    joined = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *where: joined.append(where))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "libtpu" or None)
    files = (f"{tmp_path}/accel*", f"{tmp_path}/vfio/[0-9]*")
    monkeypatch.setattr(devices, "_TPU_FILES", files)
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert start(request_) is None
    assert joined == []  # There is no TPU.
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).touch()
    assert start(request_) is None
    assert joined == ([(None, None, None)] if joins else [])


def test_one_device_of_a_mesh_is_used_without_it():
    mesh = jax.make_mesh((1,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    assert of_this_process(mesh) is of_this_process(None) is None


def test_processes_that_cannot_connect_are_told_how(monkeypatch):
    def fail(*_):
        raise RuntimeError("DEADLINE_EXCEEDED")

    monkeypatch.setattr(jax.distributed, "initialize", fail)
    with pytest.raises(UserError, match=r"could not connect .* \(DEADLINE.*`coordinator`"):
        start(DeviceRequest(None, None, "host:1", 2, 1))


def test_an_error_of_one_is_raised_by_it():
    with together():
        pass
    with pytest.raises(UserError, match="mine"), together():
        raise UserError("mine")


def test_one_process_agrees_with_itself_at_once():
    pending = None
    signum = agreed_signal(lambda: pending)
    assert signum() is None
    pending = signal.SIGTERM
    assert signum() == signum(now=True) == signal.SIGTERM
    assert is_same_everywhere("anything")


def test_a_platform_that_is_not_there_is_one_line(tmp_path, run_here):
    for script in ("train.py", "decode.py"):
        done = run_here(script, "--platform", "tpu")
        assert done.returncode == 2
        assert done.stderr.startswith(f"{script}: error: --platform tpu")
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


EPOCHS = 30


class Pair:
    """The two processes of a run, on this machine."""

    def __init__(self, folder, data_file, *arguments, devices=(1, 1)):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            address = f"localhost:{free.getsockname()[1]}"
        flags = ["--data", data_file, *SMALL, "--out", folder / "run", *arguments]
        flags += ["--coordinator", address, "--num-processes", 2]
        self.logs = [folder / f"log{k}" for k in (0, 1)]
        self.processes = [
            subprocess.Popen(
                [sys.executable, ROOT / "train.py", *map(str, flags), "--process-id", str(k)],
                stdout=log.open("w"), stderr=subprocess.STDOUT, cwd=folder,
                env=os.environ | {"JAX_NUM_CPU_DEVICES": str(devices[k]), "PJRT_NPROC": "16"},
            )
            for k, log in enumerate(self.logs)
        ]  # fmt: skip

    def wait(self):
        """The exit statuses of both."""
        try:
            return [process.wait(timeout=300) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()

    def wait_for_epoch(self, metrics, epoch):
        """Returns once that many epochs are done."""
        end = time.monotonic() + 200
        while not metrics.exists() or len(metrics.read_text().splitlines()) < epoch:
            assert time.monotonic() < end
            assert [process.poll() for process in self.processes] == [None, None]
            time.sleep(0.05)

    def printed(self, k):
        """What process `k` said; the Gloo library announces itself."""
        lines = self.logs[k].read_text().splitlines()
        return [line for line in lines if not line.startswith("[Gloo]")]


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [(epoch["loss"], epoch["val_loss"]) for epoch in map(json.loads, lines)]


def decode(folder):
    return run_script(
        "decode.py", "--checkpoint", folder, *[source for source, _ in PAIRS], cwd=folder
    ).stdout


@pytest.mark.slow
def test_two_processes_killed_stopped_and_resumed_equal_one(tmp_path, data_file):
    run, metrics = tmp_path / "run", tmp_path / "run" / "metrics.jsonl"
    long = ("--epochs", 100_000)
    first = Pair(tmp_path, data_file, *long)
    first.wait_for_epoch(metrics, 2)
    first.processes[1].kill()
    statuses = first.wait()
    assert statuses[1] == -signal.SIGKILL
    assert statuses[0] != 0  # JAX ends a process that has lost another.
    killed = len(losses(run))

    second = Pair(tmp_path, data_file, "--resume", *long)
    second.wait_for_epoch(metrics, killed + 2)
    second.processes[1].terminate()
    assert second.wait() == [-signal.SIGTERM] * 2
    assert "Stopped" in second.logs[0].read_text()
    assert second.printed(1) == []
    stopped = len(losses(run))
    assert stopped >= killed + 2

    epochs = stopped + EPOCHS
    third = Pair(tmp_path, data_file, "--resume", "--epochs", epochs)
    assert third.wait() == [0, 0]
    assert "2 x cpu of 2 processes" in third.logs[0].read_text()
    assert third.printed(1) == []
    one = run_script(
        "train.py", "--data", data_file, *SMALL, "--epochs", epochs, "--out", "one", cwd=tmp_path
    )
    assert one.returncode == 0, one.stderr
    # Rounding differs, and grows over the epochs; at first it is nowhere to be seen.
    for found, wanted in zip(losses(run)[:3], losses(tmp_path / "one")[:3], strict=True):
        assert found == pytest.approx(wanted, rel=1e-5)
    assert decode(run) == decode(tmp_path / "one") != ""


@pytest.mark.slow
def test_processes_of_unequal_numbers_of_devices_read_each_row_once(tmp_path, data_file):
    pair = Pair(tmp_path, data_file, "--epochs", 3, "--batch-size", 6, devices=(2, 1))
    assert pair.wait() == [0, 0]
    assert "3 x cpu of 2 processes" in pair.logs[0].read_text()
    one = run_script(
        "train.py", "--data", data_file, *SMALL, "--batch-size", 6, "--epochs", 3, "--out", "one",
        cwd=tmp_path,
    )  # fmt: skip
    assert one.returncode == 0, one.stderr
    for found, wanted in zip(losses(tmp_path / "run"), losses(tmp_path / "one"), strict=True):
        assert found == pytest.approx(wanted, rel=1e-5)
