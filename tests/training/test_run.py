import importlib.util
import json
import os
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from s2s_testing import PAIRS, write_pairs

from s2s_jax.data.corpus import Pair
from s2s_jax.data.preparation import prepare
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runs.checkpointing import read_rank
from s2s_jax.runs.folder import read_run
from s2s_jax.runs.locking import locked
from s2s_jax.training import run
from s2s_jax.training.opening import summarize
from s2s_jax.training.planning import configure
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.run import carry_out

MODEL, TRAIN = {"latent_dim": 16}, {"epochs": 2, "batch_size": 4}


@pytest.fixture
def request_for(data_file, tmp_path):
    def make(**train_options):
        return Request({"data": str(data_file)}, MODEL, TRAIN | train_options, {}, tmp_path / "run")

    return make


def test_the_figures_printed_are_those_of_the_run_folder(request_for, tmp_path, capsys):
    assert carry_out(request_for(), TrainingReport()).folder == tmp_path / "run"
    folder = tmp_path / "run"
    run = read_run(folder)
    prepared = prepare(run.config.data, 0, (run.source_vocabulary, run.target_vocabulary))
    answers = Translator.load(folder)([pair.source for pair in prepared.validation])
    exact = sum(a == pair.target for a, pair in zip(answers, prepared.validation, strict=True))
    assert f"Exactly right: {exact} of {len(answers)}" in capsys.readouterr().out
    saved = json.loads((folder / "evaluation.json").read_text())
    assert (saved["sentences"], saved["exact"]) == (len(answers), exact)
    lines = [line.split("\t") for line in (folder / "validation.tsv").read_text().splitlines()]
    assert [Pair(*line[:2]) for line in lines] == prepared.validation
    assert [line[2] for line in lines] == answers


@pytest.mark.slow
def test_the_best_step_may_be_the_one_of_the_fewest_errors(request_for, tmp_path):
    request = request_for(select="error", epochs=3, optimizer="adam", learning_rate=0.05)
    whole = carry_out(request, TrainingReport(quiet=True))
    errors = [epoch["val_error"] for epoch in whole.history]
    saved = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert saved["sequence_error_rate"] == min(errors)
    # Resumed, it measures and chooses the same.
    parts = request._replace(out=tmp_path / "parts", resume=True)
    for epochs in (1, 3):
        resumed = carry_out(
            parts._replace(train={**request.train, "epochs": epochs}), TrainingReport(quiet=True)
        )
    assert [epoch["val_error"] for epoch in resumed.history] == errors
    ((_, step),), ((_, wanted),) = resumed.translator.origins, whole.translator.origins
    assert step == wanted
    # What another run starts from is judged likewise.
    again = request_for(select="error", epochs=0)._replace(
        out=tmp_path / "again", start_from=tmp_path / "run"
    )
    again = carry_out(again._replace(model={}), TrainingReport(quiet=True))
    assert read_rank(again.folder, 0) == read_rank(whole.folder, wanted)


def test_a_finished_run_that_is_to_search_otherwise_is_judged_anew(request_for, tmp_path, capsys):
    carry_out(request_for(epochs=1), TrainingReport(quiet=True))
    resumed = request_for(epochs=1)._replace(resume=True)
    searching = resumed._replace(decode={"beam": 3, "length_penalty": 2.0})
    found = carry_out(searching, TrainingReport(quiet=True)).translator
    lines = [
        line.split("\t") for line in (tmp_path / "run" / "validation.tsv").read_text().split("\n")
    ]
    sources, _, answers = zip(*lines[:-1], strict=True)
    assert found(sources, beam=3, length_penalty=2.0) == list(answers)
    assert "Search: beam 3, length penalty 2." in (tmp_path / "run/README.md").read_text()
    capsys.readouterr()
    carry_out(resumed, TrainingReport())
    assert "Nothing to do" in capsys.readouterr().out
    assert Translator.load(tmp_path / "run").searching().beam == 3


def test_the_test_part_is_judged_beside_the_validation_part(request_for, tmp_path, capsys):
    test = write_pairs(tmp_path / "new.tsv", [("He eats.", "Il mange."), ("Tom!", "Thom !")])
    request = request_for(epochs=1)
    carry_out(request._replace(data={**request.data, "test": str(test)}), TrainingReport())
    assert "Test sentences" in capsys.readouterr().out
    saved = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert (saved["sentences"], saved["test"]["sentences"]) == (4, 2)
    lines = [line.split("\t") for line in (tmp_path / "run" / "test.tsv").read_text().splitlines()]
    answers = Translator.load(tmp_path / "run")(["He eats.", "Tom!"])
    assert lines == [["He eats.", "Il mange.", answers[0]], ["Tom!", "Thom !", answers[1]]]


