"""The card of a run, as Hugging Face and a reader take it."""

import dataclasses
import re
import shlex

import pytest
from s2s_pictures import make_translator, save_run

from s2s_jax.config import EMBEDDED
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning
from s2s_jax.pictures import CARD, CURVES
from s2s_jax.pictures.presentation import present, withdraw
from s2s_jax.runs.folder import VALIDATION, write_evaluation, write_metrics

pytestmark = pytest.mark.curves

FACTS = {"pairs": "3 for training", "trained on": "1 x cpu"}
FIGURES = {"sentences": 3, "exact": 1, "cer": 0.25, "chrf": 61.25, "bleu": None}


@pytest.fixture
def folder(tmp_path):
    translator = make_translator()
    data = dataclasses.replace(
        translator.run.config.data, data="/home/me/fra.txt", licence="cc-by-2.0", swap=True
    )
    run = translator.run._replace(config=dataclasses.replace(translator.run.config, data=data))
    folder = save_run(tmp_path / "my|run", Translator(run, translator.params))
    write_metrics(folder, [{"epoch": 1, "loss": 2.0, "seconds": 61.0}])
    write_evaluation(folder, FIGURES | {"test": FIGURES | {"exact": 2}})
    rows = "ab|c\tVa <!\tVa\nab|c\tVas\tVa\nGo.\t$x$\t*\n"
    (folder / VALIDATION).write_text(rows, "utf-8")
    return folder


def card(folder):
    present(folder, FACTS)
    return (folder / CARD).read_text("utf-8")


def test_the_card_says_what_the_run_is(folder):
    text = card(folder)
    for part in (
        "| pairs | 3 for training |", "| trained on | 1 x cpu |", "| data | fra.txt |",
        "| swap | True |", "Epoch 1 of 1 was the best", "took 61 s",
        "| validation | 3 | 33.3% | 61.2 |  | 25.0% |", "| test | 3 | 66.7% |",
        r"| ab\|c | Va \<! | Va |", r"| Go. | \$x\$ | \* |", "on: cc-by-2.0.",
    ):  # fmt: skip
        assert part in text, part
    assert text.count(r"| ab\|c |") == 1  # A source once.
    assert "/home/me" not in text


def test_a_shell_takes_the_commands_whatever_the_folder_is_called(folder):
    commands = [line for line in card(folder).splitlines() if line.startswith("python ")]
    assert [shlex.split(command)[1:] for command in commands] == [
        ["train.py", "--recipe", "my|run/config.json", "--out", "my|run-again"],
        ["decode.py", "--checkpoint", "my|run", "--evaluate", "my|run/validation.tsv"],
    ]
    assert all("'my|run" in command for command in commands)


def test_the_card_shows_the_curves_where_matplotlib_is_there(folder):
    pytest.importorskip("matplotlib")
    assert f"({CURVES})" in card(folder)
    assert (folder / CURVES).stat().st_size > 1000


def test_hugging_face_can_read_the_card(folder):
    yaml = pytest.importorskip("yaml")
    values = yaml.safe_load(card(folder).split("---\n")[1])
    assert values["license"] == "cc-by-2.0" and values["library_name"] == "s2s_jax"
    (model,) = values["model-index"]
    assert model["name"] == "my|run"
    (result,) = model["results"]
    assert result["dataset"]["name"] == "fra.txt"
    found = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert found == {"chrf": 61.25, "cer": 0.25}
    hub = pytest.importorskip("huggingface_hub")
    (figure, _) = hub.ModelCard(card(folder)).data.eval_results
    assert (figure.metric_type, figure.metric_value) == ("chrf", 61.25)


def test_the_built_in_corpus_is_named_with_its_licence(tmp_path):
    translator = make_translator()
    data = dataclasses.replace(translator.run.config.data, data=EMBEDDED, licence="")
    config = dataclasses.replace(translator.run.config, data=data)
    translator = Translator(translator.run._replace(config=config), translator.params)
    text = card(save_run(tmp_path / "run", translator))
    assert r"| data | the built-in corpus of s2s\_jax |" in text
    assert 'license: "apache-2.0"' in text and "on: apache-2.0." in text


def test_other_licences_are_named_and_a_missing_one_is_asked_for(tmp_path):
    translator = make_translator()
    for licence, metadata, said in (
        ("Mine, all mine", '"other"\nlicense_name: "Mine, all mine"', "on: Mine, all mine."),
        ("", None, "was not given (`--licence`)"),
    ):
        data = dataclasses.replace(translator.run.config.data, data="own.tsv", licence=licence)
        config = dataclasses.replace(translator.run.config, data=data)
        run = translator.run._replace(config=config)
        folder = save_run(tmp_path / f"run{len(licence)}", Translator(run, translator.params))
        text = card(folder)
        assert said in text
        assert f"license: {metadata}" in text if metadata else "license" not in text
        assert "## Examples" not in text and CURVES not in text  # There is nothing to show.


def test_training_on_takes_the_card_away_unless_somebody_has_made_it_theirs(folder):
    text = card(folder)
    withdraw(folder)
    assert not (folder / CARD).exists() and not (folder / CURVES).exists()
    withdraw(folder)
    mine = re.sub("<!-- Written by s2s_jax.*\n", "", text) + "My own words."
    (folder / CARD).write_text(mine, "utf-8")
    withdraw(folder)
    assert card(folder) == mine


def test_a_card_that_cannot_be_written_does_not_undo_the_run(folder):
    (folder / CURVES).mkdir()
    (folder / CARD).mkdir()
    with pytest.warns(RunWarning, match="the run is finished, but .* cannot be written"):
        present(folder, FACTS)
