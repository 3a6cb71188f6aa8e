"""Fine-tuning: a run that begins with the weights of another."""

import jax
import numpy as np
import pytest
from s2s_testing import PAIRS, write_pairs

from s2s_jax.config import DataConfig
from s2s_jax.data.batching import Batches
from s2s_jax.data.preparation import prepare
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.fingerprint import read_training_sources
from s2s_jax.model.seq2seq import param_shapes
from s2s_jax.runs.checkpointing import restore_params
from s2s_jax.runs.folder import all_steps, create_run, read_run
from s2s_jax.training.fitting.state import make_state
from s2s_jax.training.fitting.validation import validation_sums
from s2s_jax.training.starting import extended

# Some symbols that the first run has not seen; others of it are not here.
NEW = [
    (f"{name} {verb}.", f"{nom} {verbe}.")
    for name, nom in (("Zoe", "Zoé"), ("Xena", "Xéna"))
    for verb, verbe in (("eats", "mange"), ("runs", "court"), ("cooks", "cuit"))
]
SOURCES = [source for source, _ in PAIRS]


def params_of(folder, step):
    return restore_params(folder, step, param_shapes(read_run(folder).config.model))


def start(run_here, trained, tmp_path, pairs, *flags, out="tuned"):
    path = write_pairs(tmp_path / "new.txt", pairs)
    done = run_here("train.py", "--start-from", trained[1], "--data", path, "--out", out, *flags)
    return done, tmp_path / out


@pytest.mark.slow
@pytest.mark.parametrize("pairs", [PAIRS[:4], NEW], ids=["known", "new symbols"])
def test_without_an_epoch_the_answers_are_those_of_the_first_run(
    run_here, trained, tmp_path, pairs
):
    done, folder = start(run_here, trained, tmp_path, pairs, "--epochs", 0)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Started from {trained[1]}, step " in done.stdout
    before, after = Translator.load(trained[1]), Translator.load(folder)
    assert after(SOURCES) == before(SOURCES)
    assert after.run.config.started_from in done.stdout
    # A run begun here is one like any other: with its limits, and its settings of training.
    assert after.run.config.max_length == before.run.config.max_length
    assert after.run.config.train.optimizer == "adam"


def test_new_symbols_come_last_and_those_that_are_gone_stay(run_here, trained, tmp_path):
    _, folder = start(run_here, trained, tmp_path, NEW, "--epochs", 0)
    before, after = read_run(trained[1]), read_run(folder)
    for side, new in (
        ("source_vocabulary", ("X", "Z", "c")),
        ("target_vocabulary", ("X", "Z", "i", "é")),
    ):
        old = getattr(before, side)
        assert getattr(after, side).symbols == (*old.symbols, *new)
        assert getattr(after, side).tokenizer == old.tokenizer


def test_added_symbols_have_fresh_rows_and_begin_as_unlikely_as_any():
    rng = np.random.default_rng(0)

    def tree(source, target):
        return {
            "encoder": {"inputs": {"kernel": rng.normal(size=(source, 8))}},
            "decoder": {"output": {
                "kernel": rng.normal(size=(2, target)), "bias": rng.normal(size=target),
            }},
        }  # fmt: skip

    old, fresh = tree(5, 6), tree(7, 8)
    old["decoder"]["output"]["bias"][4] = -1e9  # What Keras has no place for.
    found = extended(old, fresh)
    kernel = found["encoder"]["inputs"]["kernel"]
    np.testing.assert_array_equal(kernel[:5], old["encoder"]["inputs"]["kernel"])
    np.testing.assert_array_equal(kernel[5:], fresh["encoder"]["inputs"]["kernel"][5:])
    output, least = found["decoder"]["output"], np.delete(old["decoder"]["output"]["bias"], 4).min()
    np.testing.assert_array_equal(output["bias"], [*old["decoder"]["output"]["bias"], least, least])
    np.testing.assert_array_equal(
        output["kernel"][:, 6:], fresh["decoder"]["output"]["kernel"][:, 6:]
    )


def mean_loss(folder, data, seed=0):
    """Of a run's best step, on the validation part of other data."""
    translator = Translator.load(folder)
    run = translator.run
    prepared = prepare(data, seed, run.encoders)
    state = make_state(translator.model, run.config.train).replace(params=translator.params)
    sums = validation_sums(state, Batches(prepared.encode(prepared.validation), 4))
    return sums.loss / sums.tokens


