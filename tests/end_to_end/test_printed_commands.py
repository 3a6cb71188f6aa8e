"""Every command that --help or a program prints, run as it is printed."""

import importlib.util
import re
import shlex
import shutil

import pytest
from s2s_testing import ROOT, write_pairs

FIXTURE = ROOT / "tests" / "keras" / "fixture"
# Added to what is printed: as the last, they win.
FAST = ["--num-samples", 20, "--latent-dim", 8, "--batch-size", 4, "--epochs"]


def commands(text):
    """The commands in some output, each as a script and its arguments; comments stand apart."""
    for line in text.splitlines():
        found = re.match(r"  python (\S+\.py|-m s2s_jax\.keras)(.*?)(   *[^-'\s].*)?$", line)
        if found:
            script = found[1].replace("-m s2s_jax.keras", "s2s_jax/keras/__main__.py")
            yield script, shlex.split(found[2])


@pytest.mark.slow
def test_the_examples_of_training(tmp_path, run_here):
    for name in ("fra.txt", "cmn.txt"):
        write_pairs(tmp_path / name)
    examples = list(commands(run_here("train.py", "--help").stdout))
    assert len(examples) >= 4
    for script, arguments in examples:
        epochs = 2 if "--resume" in arguments else 1
        done = run_here(script, *arguments, *FAST, epochs)
        assert done.returncode == 0, done.stderr
        ((script, arguments),) = commands(done.stdout)
        assert "decode.py" in script
        assert run_here(script, *arguments, "Go.").returncode == 0


@pytest.mark.slow
def test_the_examples_of_decoding(trained, tmp_path, run_here):
    shutil.copytree(trained[1], tmp_path / "checkpoints" / "fra")
    (tmp_path / "sentences.txt").write_text("Go.\nHe eats.\n")
    examples = list(commands(run_here("decode.py", "--help").stdout))
    assert len(examples) >= 6
    for script, arguments in examples:
        if "--web" in arguments:
            continue  # It answers until it is stopped: tests/serving/web/test_server.py.
        done = run_here(script, *arguments)
        assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.txt").read_text().splitlines()) == 2


@pytest.mark.slow
def test_the_examples_of_the_models_from_keras(tmp_path, run_here):
    shutil.copy(FIXTURE / "tutorial.h5", tmp_path / "s2s.h5")
    shutil.copy(FIXTURE / "pairs.txt", tmp_path / "fra.txt")
    keras = "s2s_jax/keras/__main__.py"
    (_, importing), (_, exporting) = commands(run_here(keras, "--help").stdout)
    # The fixture's model was trained on fewer lines than the tutorial's 10,000.
    done = run_here(keras, *importing, "--num-samples", 24)
    assert done.returncode == 0, done.stderr
    printed = list(commands(done.stdout))
    assert len(printed) == 2
    for script, arguments in printed:
        more = ["--epochs", 1] if script == "train.py" else ["Go."]
        assert run_here(script, *arguments, *more).returncode == 0
    if importlib.util.find_spec("keras") is None:
        pytest.skip("the export needs Keras")
    shutil.copytree(tmp_path / "checkpoints" / "s2s", tmp_path / "checkpoints" / "fra")
    assert run_here(keras, *exporting).returncode == 0


def test_no_command_is_wider_than_a_narrow_terminal(run_here, monkeypatch):
    monkeypatch.setenv("COLUMNS", "79")
    for script in ("train.py", "decode.py", "s2s_jax/keras/__main__.py"):
        for line in run_here(script, "--help").stdout.splitlines():
            assert len(line) <= 79, line