@pytest.mark.curves
def test_a_finished_run_has_a_card_and_its_curves(request_for, tmp_path, capsys):
    carry_out(request_for(epochs=1), TrainingReport())
    card = (tmp_path / "run" / "README.md").read_text("utf-8")
    (parameters,) = re.findall(r"Parameters +([\d,]+)", capsys.readouterr().out)
    assert f"| parameters | {parameters} |" in card
    assert "16 for training, 4 for validation" in card and "CPU cores" in card
    drawn = importlib.util.find_spec("matplotlib") is not None
    assert (tmp_path / "run" / "curves.png").exists() == drawn == ("curves.png" in card)


def test_a_run_does_not_write_over_its_data(request_for, tmp_path):
    (tmp_path / "run").mkdir()
    test = write_pairs(tmp_path / "run" / "test.tsv", PAIRS)
    request = request_for()
    with pytest.raises(UserError, match=r"over its data .* another `out`"):
        carry_out(request._replace(data={**request.data, "test": str(test)}), TrainingReport())
    assert test.exists()


def test_a_model_that_has_learned_nothing_is_named_at_the_end(request_for, capsys):
    request = request_for(epochs=1, learning_rate=1e-12)
    request = request._replace(data={**request.data, "validation_split": 0.5})
    carry_out(request, TrainingReport())
    assert "What may help: longer training (--more 10)" in capsys.readouterr().out


def test_a_run_killed_before_its_end_is_not_taken_for_finished(request_for, tmp_path):
    """The evaluation is the mark of the end; without it the epochs asked for are all there is."""
    carry_out(request_for(), TrainingReport())
    (tmp_path / "run" / "evaluation.json").unlink()
    carry_out(request_for()._replace(resume=True), TrainingReport())
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2
    assert (tmp_path / "run" / "evaluation.json").exists()
    carry_out(request_for()._replace(resume=True), TrainingReport())
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 2


def test_metrics_lost_with_a_kill_come_back_from_the_step(request_for, tmp_path):
    carry_out(request_for(), TrainingReport())
    metrics = tmp_path / "run" / "metrics.jsonl"
    before = metrics.read_text()
    metrics.unlink()
    carry_out(request_for(epochs=3)._replace(resume=True), TrainingReport())
    assert metrics.read_text().startswith(before)


def test_a_summary_writes_nothing(request_for, tmp_path, capsys):
    summarize(request_for(), TrainingReport())
    assert "Seq2Seq" in capsys.readouterr().out
    assert not (tmp_path / "run").exists()
    assert list(Path(tmp_path).iterdir()) == []


def test_a_run_that_diverges_names_step_and_lines_and_keeps_what_was_good(request_for, tmp_path):
    request = request_for(optimizer="sgd", learning_rate=1e38, epochs=9)
    with pytest.raises(UserError) as stopped:
        carry_out(request, TrainingReport())
    assert re.search(
        r"5 updates .* up to step \d+ \(lines \d+, \d+, \d+, \d+ of", str(stopped.value)
    )
    assert "`learning_rate`" in str(stopped.value)
    # What is saved can be read, and holds nothing but numbers.
    params = Translator.load(tmp_path / "run", "latest").params
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))


def test_a_folder_that_changed_while_the_data_were_read_is_refused(
    request_for, tmp_path, monkeypatch
):
    """Two processes begun at once: the second must not replace what the first has made."""

    def meanwhile(*arguments):
        prepared = configure(*arguments)
        if not (tmp_path / "run").exists():
            monkeypatch.setattr(run, "configure", configure)
            carry_out(request_for(epochs=1), TrainingReport())
        return prepared

    monkeypatch.setattr(run, "configure", meanwhile)
    with pytest.raises(UserError, match="holds a run already"):
        carry_out(request_for(), TrainingReport())
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_run_that_is_being_trained_is_refused(request_for, tmp_path):
    carry_out(request_for(), TrainingReport())
    with (
        locked(tmp_path / "run"),
        pytest.raises(UserError, match=f"being trained in by process {os.getpid()}"),
    ):
        carry_out(request_for()._replace(resume=True), TrainingReport())


def test_a_run_that_stopped_early_says_so_and_trains_longer_when_asked(
    request_for, tmp_path, capsys
):
    stuck = {"optimizer": "sgd", "learning_rate": 1e-12}
    request = request_for(**stuck, patience=1, epochs=9)._replace(resume=True)

    def epochs():
        return len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines())

    carry_out(request, TrainingReport())
    stopped_after = epochs()
    assert stopped_after < 9
    for again in (request, request_for(**stuck, epochs=20)._replace(resume=True)):
        capsys.readouterr()
        carry_out(again, TrainingReport())  # As it would have stopped with --epochs 20 at once.
        assert f"stopped after {stopped_after} of " in capsys.readouterr().out
        assert epochs() == stopped_after
    longer = Request({}, {}, {}, {}, tmp_path / "run", more=1, resume=True)
    for more in (1, 2):
        carry_out(longer, TrainingReport())
        assert epochs() == stopped_after + more
