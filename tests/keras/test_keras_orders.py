"""Sources that Keras read in another order than the tutorial; see make_orders.py in fixture."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import h5py
import pytest
from s2s_testing import ROOT

from s2s_jax.decoding.export import export
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras import padding
from s2s_jax.keras.exporting import own_characters
from s2s_jax.keras.importing import convert
from s2s_jax.keras.request import ImportRequest

FIXTURE = Path(__file__).parent / "fixture"
MADE = json.loads((FIXTURE / "orders.json").read_text(encoding="utf-8"))
ABOUT = {"before.h5": ("zeros-before", False), "backwards.h5": ("mask", True)}


@pytest.fixture(scope="module", params=MADE)
def given(request, tmp_path_factory):
    """A file, the JSON of its characters, and what Keras answers."""
    name, folder = request.param, tmp_path_factory.mktemp("json")
    path, keys = folder / "characters.json", ("input_characters", "target_characters")
    path.write_text(json.dumps({key: MADE[name][key] for key in keys}), encoding="utf-8")
    asked = ImportRequest([FIXTURE / name], str(FIXTURE / "pairs.txt"), 24, [path])
    return name, asked, {text: t.strip("\n") for text, t in MADE[name]["decoded"].items()}


@pytest.fixture(scope="module")
def found(given):
    return convert(given[1])


def test_the_data_tell_the_order(given, found, capsys):
    name, asked, decoded = given
    characters = found.characters
    assert (characters.source_padding, characters.source_backwards) == ABOUT[name]
    answers = Translator(found.run, found.params)(list(decoded))
    assert dict(zip(decoded, answers, strict=True)) == decoded
    convert(asked)
    named = " backwards" * ABOUT[name][1]
    assert f"Padding: {ABOUT[name][0]}{named}, which" in capsys.readouterr().out


def test_the_order_can_be_said_where_there_are_no_data(given, found):
    name, asked, _ = given
    lengths = {f"max_{side}_seq_length": MADE[name][f"max_{side}_seq_length"] for side in
               ("encoder", "decoder")}  # fmt: skip
    padding, backwards = ABOUT[name]
    order = "backwards" if backwards else "forwards"
    asked = asked._replace(data=None, padding=padding, source_order=order, **lengths)
    said = convert(asked)
    assert said.config.source_reading == found.config.source_reading
    otherwise = convert(asked._replace(padding=None, source_order=""))
    assert otherwise.config.source_reading != found.config.source_reading


def test_the_order_is_kept_by_the_run_its_export_and_its_way_back(
    given, found, tmp_path, monkeypatch, capsys
):
    name, _, decoded = given
    path, texts = tmp_path / "run.s2s", list(decoded)[:5]
    export(Translator(found.run, found.params), path)
    monkeypatch.setattr(sys, "argv", ["run_exported.py", str(path), *texts])
    runpy.run_path(str(ROOT / "examples" / "run_exported.py"))
    assert capsys.readouterr().out.splitlines() == [decoded[text] for text in texts]
    own = own_characters(found.run)
    assert (own.source_padding, own.source_backwards) == ABOUT[name]


def test_an_lstm_with_go_backwards_turns_sources_itself(given, found, tmp_path, capsys):
    name, asked, decoded = given
    with h5py.File(shutil.copy(FIXTURE / name, tmp_path), "r+") as file:
        config = json.loads(file.attrs["model_config"])
        lstm = next(one for one in config["config"]["layers"] if one["class_name"] == "LSTM")
        lstm["config"]["go_backwards"] = True
        file.attrs["model_config"] = json.dumps(config)
    lengths = {f"max_{side}_seq_length": MADE[name][f"max_{side}_seq_length"] for side in
               ("encoder", "decoder")}  # fmt: skip
    turned = convert(asked._replace(models=[tmp_path / name], data=None, **lengths))
    wanted = "zeros-before" if name == "before.h5" else "mask"
    characters = turned.characters
    assert (characters.source_padding, characters.source_backwards) == (wanted, True)
    assert f"Padding: {wanted} backwards, unless" in capsys.readouterr().out
    if name == "backwards.h5":  # Trained on sources turned around, so this one answers as it does.
        answers = Translator(turned.run, turned.params)(list(decoded))
        assert dict(zip(decoded, answers, strict=True)) == decoded


def test_a_forwards_model_stays_forwards():
    asked = ImportRequest([FIXTURE / "tutorial.h5"], str(FIXTURE / "pairs.txt"), 24)
    assert list(convert(asked).config.source_reading.values())[2:] == [False, False]
    with pytest.raises(UserError, match="has no mask"):
        convert(asked._replace(padding="mask"))


@pytest.mark.parametrize(("scale", "found"), [(1.0, "zeros-before"), (2.0, "zeros")])
def test_a_trained_model_tells_paddings_apart_by_little(monkeypatch, scale, found):
    def loss(config, params, prepared, pairs):
        return scale * (0.95 if prepared.source_encoder.fill_before else 1.0)

    monkeypatch.setattr(padding, "mean_loss", loss)
    # The chance of one of 20 characters is 3.0 nats; below half of it a model is trained.
    asked = ImportRequest([FIXTURE / "tutorial.h5"], str(FIXTURE / "pairs.txt"), 24)
    assert convert(asked).characters.source_padding == found
