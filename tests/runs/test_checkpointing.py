import dataclasses
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
from s2s_steps_testing import (
    OPT_STATE,
    PARAMS,
    PROGRESS,
    assert_reads,
    found,
    kept,
    make_opt_state,
    make_params,
    same,
    save,
)
from s2s_testing import ROOT

from s2s_jax.config import TrainConfig
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.model.losses import Sums
from s2s_jax.runs import checkpointing
from s2s_jax.runs.checkpointing import beginning, restore_params, restore_state, save_step
from s2s_jax.runs.folder import STEPS
from s2s_jax.runs.steps import prune_steps
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_optimizer

# Tensorstore's threads report to an event loop that a failed read has closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one step, not to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    save(folder)
    return folder


@pytest.fixture
def copied(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "run"))


@pytest.mark.parametrize(
    ("optimizer", "clip_norm"), [("rmsprop", 0), ("adam", 0), ("sgd", 0), ("adamw", 1.0)]
)
def test_parameters_and_optimizer_state_come_back_bit_for_bit(tmp_path, optimizer, clip_norm):
    opt_state = make_opt_state(PARAMS, optimizer, clip_norm)
    save(tmp_path, opt_state=opt_state)
    # Trees to restore into need shapes and types only.
    like = jax.eval_shape(lambda: (PARAMS, opt_state))
    params, restored, record = restore_state(tmp_path, 6, *like)
    alone = restore_params(tmp_path, 6, like[0])
    assert same(params, PARAMS)
    assert same(alone, PARAMS)
    assert same(restored, opt_state)
    progress = TrainingProgress.from_record(record)
    assert progress == PROGRESS
    assert isinstance(progress.sums, Sums)
    leaves = jax.tree.leaves((params, restored))
    assert all(isinstance(leaf, np.ndarray) for leaf in leaves)  # Bound to no device.


def test_a_restored_optimizer_goes_on_as_if_never_stopped(saved):
    tx = make_optimizer(TrainConfig(optimizer="adam"))
    params, opt_state, _ = restore_state(saved, 6, PARAMS, OPT_STATE)
    gradients = jax.tree.map(np.ones_like, PARAMS)
    expected = optax.apply_updates(PARAMS, tx.update(gradients, OPT_STATE, PARAMS)[0])
    assert same(optax.apply_updates(params, tx.update(gradients, opt_state, params)[0]), expected)


def test_the_best_and_the_two_latest_steps_are_kept_and_no_other(tmp_path):
    best, lowest = None, math.inf
    for step, val_loss in enumerate([3.0, None, 1.0, 2.0, None, math.inf, 0.5], 1):
        # Opened anew each time, as when a run is resumed.
        save(tmp_path, TrainingProgress(step), val_loss)
        if val_loss is not None and val_loss < lowest:
            best, lowest = step, val_loss
        assert kept(tmp_path) == sorted({best, max(step - 1, 1), step})
        assert (found(tmp_path, "best"), found(tmp_path, "latest")) == (best, step)


def test_where_errors_are_counted_they_come_before_the_loss(tmp_path):
    """A step within an epoch has neither and is not the best."""
    losses = [3.0, None, 4.0, 2.0, 2.0, None, 1.0]
    errors = [0.5, None, 0.2, 0.2, 0.2, None, 0.3]
    for step, (loss, error) in enumerate(zip(losses, errors, strict=True), 1):
        record = TrainingProgress(step).to_record()
        save_step(tmp_path, PARAMS, OPT_STATE, record, loss, val_error=error)
        prune_steps(tmp_path)
    assert kept(tmp_path) == [4, 6, 7]
    assert found(tmp_path, "best") == 4
    record = restore_state(tmp_path, 4, PARAMS, OPT_STATE)[2]
    assert TrainingProgress.from_record(record) == TrainingProgress(4)


def test_within_one_process_the_same_steps_are_kept(tmp_path):
    for step, val_loss in enumerate([3.0, 1.0, 2.0, None, None], 1):
        save_step(tmp_path, PARAMS, OPT_STATE, TrainingProgress(step).to_record(), val_loss)
        prune_steps(tmp_path)
    assert kept(tmp_path) == [2, 4, 5]


