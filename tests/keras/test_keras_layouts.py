"""One model in every form that people keep gives the answers of Keras.

The files were made by Keras itself: see make_layouts.py beside them.
"""

import json
import shutil
import zipfile

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.importing import convert, import_model
from s2s_jax.keras.reading.models import read_model, recurrent_activation
from s2s_jax.keras.request import ImportRequest

MADE = json.loads((FIXTURE / "layouts.json").read_text(encoding="utf-8"))
GATES = {
    "keras2": "keras2_hard_sigmoid",
    "keras3": "hard_sigmoid",
    "wrapped2": "sigmoid",  # With dropout, `TimeDistributed`, and masks on both sides.
    "wrapped3": "sigmoid",
    "cudnn": "sigmoid",
}


def paths(name, form):
    return [FIXTURE / file for file in MADE[name]["files"][form]]


def request(name, form, folder):
    """Asks for one model in one form, with all that this form does not say."""
    about = {key: MADE[name][key] for key in
             ("input_characters", "target_characters", "max_encoder_seq_length",
              "max_decoder_seq_length")}  # fmt: skip
    names = folder / "characters.json"
    names.write_text(json.dumps({**about, "source_padding": MADE[name]["padding"]}))
    asked = ImportRequest(paths(name, form), vocabulary=[names])
    return asked._replace(recurrent_activation=GATES[name]) if form == "weights" else asked


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for name in GATES for form in MADE[name]["files"]],
)
def test_answers_and_probabilities_are_keras_s_whatever_was_kept(tmp_path, name, form):
    found = convert(request(name, form, tmp_path))
    assert found.config.model.recurrent_activation == GATES[name]
    expected = MADE[name]
    translator = Translator(found.run, found.params)
    answers = translator.translate(list(expected["decoded"]))
    texts = [answer.text + ("\n" if answer.complete else "") for answer in answers]
    assert texts == list(expected["decoded"].values())

    run, characters = found.run, found.characters
    source = next(iter(expected["decoded"]))
    ids = run.source_encoder.encode(source)[None]
    places = characters.ids(run.source_vocabulary, run.target_vocabulary)
    written = [characters.target_characters.index(c) for c in "\tje va !\n"]
    reads = places.target_inputs[written][None]
    arrays = jax.tree.map(jnp.asarray, (ids, np.ones_like(ids, bool), reads))
    logits = translator.model.apply({"params": translator.params}, *arrays)
    probabilities = np.asarray(jax.nn.softmax(logits))[0][:, places.target_outputs]
    wanted = np.array(expected["probabilities"])[: len(written)]
    np.testing.assert_allclose(probabilities, wanted, atol=1e-5)


@pytest.mark.parametrize("name", GATES)
def test_all_forms_hold_the_same_weights(tmp_path, name):
    whole, *others = (
        convert(request(name, form, tmp_path)).model.params for form in MADE[name]["files"]
    )
    for other in others:
        for one, another in zip(*map(jax.tree.leaves, (whole, other)), strict=True):
            assert one.tobytes() == another.tobytes()


def test_halves_come_in_any_order(tmp_path):
    asked = request("keras2", "halves", tmp_path)
    there = convert(asked).model.params
    back = convert(asked._replace(models=asked.models[::-1])).model.params
    for one, other in zip(*map(jax.tree.leaves, (there, back)), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["keras2_encoder.h5"], r"encoder\.h5 is the encoder .* without its decoder; give both"),
        (["keras3_decoder.keras"], r"decoder\.keras is the decoder .* without its encoder"),
        (["keras2_encoder.h5", "keras2_encoder.h5"], "one encoder and one decoder, were expected"),
        (["keras2.h5", "keras2_decoder.h5"], r"found .*keras2\.h5 \(whole model\)"),
        (["tutorial.h5", "keras2.h5"], "one whole model"),
        (["keras2.json"], "name the file of its weights"),
        (["keras2.json", "keras2_encoder.h5", "keras2_decoder.h5"], "found 1 for 2 files"),
        (
            ["keras2_encoder.h5", "keras3_decoder.keras"],
            "one-hot vectors on both sides, or Embeddings; found one of each",
        ),
    ],
)
def test_what_does_not_make_one_model_is_refused(files, message):
    with pytest.raises(UserError, match=message) as error:
        read_model([FIXTURE / file for file in files])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("named", "version", "asked", "ours"),
    [
        ("sigmoid", "", "", "sigmoid"),
        ("hard_sigmoid", "2.0.8", "", "keras2_hard_sigmoid"),
        ("hard_sigmoid", "2.2.4-tf", "", "keras2_hard_sigmoid"),
        ("hard_sigmoid", "2.15.0", "", "keras2_hard_sigmoid"),
        ("hard_sigmoid", "3.0.0", "", "hard_sigmoid"),
        ("hard_sigmoid", "", "hard_sigmoid", "hard_sigmoid"),
        # A model of Keras 2 that Keras 3 has saved again.
        ("hard_sigmoid", "3.1.0", "keras2_hard_sigmoid", "keras2_hard_sigmoid"),
        # Weights alone have the default of their Keras.
        ("", "2.2.4", "", "keras2_hard_sigmoid"),
        ("", "2.3.0", "", "sigmoid"),
        ("", "2.10.0", "", "sigmoid"),
        ("", "3.15.1", "", "sigmoid"),
        ("", "2.2.4-tf", "sigmoid", "sigmoid"),
    ],
)
def test_the_version_says_what_the_gates_are(named, version, asked, ours):
    assert recurrent_activation(named, version, asked) == ours


