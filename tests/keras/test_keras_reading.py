"""Damaged, forged and foreign files are refused in one line, before they cost memory."""

import copy
import io
import json
import pickle
import zipfile
from pathlib import Path

import h5py
import jax
import numpy as np
import pytest

from s2s_jax.errors import UserError
from s2s_jax.keras.reading import graph
from s2s_jax.keras.reading.layers import parse
from s2s_jax.keras.reading.models import read_model

FIXTURE = Path(__file__).parent / "fixture"
KERNEL = "model_weights/lstm/lstm/lstm_cell/kernel"


def config_of(name):
    if name.endswith(".h5"):
        with h5py.File(FIXTURE / name) as file:
            return json.loads(file.attrs["model_config"])
    with zipfile.ZipFile(FIXTURE / name) as archive:
        return json.loads(archive.read("config.json"))


def recognise(config):
    return graph.recognise(parse(config))


def refused(path):
    with pytest.raises(UserError) as error:
        read_model([path])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    return str(error.value)


def layer(config, kind, which=0):
    return [item for item in config["config"]["layers"] if item["class_name"] == kind][which]


def setting(kind, key, value, which=0):
    return lambda config: layer(config, kind, which)["config"].update({key: value})


def swap_states(config):
    states = layer(config, "LSTM", 1)["inbound_nodes"][0]["kwargs"]["initial_state"]
    states.reverse()


def drop_states(config):
    del layer(config, "LSTM", 1)["inbound_nodes"][0]["kwargs"]["initial_state"]


def add_lambda(config):
    dense = copy.deepcopy(layer(config, "Dense"))
    dense.update(class_name="Lambda")
    dense["config"].update(name="lambda", function={"class_name": "__lambda__", "code": "..."})
    config["config"]["layers"].append(dense)


def foreign(config):
    layer(config, "LSTM")["module"] = "somebody.layers"


def used_twice(config):
    layer(config, "LSTM")["inbound_nodes"] *= 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (setting("LSTM", "activation", "relu"), "activation 'tanh' in LSTM 'lstm'; found relu"),
        (setting("LSTM", "recurrent_activation", "hard_sigmoid"), "found hard_sigmoid"),
        (setting("LSTM", "go_backwards", True, 1), "go_backwards False"),
        (setting("LSTM", "use_bias", False, 1), "use_bias True"),
        (setting("LSTM", "return_sequences", False, 1), "return_sequences True"),
        (setting("LSTM", "units", 9, 1), "as many units .* found LSTM 'lstm' 8, LSTM 'lstm_1' 9"),
        (setting("LSTM", "dtype", "mixed_float16"), "float32 in LSTM"),
        (setting("Dense", "activation", "sigmoid"), "activation 'softmax'"),
        (swap_states, "h and c, in this order, .* found tensor 2 of LSTM"),
        (drop_states, "two initial states; found 0"),
        (add_lambda, "found Lambda 'lambda'; train a model here on the same data"),
        (foreign, "no layers but .*; found LSTM 'lstm'"),
        (used_twice, r"one stack of LSTMs; found .*"),
        (lambda config: config.update(class_name="Sequential"), "found Sequential"),
        (lambda config: config["config"].update(output_layers=[]), "one output"),
        (lambda config: config["config"].update(output_layers=["x", 0, 0]), "no layer 'x'"),
        (lambda config: config["config"].update(layers=3), "as Keras writes them"),
    ],
)
def test_other_models_are_refused_by_what_differs(change, message):
    config = config_of("tutorial.keras")
    recognise(config)
    change(config)
    with pytest.raises(UserError, match=message):
        recognise(config)


def test_layers_without_effect_are_followed_and_never_for_ever():
    config = config_of("wrapped3.keras")
    recognise(config)
    wrapper = layer(config, "TimeDistributed")
    wrapper["config"]["layer"]["class_name"] = "Conv1D"
    with pytest.raises(UserError, match="found TimeDistributed Conv1D 'time_distributed'"):
        recognise(config)
    config = config_of("wrapped3.keras")
    for kind in ("Dropout", "NotEqual"):
        own = layer(config, kind, -1)
        own["inbound_nodes"][0]["args"][0]["config"]["keras_history"][0] = own["config"]["name"]
    with pytest.raises(
        UserError, match="an input of each Dropout layer; found none of 'dropout_2'"
    ):
        recognise(config)


@pytest.mark.parametrize("value", [None, [], {}, "model", {"class_name": "Functional"}])
def test_what_is_no_configuration_is_refused(value):
    with pytest.raises(UserError, match="expected"):
        recognise(value)