def test_without_a_validation_part_the_latest_is_the_best(tmp_path):
    for step in (1, 2, 3):
        save(tmp_path, TrainingProgress(step), None)
    assert kept(tmp_path) == [2, 3]
    assert found(tmp_path, "best") == found(tmp_path, "latest") == 3


def test_a_run_that_only_ever_diverged_still_has_a_best_step(tmp_path):
    save(tmp_path, TrainingProgress(1), math.inf)
    assert found(tmp_path, "best") == 1


def test_a_step_saved_again_stays_as_it_was(copied):
    save(copied, val_loss=9.0, params=make_params(rows=3))
    assert assert_reads(copied) == 6


def test_a_step_is_found_by_its_number(saved):
    assert found(saved, 6) == found(saved, "6") == found(saved, "best") == 6


@pytest.mark.parametrize("which", ["7", 7, "newest", "", "-6", "6.0", "²", "9" * 5000])
def test_a_step_that_is_not_there_is_a_user_error(saved, which):
    with pytest.raises(UserError, match=r"`step` must be best, latest or one of 6; got"):
        found(saved, which)


def test_a_run_without_a_finished_step_says_so(tmp_path):
    for make in (lambda: None, (tmp_path / STEPS).mkdir, (tmp_path / STEPS / "no step").mkdir):
        make()
        assert kept(tmp_path) == []
        with pytest.raises(UserError, match="no finished step"):
            found(tmp_path, "best")


@pytest.mark.parametrize(
    "other",
    [
        make_params(rows=41),
        {**PARAMS, "more": np.zeros(3, np.float32)},
        {"encoder": PARAMS["encoder"]},
        jax.tree.map(lambda x: x.view(np.int32), PARAMS),
        {"encoder": PARAMS["decoder"], "decoder": PARAMS["encoder"]},
    ],
    ids=["shape", "one more", "one less", "dtype", "names"],
)
def test_parameters_of_another_model_are_a_user_error(saved, other):
    with pytest.raises(UserError, match="does not fit") as error:
        restore_params(saved, 6, other)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="does not fit"):
        restore_state(saved, 6, other, OPT_STATE)


@pytest.mark.parametrize("optimizer", ["rmsprop", "adamw"])
def test_the_state_of_another_optimizer_is_a_user_error(tmp_path, optimizer):
    save(tmp_path, opt_state=make_opt_state(PARAMS, "sgd"))
    with pytest.raises(UserError):
        restore_state(tmp_path, 6, PARAMS, make_opt_state(PARAMS, optimizer))


def damages(content, flips):
    """What may become of a file: gone, cut off, or with one bit flipped."""
    yield None
    yield from (content[:length] for length in {0, len(content) // 2})
    for place in np.linspace(0, len(content) - 1, flips).astype(int):
        flipped = bytearray(content)
        flipped[place] ^= 1 << (place % 6)  # Letters and digits mostly stay such.
        yield bytes(flipped)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "flips"),
    [("*", 3), ("params", 2), ("opt_state", 2), ("progress", 40)],
)
def test_a_damaged_file_is_a_user_error_or_harmless_but_never_wrong_values(copied, part, flips):
    step = copied / STEPS / "6"
    files = [
        p for p in (step.glob("*") if part == "*" else (step / part).rglob("*")) if p.is_file()
    ]
    assert files
    for file in files:
        content = file.read_bytes()
        for number, damaged in enumerate(damages(content, flips)):
            file.unlink(missing_ok=True)
            if damaged is not None:
                file.write_bytes(damaged)
            try:
                assert_reads(copied)
            except (UserError, RunWarning) as problem:
                assert "\n" not in str(problem)
            except BaseException as error:
                error.add_note(f"damage {number} of {file.relative_to(copied)}: {damaged}")
                raise
        file.write_bytes(content)
    assert assert_reads(copied) == 6


def test_damage_in_the_data_is_noticed(copied):
    """At least the files that hold most of the numbers, so that the test above is no fiction."""
    for item in ("params", "opt_state"):
        files = [p for p in (copied / STEPS / "6" / item).rglob("d/*") if p.stat().st_size > 4000]
        assert files
        for file in files:
            content = file.read_bytes()
            file.write_bytes(content[:2000] + b"\0" * 4 + content[2004:])
        with pytest.raises(UserError, match=r"step 6 .* is damaged"):
            assert_reads(copied)
        for file in files:
            file.write_bytes(content)


