import shutil
import warnings

import pytest
from s2s_steps_testing import OPT_STATE, PARAMS, PROGRESS, found, kept, make_params, same, save

from s2s_jax.errors import RunWarning, UserError
from s2s_jax.runs.checkpointing import restore_params, restore_state
from s2s_jax.runs.folder import STEPS, all_steps, clean_steps
from s2s_jax.runs.steps import prune_steps, restore_newest, set_aside
from s2s_jax.training.fitting.progress import TrainingProgress

# Tensorstore's threads report to an event loop that a failed read has closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LOSSES = {3: 1.0, 6: 3.0, 9: 2.0}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A folder with the best step and the two latest, the parameters different in each."""
    folder = tmp_path_factory.mktemp("three")
    for step, loss in LOSSES.items():
        save(folder, TrainingProgress(step), loss, params=make_params(rows=step))
    return folder


@pytest.fixture
def copied(three, tmp_path):
    return shutil.copytree(three, tmp_path / "run")


def restore(folder, which):
    """The step restored and the warnings; its parameters are checked."""

    def read(step):
        params = restore_params(folder, step, make_params(rows=step))
        assert same(params, make_params(rows=step))
        return step

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step, restored = restore_newest(folder, which, read)
    assert step == restored
    return step, [str(w.message) for w in caught if w.category is RunWarning]


def spoil(folder, step, item="params"):
    for file in (folder / STEPS / str(step) / item).rglob("*"):
        if file.is_file():
            file.write_bytes(b"spoiled")


def test_nothing_is_said_of_whole_steps(three):
    assert restore(three, "best") == (3, [])
    assert restore(three, "latest") == (9, [])
    assert restore(three, 6) == (6, [])


@pytest.mark.parametrize(("which", "spoiled", "used"), [("best", [3], 9), ("latest", [9], 6)])
def test_the_newest_whole_step_is_fallen_back_on_and_named(copied, which, spoiled, used):
    for step in spoiled:
        spoil(copied, step)
    step, said = restore(copied, which)
    assert step == used
    assert len(said) == 1
    assert f"step {spoiled[0]} in" in said[0] and f"Step {used} is used" in said[0]


def test_with_two_damaged_the_third_is_used_and_both_are_named(copied):
    spoil(copied, 9)
    spoil(copied, 3)
    step, said = restore(copied, "latest")
    assert step == 6
    assert ["step 9" in said[0], len(said)] == [True, 1]
    step, said = restore(copied, "best")
    assert step == 6
    assert ["step 3" in said[0], "step 9" in said[1]] == [True, True]


def test_a_step_whose_record_is_damaged_is_not_the_best_in_silence(copied):
    spoil(copied, 3, "progress")
    step, said = restore(copied, "best")
    assert step == 9
    assert "step 3 in" in said[0] and "Step 9 is the best of the others" in said[0]


def test_with_all_damaged_it_is_one_line(copied):
    for step in LOSSES:
        spoil(copied, step)
    with pytest.raises(UserError, match=r"step 9 .* is damaged .* No other step is whole"):
        restore(copied, "latest")


def test_a_step_asked_for_by_number_is_that_step_or_an_error(copied):
    spoil(copied, 6)
    with pytest.raises(UserError, match="step 6"):
        restore(copied, 6)


def test_a_step_under_the_name_of_another_is_noticed(copied):
    shutil.rmtree(copied / STEPS / "9")
    shutil.copytree(copied / STEPS / "6", copied / STEPS / "9")
    step, said = restore(copied, "latest")
    assert step == 6
    assert "copy of step 6" in said[0]


def test_a_reader_follows_a_trainer_that_replaces_the_step_it_reads(copied):
    """As when decode.py starts while train.py saves: no damage, and nothing to say."""
    read = []

    def restore(step):
        if not read:
            save(copied, TrainingProgress(12), 0.5)
            shutil.rmtree(copied / STEPS / "9")  # Saving has removed the others.
        read.append(step)
        return restore_params(copied, step, PARAMS)

    step, params = restore_newest(copied, "best", restore)
    assert (step, read) == (12, [3, 12])
    assert same(params, PARAMS)


def files_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_steps_set_aside_are_kept_and_can_be_saved_again(copied):
    before = files_of(copied / STEPS)
    shelf = copied / "steps-damaged"
    with pytest.warns(RunWarning, match=r"step [69] is kept as .*steps-damaged/[69]\."):
        set_aside(copied, {6, 9})
    assert all_steps(copied)[-1] == 3
    assert files_of(shelf) == {k: v for k, v in before.items() if k.parts[0] in ("6", "9")}
    for again in ("6.2", "6.3"):
        save(copied, PROGRESS, 0.5)  # Step 6, older than what was set aside.
        assert kept(copied) == [3, 6]
        assert found(copied, "best") == 6
        assert same(restore_state(copied, 6, PARAMS, OPT_STATE)[0], PARAMS)
        with pytest.warns(RunWarning, match=again):
            set_aside(copied, {6})
    assert sorted(path.name for path in shelf.iterdir()) == ["6", "6.2", "6.3", "9"]


def test_steps_on_another_disk_are_set_aside_there(copied, tmp_path):
    disk = (copied / STEPS).rename(tmp_path / "disk")
    (copied / STEPS).symlink_to(disk)
    with pytest.warns(RunWarning, match="is kept"):
        set_aside(copied, {9})
    assert kept(copied) == [3, 6]
    assert [path.name for path in (tmp_path / "disk-damaged").iterdir()] == ["9"]


def test_what_a_killed_deletion_left_is_no_step_and_is_cleaned(copied):
    (copied / STEPS / "3").rename(copied / STEPS / "3.removed")
    assert kept(copied) == [6, 9]
    clean_steps(copied)
    assert not (copied / STEPS / "3.removed").exists()


def test_pruning_says_which_step_cannot_be_judged_and_keeps_it(copied):
    spoil(copied, 3, "progress")
    with pytest.warns(
        RunWarning, match="step 3 (in .*not considered for the best|is kept as)"
    ) as said:
        prune_steps(copied)
    assert len(said) == 2
    assert kept(copied) == [6, 9]
    assert (copied / "steps-damaged" / "3" / "params").is_dir()
