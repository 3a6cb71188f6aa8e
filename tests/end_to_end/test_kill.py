"""Kill -9 at any moment, a full disk, two processes at once: with real processes."""

import os
import signal
import subprocess
import sys

import pytest
from kill_many import end_of, kill_many
from s2s_testing import ROOT, SMALL, run_script

pytestmark = pytest.mark.slow


def test_a_run_killed_twenty_times_ends_as_one_left_in_peace(tmp_path):
    found = kill_many(tmp_path, kills=20, seed=7)
    assert found.same
    assert found.in_saves >= 3  # So that the test is no fiction.


def train(data, out, *more):
    command = [sys.executable, ROOT / "train.py", "--data", data, "--out", out, *SMALL, *more]
    return subprocess.Popen(
        [*map(str, command)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=out.parent,
    )  # fmt: skip


def wait_for(stream, words):
    for line in stream:
        if words in line:
            return line
    raise AssertionError(f"never said: {words}")


def test_training_goes_on_while_the_disk_is_full(small_disk, data_file):
    run = small_disk / "run"
    small = ["--epochs", 5000, "--latent-dim", 8]
    process = train(data_file, run, *small)
    wait_for(process.stdout, "  loss ")
    room = small_disk / "somebody else's"
    with room.open("wb") as file:
        try:
            while True:
                os.write(file.fileno(), b"x" * 4096)
        except OSError:
            pass
    said = wait_for(process.stderr, "could not be saved")
    assert "No space left" in said and said.count("\n") == 1
    wait_for(process.stdout, "  loss ")
    # What was saved before is whole, and after there is room again the run is saved.
    assert run_script("decode.py", "--checkpoint", run, "He eats.", cwd="/").returncode == 0
    room.unlink()
    for _ in range(20):
        wait_for(process.stdout, "  loss ")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT, out
    assert "what was reached is saved" in out
    reached = len((run / "metrics.jsonl").read_text().splitlines())
    for folder, more in ((run, ["--resume"]), (small_disk.parent / "whole", [])):
        process = train(data_file, folder, *small, "--epochs", reached + 1, *more)
        assert process.communicate(timeout=100)[1] == ""
    assert end_of(run)[0][1] == end_of(small_disk.parent / "whole")[0][1]


def test_the_second_process_on_a_run_is_refused_and_the_first_goes_on(tmp_path, data_file):
    first = train(data_file, tmp_path / "run", "--epochs", 5000)
    wait_for(first.stdout, "  loss ")
    for more in (["--resume"], ["--overwrite"]):
        second = train(data_file, tmp_path / "run", *more)
        out, said = second.communicate(timeout=60)
        assert (second.returncode, out) == (2, "")
        assert f"process {first.pid}" in said and said.count("\n") == 1
    wait_for(first.stdout, "  loss ")
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == -signal.SIGTERM
    first.communicate()