@pytest.mark.slow
def test_damage_is_one_line_on_standard_error_and_no_traceback(tmp_path):
    rng = np.random.default_rng(0)
    many = {f"kernel{i}": rng.normal(size=(60, 60)).astype(np.float32) for i in range(8)}
    save(tmp_path, params=many, opt_state={})
    for file in (tmp_path / STEPS / "6" / "params").rglob("ocdbt.process_0/d/*"):
        file.unlink()
    script = (
        "import contextlib, sys, time\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from s2s_jax.runs.checkpointing import restore_params\n"
        "from s2s_jax.command_line import main\n"
        "from s2s_jax.errors import UserError\n"
        "def read():\n"
        "    like = {f'kernel{i}': np.zeros((60, 60), np.float32) for i in range(8)}\n"
        "    restore_params(Path(sys.argv[1]), 6, like)\n"
        "def run():\n"
        "    for _ in range(10):\n"  # The readers of the other arrays are a matter of luck.
        "        with contextlib.suppress(UserError):\n"
        "            read()\n"
        "    read()\n"
        "main(run)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "damaged" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


def files_of(folder):
    return {p.relative_to(folder): (p.stat().st_mtime_ns, p.stat().st_size) for p in walk(folder)}


def walk(folder):
    return list(folder.rglob("*"))


def test_a_half_written_step_is_ignored_by_readers_and_removed_by_the_trainer(copied):
    half = copied / STEPS / "9.orbax-checkpoint-tmp"
    shutil.copytree(copied / STEPS / "6" / "params", half / "params")
    before = files_of(copied)
    assert kept(copied) == [6]
    assert assert_reads(copied, "latest") == 6
    assert files_of(copied) == before
    save(copied, dataclasses.replace(PROGRESS, step=9), 2.0)
    assert not half.exists()
    assert kept(copied) == [6, 9]


def test_a_kill_in_the_very_first_save_leaves_no_step(copied):
    (copied / STEPS / "6").rename(copied / STEPS / "6.orbax-checkpoint-tmp")
    assert kept(copied) == []
    with pytest.raises(UserError, match="no finished step"):
        found(copied, "latest")


def test_strange_files_among_the_steps_do_no_harm(copied):
    (copied / STEPS / ".DS_Store").write_bytes(b"\0")
    (copied / STEPS / "notes.txt").write_text("mine")
    (copied / STEPS / "6" / ".DS_Store").write_bytes(b"\0")
    assert assert_reads(copied) == 6


def test_a_copy_that_cannot_be_written_to_still_reads(copied, tmp_path):
    moved = tmp_path / "é elsewhere"
    for file in walk(copied):
        if file.is_file():  # As archives do, without empty folders.
            place = moved / file.relative_to(copied)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    shutil.rmtree(copied)
    before = files_of(moved)
    for path in (moved, *walk(moved)):
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert assert_reads(moved) == 6
        assert assert_reads(Path(os.path.relpath(moved))) == 6
        # Nothing binds root to the modes, so look that nothing was written either.
        assert files_of(moved) == before
    finally:
        for path in (moved, *walk(moved)):
            path.chmod(0o755)


def test_a_step_has_reached_the_disk_before_older_ones_are_removed(copied, monkeypatch):
    flushed, removed, sync = set(), [], os.fsync
    steps = (copied / STEPS).resolve()

    def fsync(descriptor):
        flushed.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def rmtree(path, **_):
        removed.append(Path(path).name)
        assert flushed >= {steps, steps / "9", *(steps / "9").rglob("*")}

    save(copied, TrainingProgress(7), 3.0)
    save(copied, TrainingProgress(8), 4.0)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    save(copied, TrainingProgress(9), 2.0)
    assert removed == ["7.removed"]


def test_a_first_step_that_cannot_be_saved_is_one_line(tmp_path, monkeypatch):
    """It begins a run (`--start-from`, an import), and nothing can be saved in its place later."""

    def full(*_, **__):
        raise ValueError("Failed to write 99 bytes to file [os_error_code='28']")

    monkeypatch.setattr(checkpointing, "_checkpointer", full)
    said = r"could not be saved: No space left on device; .*`overwri"
    with pytest.raises(UserError, match=said), beginning(tmp_path):
        save_step(tmp_path, {}, {}, {"step": 0}, None)