@pytest.mark.parametrize(
    ("named", "version", "asked", "message"),
    [
        ("hard_sigmoid", "", "", "--recurrent-activation keras2_hard_sigmoid .* hard_sigmoid"),
        ("", "", "", "--recurrent-activation sigmoid"),
        ("", "2.2.4-tf", "", "--recurrent-activation sigmoid"),
        ("sigmoid", "2.2.4", "hard_sigmoid", "are sigmoid"),
        ("hard_sigmoid", "2.2.4", "sigmoid", "are hard_sigmoid"),
    ],
)
def test_gates_that_nothing_tells_are_asked_for(named, version, asked, message):
    with pytest.raises(UserError, match=message):
        recurrent_activation(named, version, asked)


def test_a_file_without_a_version_is_ambiguous(tmp_path):
    path = tmp_path / "s2s.h5"
    shutil.copy(FIXTURE / "keras2.h5", path)
    with h5py.File(path, "r+") as file:
        del file.attrs["keras_version"], file["model_weights"].attrs["keras_version"]
    with pytest.raises(UserError, match="does not say which Keras wrote it"):
        read_model([path])
    assert (
        read_model([path], "keras2_hard_sigmoid").settings["recurrent_activation"]
        == "keras2_hard_sigmoid"
    )
    archive = tmp_path / "s2s.keras"
    with (
        zipfile.ZipFile(FIXTURE / "keras3.keras") as source,
        zipfile.ZipFile(archive, "w") as target,
    ):
        for name in ("config.json", "model.weights.h5"):
            target.writestr(name, source.read(name))
    # Keras 3 is known by the names of its modules.
    assert read_model([archive]).settings["recurrent_activation"] == "hard_sigmoid"


def test_weights_of_a_masked_embedding_ask_for_the_padding_or_try_the_data(tmp_path, capsys):
    asked = request("keras3", "weights", tmp_path)
    names = json.loads(asked.vocabulary[0].read_text())
    asked.vocabulary[0].write_text(json.dumps({**names, "source_padding": ""}))
    with pytest.raises(UserError, match="--padding mask or --padding zeros"):
        convert(asked)
    assert convert(asked._replace(padding="mask")).config.source_length == 0
    tried = convert(asked._replace(data=str(FIXTURE / "pairs.txt"), num_samples=24))
    assert tried.characters.source_padding == "mask"
    assert "Padding: mask" in capsys.readouterr().out


def test_weights_of_a_cudnn_lstm_say_what_its_gates_are(tmp_path):
    asked = request("cudnn", "weights", tmp_path)._replace(recurrent_activation="")
    path = tmp_path / "weights.h5"
    shutil.copy(asked.models[0], path)
    with h5py.File(path, "r+") as file:
        file.attrs["keras_version"] = "2.2.4"
    assert read_model([path]).settings["recurrent_activation"] == "sigmoid"


def test_the_units_asked_for_are_those_of_the_file(tmp_path):
    asked = request("keras2", "weights", tmp_path)
    assert convert(asked._replace(latent_dim=8)).config.model.latent_dim == 8
    with pytest.raises(UserError, match="has 8 units, not --latent-dim 256"):
        convert(asked._replace(latent_dim=256))


@pytest.mark.slow
def test_a_model_with_hard_gates_goes_on_training(tmp_path, run_here):
    name, folder = "keras2", tmp_path / "run"
    asked = request(name, "whole", tmp_path)
    import_model(asked._replace(data=str(FIXTURE / "pairs.txt"), num_samples=24, out=folder))
    done = run_here("train.py", "--out", folder, "--resume", "--epochs", 1)
    assert done.returncode == 0, done.stderr
    again = Translator.load(folder, "latest")
    assert again.run.config.model.recurrent_activation == GATES[name]
    losses = [
        json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]
    assert len(losses) == 1 and losses[0] < 1.5


@pytest.mark.parametrize(("name", "dropped"), [("wrapped2", True), ("keras3", False)])
def test_dropout_is_named_since_training_continues_without(tmp_path, capsys, name, dropped):
    import_model(request(name, "whole", tmp_path)._replace(out=tmp_path / "run"))
    assert ("trained with dropout" in capsys.readouterr().out) == dropped