def test_masks_must_be_of_what_is_not_zero():
    config = config_of("masked.keras")
    structure = recognise(config)
    assert structure.encoder.masked and not structure.decoder.masked
    other = copy.deepcopy(config)
    layer(other, "NotEqual")["inbound_nodes"][0]["args"][1] = 1.0
    with pytest.raises(UserError, match="the mask of what is not 0"):
        recognise(other)
    layer(config, "Masking")["config"]["mask_value"] = 2.0
    with pytest.raises(UserError, match=r"mask_value 0\.0"):
        recognise(config)


@pytest.fixture
def h5(tmp_path):
    path = tmp_path / "s2s.h5"
    path.write_bytes((FIXTURE / "tutorial.h5").read_bytes())
    return path


def replaced(path, **options):
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, **options)


SHAPE = (15, 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": np.zeros((15, 33), "f4")}, r"float32 \(any, 32\); found float32 \(15, 33\)"),
        ({"data": np.zeros(SHAPE, "f8")}, "found float64"),
        ({"data": np.zeros(32, "f4")}, r"found float32 \(32,\)"),
        # Of these no byte, or few, are in the file.
        ({"shape": (10**9, 32), "dtype": "f4", "chunks": (1, 32)}, "bytes in the file; found 0"),
        ({"data": np.zeros((10**5, 32), "f4"), "compression": "gzip"}, "bytes in the file; found"),
        ({"shape": SHAPE, "dtype": "f4", "external": "/etc/hostname"}, "in the file"),
    ],
)
def test_forged_arrays_are_refused(h5, options, message):
    replaced(h5, **options)
    with pytest.raises(UserError, match=message):
        read_model([h5])


def test_links_out_of_the_file_are_not_followed(h5):
    with h5py.File(h5, "r+") as file:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(FIXTURE / "legacy.h5", KERNEL)
    assert "found none" in refused(h5)


def test_weights_alone_are_read_like_the_whole_model(h5):
    whole = read_model([h5])
    with h5py.File(h5, "r+") as file:
        del file.attrs["model_config"]
    alone = read_model([h5])
    assert alone.settings["recurrent_activation"] == "sigmoid"
    for one, other in zip(*map(jax.tree.leaves, (alone.params, whole.params)), strict=True):
        assert one.tobytes() == other.tobytes()


def test_pickles_and_other_files_are_refused(tmp_path):
    path = tmp_path / "s2s.h5"
    path.write_bytes(pickle.dumps({"lstm": np.zeros(3)}))
    assert "begins with" in refused(path)
    path.write_bytes(b"")
    assert "begins with" in refused(path)
    assert "no such file" in refused(tmp_path)


@pytest.mark.parametrize("name", ["tutorial.h5", "tutorial.keras"])
def test_a_file_cut_short_is_damaged(tmp_path, name):
    whole = (FIXTURE / name).read_bytes()
    for size in (20, len(whole) // 2, len(whole) - 1000):
        path = tmp_path / name
        path.write_bytes(whole[:size])
        refused(path)


@pytest.mark.parametrize("name", ["tutorial.h5", "tutorial.keras"])
def test_flipped_bytes_never_end_in_a_traceback(tmp_path, name):
    whole = (FIXTURE / name).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 20):
            data[place] = rng.integers(256)
        path = tmp_path / name
        path.write_bytes(data)
        try:
            read_model([path])
        except UserError as error:
            assert "\n" not in str(error)


def archive(path, **members):
    with zipfile.ZipFile(FIXTURE / "tutorial.keras") as source:
        kept = {name: source.read(name) for name in source.namelist()}
    kept.update({name.replace("__", "."): data for name, data in members.items()})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in kept.items():
            if data is not None:
                target.writestr(name, data)
    return path


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = archive(tmp_path / "a.keras", model__weights__h5=bytes(1 << 26))
    assert "found more" in refused(path)


def test_an_archive_without_its_members_is_refused(tmp_path):
    path = archive(tmp_path / "a.keras", config__json=None)
    assert "expected config.json" in refused(path)
    path = archive(tmp_path / "a.keras", config__json=b"[" * 100_000)
    assert "damaged" in refused(path)


def test_weights_of_another_layer_are_refused(tmp_path):
    with zipfile.ZipFile(FIXTURE / "tutorial.keras") as source:
        weights = io.BytesIO(source.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        file["layers/lstm/vars"].attrs["name"] = "another"
    path = archive(tmp_path / "a.keras", model__weights__h5=weights.getvalue())
    assert "not another" in refused(path)
