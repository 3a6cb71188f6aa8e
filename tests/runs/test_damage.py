"""Damage to any single file of a run folder: the right answer, a fallback said, or one line.

The files are those that a run really leaves, whatever they are; nothing here knows their names.
"""

import shutil
import warnings
from pathlib import Path

import jax
import pytest
from s2s_testing import PAIRS

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.model.seq2seq import param_shapes
from s2s_jax.runs.checkpointing import restore_params
from s2s_jax.runs.folder import STEPS, all_steps, read_run
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.run import carry_out

# Tensorstore's threads report to an event loop that a failed read has closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

TEXTS = [source for source, _ in PAIRS]
EPOCHS = 41  # One more than the run has.


def flip(content):
    """One bit in the middle."""
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def truncate(content):
    return content[: len(content) // 2]


DAMAGES = {"flip": flip, "truncate": truncate, "delete": None}


def damage(file, how):
    """Damages a file; gives what it held."""
    content = file.read_bytes()
    file.unlink()
    if DAMAGES[how] is not None:
        file.write_bytes(DAMAGES[how](content))
    return content


def files_of(folder):
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size)


def observed(action):
    """What an action returned (None: refused in one line), and the lines that it said."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RunWarning)
        try:
            result = action()
        except UserError as error:
            assert str(error) and "\n" not in str(error)
            result = None
    said = [str(w.message) for w in caught if issubclass(w.category, RunWarning)]
    assert all("damaged" in line and "\n" not in line for line in said)
    return result, said


def steps_of(folder):
    return [int(p.name) for p in (folder / STEPS).iterdir() if p.name.isdecimal()]


@pytest.mark.parametrize(
    "how",
    ["flip", *(pytest.param(how, marks=pytest.mark.slow) for how in DAMAGES if how != "flip")],
)
def test_decoding_with_any_file_damaged(trained, tmp_path, how):
    folder = Path(shutil.copytree(trained[1], tmp_path / "run"))
    right = {n: Translator.load(folder, n)(TEXTS) for n in (*steps_of(folder), "best")}
    assert len(right) > 2
    outcomes = set()
    for file in files_of(folder):
        content = damage(file, how)
        answers, said = observed(lambda: Translator.load(folder)(TEXTS))
        if answers is not None and said:
            # The last line says which step answers.
            assert answers == right[int(said[-1].split(" Step ")[1].split()[0])], file
            outcomes.add("fallback")
        elif answers is not None:
            assert answers == right["best"], file
            outcomes.add("right")
        else:
            outcomes.add("refused")
        file.write_bytes(content)
    # So that the test above is no fiction.
    assert outcomes == {"right", "fallback", "refused"}


def finish(folder, data):
    """Resumes for one epoch more; gives the parameters at its end."""
    request = Request({"data": str(data)}, {}, {"epochs": EPOCHS}, {}, folder, resume=True)
    carry_out(request, TrainingReport())
    shapes = param_shapes(read_run(folder).config.model)
    params = restore_params(folder, all_steps(folder)[-1], shapes)
    return [leaf.tobytes() for leaf in jax.tree.leaves(params)]


@pytest.fixture(scope="module")
def finished(trained, data_file, tmp_path_factory):
    """The parameters of an undamaged run at its end."""
    folder = shutil.copytree(trained[1], tmp_path_factory.mktemp("whole") / "run")
    return finish(folder, data_file)


def check_resuming(trained, data_file, folder, finished, which, how):
    file = files_of(trained[1])[which].relative_to(trained[1])
    shutil.copytree(trained[1], folder)
    damage(folder / file, how)
    params, said = observed(lambda: finish(folder, data_file))
    # Fallen back or not, the end is that of the run that was never damaged.
    assert params is None or params == finished, (file, said)
    if params is None:
        assert Path(*file.parts[:1]).name != STEPS, file  # There are others to fall back on.
    shutil.rmtree(folder)
    return "refused" if params is None else "fallback" if said else "right"


def test_resuming_with_a_file_damaged(trained, data_file, tmp_path, finished):
    files = files_of(trained[1])
    latest = max(steps_of(trained[1]))
    in_latest = [
        i for i, f in enumerate(files) if f.is_relative_to(trained[1] / STEPS / str(latest))
    ]
    beside = [i for i, f in enumerate(files) if not f.is_relative_to(trained[1] / STEPS)]
    big = max(in_latest, key=lambda i: files[i].stat().st_size)
    record = next(i for i in in_latest if files[i].name == "metadata")
    outcomes = [
        check_resuming(trained, data_file, tmp_path / "run", finished, which, how)
        for which, how in [*((i, "flip") for i in beside), (big, "flip"), (record, "truncate")]
    ]
    assert set(outcomes) == {"right", "fallback", "refused"}


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
def test_resuming_with_any_file_damaged(trained, data_file, tmp_path, finished, how):
    outcomes = {
        check_resuming(trained, data_file, tmp_path / "run", finished, which, how)
        for which in range(len(files_of(trained[1])))
    }
    assert outcomes == {"right", "fallback", "refused"}
