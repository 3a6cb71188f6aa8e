import os
import signal
import subprocess
import sys
import threading

import pytest
from s2s_testing import PAIRS, ROOT

import s2s_jax
from s2s_jax import Translator, UserError, train
from s2s_jax.training.run import TrainingInterrupted

SMALL = {"latent_dim": 16, "batch_size": 4, "epochs": 2}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_pairs_in_memory_train_what_the_same_file_does(here, data_file, capfd):
    from_file = train(data_file, out="file", **SMALL)
    heard = []
    run = train(iter(PAIRS), callbacks=[heard.append], **SMALL)
    assert capfd.readouterr().out == ""
    assert run.folder == here / "checkpoints/pairs" or str(run.folder) == "checkpoints/pairs"
    losses = [[epoch["val_loss"] for epoch in found.history] for found in (run, from_file)]
    assert losses[0] == losses[1]
    assert heard == list(run.history)
    texts = ["He eats.", "Tom runs."]
    assert run.translator(texts) == Translator.load(run.folder)(texts) != ["", ""]
    with pytest.raises(UserError, match=r"pairs in memory; give them again"):
        train(out=run.folder, more=1)
    assert len(train(PAIRS, out=run.folder, more=1).history) == 3


def test_sources_and_targets_may_be_two_files(here, data_file, run_here):
    lines = [line.split("\t") for line in data_file.read_text().splitlines()]
    names = [here / "x.en", here / "x.fr"]
    for side, name in enumerate(names):
        name.write_text("".join(f"{line[side]}\n" for line in lines))
    run = train(names, **SMALL)
    wanted = train(data_file, out="one", **SMALL)
    assert run.history[-1]["val_loss"] == wanted.history[-1]["val_loss"]
    done = run_here("train.py", "--data", "x.en", "x.fr", "--out", run.folder, "--more", 1)
    assert done.returncode == 0, done.stderr


def test_what_is_no_pair_is_named(here):
    for wrong in (("a", "b", "c"), "ab", ("a", 3)):
        with pytest.raises(UserError, match=r"pairs of two texts, not .* \(pair 2\)"):
            train([("a", "b"), wrong])
    with pytest.raises(UserError, match="is empty"):
        train([])
    with pytest.raises(UserError, match=r"not a mapping; give its items\(\)"):
        train({"a": "b"})


def test_it_prints_what_the_command_prints_when_asked(here, data_file, capfd):
    train(data_file, out="run", verbose=True, **SMALL)
    assert "epoch 2/2" in capfd.readouterr().out
    again = train(data_file, out="run", resume=True)
    assert len(again.history) == 2
    assert again.translator(["He eats."])
    assert capfd.readouterr().out == ""


def test_mistakes_are_exceptions_that_speak_python(here, data_file):
    with pytest.raises(UserError, match=r"latent_dims .* nearest is latent_dim"):
        train(data_file, latent_dims=3)
    train(data_file, out="run", **SMALL)
    with pytest.raises(UserError, match="`resume`") as error:
        train(data_file, out="run", **SMALL)
    assert "--" not in str(error.value)


@pytest.mark.slow
def test_long_pairs_and_more_than_the_tutorial_takes_are_all_trained_on(here):
    pairs = [(f"{k:05}", "a\tb\nc") for k in range(10_050)]
    run = train(pairs, validation_split=0, **SMALL | {"batch_size": 10_050, "epochs": 1})
    assert run.translator.run.config.data.num_samples == 0
    assert run.history[0]["epoch"] == 1
    assert "\t" not in run.translator.run.target_vocabulary.symbols


def test_what_a_callback_raises_ends_the_training_with_its_epoch_saved(here, data_file):
    class Enough(Exception):
        pass

    def stop(metrics):
        if metrics["epoch"] == 2:
            raise Enough

    with pytest.raises(Enough):
        train(data_file, out="run", callbacks=[stop], **SMALL | {"epochs": 5})
    assert len(train(data_file, out="run", resume=True).history) == 5


def test_an_interruption_saves_and_is_raised(here, data_file):
    def interrupt(metrics):
        if metrics["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted) as interrupted:
        train(data_file, out="run", callbacks=[interrupt], **SMALL | {"epochs": 5})
    assert interrupted.value.signum == signal.SIGTERM
    assert isinstance(interrupted.value, KeyboardInterrupt)
    assert len(train(data_file, out="run", resume=True, epochs=3).history) == 3


def test_a_thread_may_train(here, data_file):
    found = []
    thread = threading.Thread(target=lambda: found.append(train(data_file, out="run", **SMALL)))
    thread.start()
    thread.join()
    assert len(found[0].history) == 2


@pytest.mark.slow
def test_a_process_that_trains_sees_nothing_of_it(here, data_file):
    code = f"import s2s_jax; s2s_jax.train({str(data_file)!r}, epochs=1, latent_dim=8)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_the_name_is_no_module():
    assert callable(s2s_jax.train)
