"""The files in fixture were made by Keras itself: see make.py there. No Keras is needed."""

import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest
from s2s_testing import ROOT, run_script

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.finding import roundest, tutorial_characters, tutorial_pairs
from s2s_jax.keras.importing import convert, import_model
from s2s_jax.keras.reading.models import read_model
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.weights import from_params
from s2s_jax.runs.folder import read_run

FIXTURE = Path(__file__).parent / "fixture"
EXPECTED = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
PAIRS = FIXTURE / "pairs.txt"


def request(name, **changes):
    """Asks for a file of the fixture with the tutorial's data."""
    return ImportRequest([FIXTURE / name], str(PAIRS), 24)._replace(**changes)


def write_json(folder, name, **changes):
    path = folder / "characters.json"
    path.write_text(json.dumps({**EXPECTED[name], **changes}), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=EXPECTED)
def imported(request, tmp_path_factory):
    name, folder = request.param, tmp_path_factory.mktemp("json")
    path = write_json(folder, name, source_padding=EXPECTED[name]["padding"])
    asked = ImportRequest([FIXTURE / name], vocabulary=[path])
    return EXPECTED[name], convert(asked)


def test_answers_are_keras_s(imported):
    expected, found = imported
    translator = Translator(found.run, found.params)
    answers = translator.translate(list(expected["decoded"]))
    texts = [answer.text + ("\n" if answer.complete else "") for answer in answers]
    assert texts == list(expected["decoded"].values())


@functools.partial(jax.jit, static_argnums=0)
def forward(model, variables, *inputs):
    return model.apply(variables, *inputs)


def test_probabilities_are_keras_s(imported):
    expected, found = imported
    run = found.run
    ((source, target),) = tutorial_pairs(PAIRS, 1)
    ids = run.source_encoder.encode(source)[None]
    places = found.characters.ids(run.source_vocabulary, run.target_vocabulary)
    written = [found.characters.target_characters.index(c) for c in f"\t{target}\n"]
    reads = places.target_inputs[written][None]
    translator = Translator(run, found.params)
    variables = {"params": translator.params}
    logits = forward(translator.model, variables, ids, np.ones_like(ids, bool), reads)
    probabilities = np.asarray(jax.nn.softmax(logits))[0][:, places.target_outputs]
    wanted = np.array(expected["probabilities"])[: len(written)]
    np.testing.assert_allclose(probabilities, wanted, atol=1e-5)


def test_weights_come_back_bit_for_bit(imported):
    _, found = imported
    again = from_params(found.params, found.characters, found.run)
    assert jax.tree.structure(again) == jax.tree.structure(found.model.params)
    for one, other in zip(*map(jax.tree.leaves, (again, found.model.params)), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize(
    ("name", "optimizer", "rate"),
    [("tutorial.h5", "rmsprop", 0.01), ("spaces.keras", "adam", 0.02), ("legacy.h5", "", 0)],
)
def test_the_optimizer_is_recognised(name, optimizer, rate):
    model = read_model([FIXTURE / name])
    assert model.optimizer == optimizer
    assert model.learning_rate == pytest.approx(rate)


def test_the_learning_rate_was_once_called_lr(tmp_path):
    path = tmp_path / "s2s.h5"
    shutil.copy(FIXTURE / "tutorial.h5", path)
    with h5py.File(path, "r+") as file:
        training = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.03}}}
        file.attrs["training_config"] = json.dumps(training)
    assert (read_model([path]).optimizer, read_model([path]).learning_rate) == ("adam", 0.03)


def test_characters_and_lengths_are_the_tutorial_s():
    found = tutorial_characters(tutorial_pairs(PAIRS, 24))
    wanted = EXPECTED["tutorial.h5"]
    assert list(found.input_characters) == wanted["input_characters"]
    assert list(found.target_characters) == wanted["target_characters"]
    assert found.max_encoder_seq_length == wanted["max_encoder_seq_length"]
    assert found.max_decoder_seq_length == wanted["max_decoder_seq_length"]


def test_lines_are_the_tutorial_s(tmp_path):
    path = tmp_path / "data.txt"
    # The tutorial leaves out what follows the last line feed, and reads e + acute as two.
    path.write_bytes("e\u0301 \tX\tCC\r\nb\tY\rc\tZ\nd\tnever".encode())
    assert tutorial_pairs(path, 10) == [("e\u0301 ", "X"), ("b", "Y"), ("c", "Z")]
    assert len(tutorial_pairs(path, 2)) == 2
    path.write_text("a\tb\nc\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 2 .* no tab"):
        tutorial_pairs(path, 10)
    path.write_text("a\tb", encoding="utf-8")
    with pytest.raises(UserError, match="no line that ends"):
        tutorial_pairs(path, 10)


def test_a_run_folder_like_any_other(tmp_path, capsys):
    folder = tmp_path / "run"
    asked = request("tutorial.keras", out=folder)
    assert import_model(asked) == 0
    assert "source padding zeros" in capsys.readouterr().out
    expected = EXPECTED["tutorial.keras"]["decoded"]
    assert Translator.load(folder)(list(expected)) == [t.strip("\n") for t in expected.values()]
    config = read_run(folder).config
    assert config.data.num_samples == 23  # One of 24 lines is there twice.
    assert config.train.optimizer == "rmsprop"
    assert (folder / "metrics.jsonl").read_text() == ""
    with pytest.raises(UserError, match="holds a run already"):
        import_model(asked)
    assert import_model(asked._replace(overwrite=True)) == 0


def filling(found):
    return found.config.source_length, found.config.source_filler


