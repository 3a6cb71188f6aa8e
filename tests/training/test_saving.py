"""Disks that are full, folders that cannot be written to: said, survived, and nothing lost."""

import os
import shutil
import subprocess
import types

import pytest
from s2s_steps_testing import OPT_STATE, PARAMS, found, kept, make_params, same

from s2s_jax.errors import RunWarning, UserError
from s2s_jax.pictures import CARD, CURVES
from s2s_jax.pictures.card import _OURS
from s2s_jax.runs.checkpointing import read_rank, restore_params
from s2s_jax.runs.folder import EVALUATION, METRICS, STEPS
from s2s_jax.training import saving
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.saving import Saver

# Tensorstore's threads report to an event loop that a failed write has closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def state(seed_rows=40):
    return types.SimpleNamespace(params=make_params(seed_rows), opt_state=OPT_STATE, average=None)


def progress(step, loss=1.0):
    return TrainingProgress(step, history=({"val_loss": loss},))


def params_of(folder, which, like=PARAMS):
    return restore_params(folder, found(folder, which), like)


def test_what_can_be_saved_is_saved_in_silence(tmp_path):
    saver = Saver(tmp_path)
    saver(state(), progress(1, 1.0))
    assert saver.failure is None
    assert kept(tmp_path) == [1]
    assert (tmp_path / METRICS).read_text() == '{"val_loss": 1.0}\n'
    saver.finish(lambda: False)


def test_a_step_in_the_middle_of_an_epoch_is_none_of_the_best(tmp_path):
    saver = Saver(tmp_path)
    saver(state(), progress(1, 3.0))
    saver(state(), TrainingProgress(2, batch=1, history=({"val_loss": 1.0},)))
    assert read_rank(tmp_path, 1) == (0.0, 3.0)
    assert read_rank(tmp_path, 2) is None


def test_what_is_out_of_date_after_a_step_is_taken_away(tmp_path):
    for name in (EVALUATION, CURVES, CARD):
        (tmp_path / name).write_text(_OURS + "\n")
    Saver(tmp_path)(state(), progress(1, 1.0))
    assert {path.name for path in tmp_path.iterdir()} == {METRICS, STEPS}


def test_of_those_that_wait_the_one_of_the_fewest_errors_is_kept(tmp_path, monkeypatch):
    saver = Saver(tmp_path)
    figures = [(0.5, 1.0), (0.2, 3.0), (0.4, 0.5), (None, None)]
    with monkeypatch.context() as failing:
        failing.setattr(saving, "save_step", lambda *_: 1 / 0)
        for step, (error, loss) in enumerate(figures, 1):
            history = ({"val_loss": loss, "val_error": error},)
            with pytest.warns(RunWarning, match="could not be saved"):
                saver(state(40 + step), TrainingProgress(step, history=history))
    saver(state(45), TrainingProgress(5))
    assert kept(tmp_path) == [2, 4, 5]
    assert found(tmp_path, "best") == 2


def test_a_full_disk_is_said_and_what_was_there_stays_whole(small_disk):
    saver = Saver(small_disk)
    saver(state(), progress(1, 3.0))
    room = small_disk / "somebody else's"
    room.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096 - 8192))
    for step, loss in ((2, 1.0), (3, 2.0), (4, None)):
        with pytest.warns(RunWarning, match=rf"step {step} could not be saved .*goes on"):
            saver(state(40 + step), progress(step, loss))
        assert saver.failure is not None
        # No leftover takes the room that the next attempt needs.
        assert [p.name for p in (small_disk / STEPS).iterdir()] == ["1"]
        assert same(params_of(small_disk, "latest"), PARAMS)
    room.unlink()
    saver(state(45), progress(5, 2.5))
    assert saver.failure is None
    # The best of those that waited, the newest of them, and the new one.
    assert kept(small_disk) == [2, 4, 5]
    assert found(small_disk, "best") == 2
    assert same(params_of(small_disk, "best", make_params(42)), make_params(42))


def test_a_run_waits_at_its_end_until_there_is_room(small_disk, monkeypatch):
    saver = Saver(small_disk)
    room = small_disk / "somebody else's"
    room.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096 - 8192))
    with pytest.warns(RunWarning, match="could not be saved"):
        saver(state(), progress(1, 3.0))
    # Not `time.sleep` itself, which other threads call too.
    pause = types.SimpleNamespace(sleep=lambda _: room.unlink())
    monkeypatch.setattr(saving, "time", pause)
    with pytest.warns(RunWarning, match=r"waits until it can be saved; Ctrl-C gives up"):
        saver.finish(lambda: False)
    assert same(params_of(small_disk, "latest"), PARAMS)


def test_a_run_that_is_stopped_does_not_wait(tmp_path):
    (tmp_path / STEPS).write_text("in the way")
    saver = Saver(tmp_path)
    with pytest.warns(RunWarning, match="could not be saved"):
        saver(state(), progress(1, 3.0))
    with pytest.raises(UserError, match=r"step 1 could not be saved .*`resume`"):
        saver.finish(lambda: True)


def test_waiting_steps_are_not_changed_by_training(tmp_path):
    """Training gives its arrays back to the device, which overwrites them."""
    (tmp_path / STEPS).write_text("in the way")
    saver, first = Saver(tmp_path), state()
    with pytest.warns(RunWarning, match="could not be saved"):
        saver(first, progress(1, 3.0))
    first.params["decoder"]["scale"][:] = 7
    (tmp_path / STEPS).unlink()
    try:
        saver.finish(lambda: True)
        assert same(params_of(tmp_path, "latest"), make_params())
    finally:
        first.params["decoder"]["scale"][:] = 2.5


def test_metrics_that_cannot_be_written_are_said_too(tmp_path):
    (tmp_path / METRICS).mkdir()
    with pytest.warns(RunWarning, match=r"metrics\.jsonl"):
        Saver(tmp_path)(state(), progress(1, 3.0))
    assert kept(tmp_path) == [1]


def test_a_folder_that_nobody_may_change_is_said_and_what_it_holds_stays(tmp_path):
    saver = Saver(tmp_path)
    saver(state(), progress(1, 3.0))
    # Root is bound by no permission, but by this attribute.
    lock = ["chattr", "+i", tmp_path / STEPS]
    if not shutil.which("chattr") or subprocess.run(lock, check=False).returncode:
        pytest.skip("this file system knows no immutable folders")
    try:
        with pytest.warns(RunWarning, match=r"could not be saved .*not permitted"):
            saver(state(), progress(2, 2.0))
        assert same(params_of(tmp_path, "latest"), PARAMS)
    finally:
        subprocess.run(["chattr", "-i", tmp_path / STEPS], check=True)
    saver.finish(lambda: True)
    assert kept(tmp_path) == [1, 2]