@pytest.mark.slow
def test_the_new_is_learned_and_the_old_is_not_lost(run_here, trained, tmp_path):
    done, folder = start(run_here, trained, tmp_path, NEW, "--epochs", 7, "--validation-split", 0)
    assert done.returncode == 0, done.stderr
    start(run_here, trained, tmp_path, NEW, "--epochs", 0, out="untouched")
    old, new = read_run(trained[1]).config.data, DataConfig(str(tmp_path / "new.txt"))
    assert read_run(folder).config.train.learning_rate == pytest.approx(0.002)
    assert mean_loss(folder, old) < 2 * mean_loss(trained[1], old)
    assert mean_loss(folder, new) < 0.7 * mean_loss(tmp_path / "untouched", new)


@pytest.mark.slow
@pytest.mark.parametrize(("frozen", "moved"), [("encoder", "decoder"), ("decoder", "encoder")])
def test_a_frozen_part_stays_as_it_was(run_here, trained, tmp_path, frozen, moved):
    flags = ("--epochs", 1, "--freeze", frozen, "--optimizer", "adamw", "--validation-split", 0)
    done, folder = start(run_here, trained, tmp_path, PAIRS[:4], *flags)
    assert done.returncode == 0, done.stderr
    before, after = (params_of(folder, step) for step in (0, all_steps(folder)[-1]))
    same = jax.tree.map(np.array_equal, before, after)
    assert all(jax.tree.leaves(same[frozen])) and not any(jax.tree.leaves(same[moved]))
    # And it stays so when the run is resumed.
    done = run_here("train.py", "--out", folder, "--more", 1, "--data", tmp_path / "new.txt")
    assert done.returncode == 0, done.stderr
    later = params_of(folder, all_steps(folder)[-1])
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, before[frozen], later[frozen])))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--latent-dim", 8], ["--latent-dim 32, not 8"]),
        (["--tokens", "word"], ["--source-tokens char, not word"]),
        (["--target-tokens", "space"], ["--target-tokens char, not space"]),
        (["--step", "77777"], ["--step", "77777"]),
        (["--data", ""], ["--data"]),
    ],
)
def test_what_does_not_go_with_the_weights_is_refused(run_here, trained, tmp_path, flags, words):
    done, folder = start(run_here, trained, tmp_path, NEW, *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stderr.count("\n") == 1
    assert not folder.exists()


def test_mistakes_without_a_run_to_start_from_are_named(run_here, data_file):
    for flags, words in ((["--epochs", 0], "--epochs must"), (["--step", "3"], "--start-from")):
        done = run_here("train.py", "--data", data_file, *flags)
        assert done.returncode == 2 and words in done.stderr
    assert "no such run folder" in run_here("train.py", "--start-from", "none").stderr


@pytest.mark.slow
def test_a_start_that_was_broken_off_is_not_taken_for_one(run_here, trained, tmp_path):
    _, folder = start(run_here, trained, tmp_path, PAIRS, "--epochs", 0)
    create_run(folder, read_run(folder))  # Its first step is gone.
    done = run_here("train.py", "--out", folder, "--resume", "--data", tmp_path / "new.txt")
    assert done.returncode == 2 and "--overwrite" in done.stderr
    again, _ = start(run_here, trained, tmp_path, PAIRS, "--epochs", 0, "--overwrite")
    assert again.returncode == 0
    # The same command once more resumes, as any other run's.
    again, _ = start(run_here, trained, tmp_path, PAIRS, "--epochs", 1, "--resume")
    assert again.returncode == 0 and "Started from" not in again.stdout


def test_what_the_first_run_was_trained_on_is_not_new_to_the_second(run_here, trained, tmp_path):
    _, folder = start(run_here, trained, tmp_path, NEW, "--epochs", 0)
    before, after = (read_training_sources(run) for run in (trained[1], folder))
    assert np.isin(before, after).all()
    assert 0 < len(after) - len(before) < len(NEW)
    resumed, _ = start(run_here, trained, tmp_path, NEW, "--epochs", 1, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    np.testing.assert_array_equal(read_training_sources(folder), after)