def test_spaces_are_found_by_trying_the_data(capsys):
    found = convert(request("spaces.keras"))
    assert filling(found) == (13, " ")
    assert "Padding: space" in capsys.readouterr().out
    zeros = convert(request("spaces.keras", padding="zeros"))
    assert filling(zeros) == (13, "<pad>")
    assert filling(convert(request("masked.keras"))) == (0, "<pad>")
    # Nothing was learned, so nothing tells them apart, and the tutorial's are zeros.
    assert filling(convert(request("untrained.keras"))) == (13, "<pad>")
    # The id 0 of an Embedding is the first character.
    assert convert(request("embedding.h5", padding="zeros")).config.source_filler == " "


def test_lengths_may_come_from_the_data(tmp_path):
    path = write_json(tmp_path, "tutorial.h5", max_encoder_seq_length=0, max_decoder_seq_length=0)
    found = convert(request("tutorial.h5", vocabulary=[path]))
    assert found.characters.max_decoder_seq_length == 20
    assert convert(request("tutorial.h5", max_decoder_seq_length=9)).config.max_length == 10
    with pytest.raises(UserError, match="no max_encoder_seq_length"):
        convert(request("tutorial.h5", vocabulary=[path], data=None))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("tutorial.h5", {"num_samples": 26}, r"15 source and 20 target .* 20 and 26"),
        ("tutorial.h5", {"num_samples": 0}, "--num-samples"),
        ("tutorial.h5", {"data": None}, "--data fra.txt"),
        ("tutorial.h5", {"padding": "mask"}, "has no mask"),
        ("masked.keras", {"padding": "zeros"}, "has a mask"),
        ("missing.h5", {}, "no such file"),
        ("make.py", {}, "but it begins with"),
    ],
)
def test_what_does_not_fit_is_refused(name, changes, message):
    with pytest.raises(UserError, match=message) as error:
        convert(request(name, **changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_characters": None}, "the lists input_characters"),
        ({"input_characters": ["ab", "c"]}, "single characters"),
        ({"input_characters": ["a", "a"]}, "once"),
        ({"input_characters": ["a", 3]}, "list of characters"),
        ({"target_characters": ["a", "b"]}, "the start '\\\\t' and the end"),
        ({"target_characters": ["\t", "\n", "", "<pad>", *"abcdefghijklmnop"]}, "one empty place"),
        ({"max_encoder_seq_length": -1}, "whole number"),
        ({"source_padding": "nonsense"}, "source_padding"),
        ({"start": {}}, "unhashable"),
    ],
)
def test_a_json_that_is_none_is_refused(tmp_path, changes, message):
    path = write_json(tmp_path, "tutorial.h5", **changes)
    with pytest.raises(UserError, match=message) as error:
        convert(request("tutorial.h5", vocabulary=[path]))
    assert "\n" not in str(error.value)


def test_other_starts_and_ends_can_be_named(tmp_path):
    names = [
        {"\t": "[START]", "\n": "[END]"}.get(c, c)
        for c in EXPECTED["tutorial.h5"]["target_characters"]
    ]
    path = write_json(tmp_path, "tutorial.h5", target_characters=names, start="[START]",
                      end="[END]")  # fmt: skip
    found = convert(request("tutorial.h5", data=None, vocabulary=[path]))
    expected = EXPECTED["tutorial.h5"]["decoded"]
    answers = Translator(found.run, found.params)(list(expected))
    assert answers == [text.strip("\n") for text in expected.values()]


def test_a_masked_embedding_needs_a_place_for_padding(tmp_path):
    lists = {key: [*EXPECTED["reserved.keras"][key][1:], "§"] for key in
             ("input_characters", "target_characters")}  # fmt: skip
    path = write_json(tmp_path, "reserved.keras", **lists)
    with pytest.raises(UserError, match="mask_zero"):
        convert(request("reserved.keras", vocabulary=[path]))


def test_the_command_line_says_what_is_wrong_in_one_line():
    command = [sys.executable, "-m", "s2s_jax.keras", "import", "none.h5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("s2s_jax.keras: error: no such file: none.h5;")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_an_imported_run_is_trained_on_and_decoded(tmp_path):
    folder = tmp_path / "run"
    import_model(request("tutorial.h5", out=folder))
    done = run_script("train.py", "--out", folder, "--resume", "--epochs", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trained = Translator.load(folder, "latest")
    kernel = np.asarray(trained.params["encoder"]["inputs"]["kernel"])
    assert (kernel[0] == 0).all()  # The zeros beyond a source's end have no weight to train.
    before = convert(request("tutorial.h5")).params["encoder"]["inputs"]["kernel"]
    assert not np.array_equal(kernel, before)
    done = run_script("decode.py", "--checkpoint", folder, "I go.", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_a_wrong_number_of_lines_is_answered_with_the_right_one(tmp_path):
    for number in (3, 25, 26, 10_000):
        with pytest.raises(UserError, match=r"first 21 to 24 lines .* --num-samples 21,") as error:
            convert(request("tutorial.h5", num_samples=number))
        assert "\n" not in str(error.value)
    other = tmp_path / "other.txt"
    other.write_text("a\tb\n" * 30 + "no tab\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"first 24 lines of .* 1 and 3; give the data and --num"):
        convert(request("tutorial.h5", data=str(other)))


def test_the_number_suggested_is_the_roundest():
    assert roundest(range(9_812, 10_434)) == 10_000
    assert roundest(range(812, 843)) == 820
    assert roundest(range(7, 8)) == 7
    assert roundest(range(3, 20)) == 10
