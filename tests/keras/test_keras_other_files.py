"""What people keep beside or instead of a functional model's file: read, or told from it."""

import json

import numpy as np
import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.layers import parse
from s2s_jax.keras.reading.models import read_model
from s2s_jax.keras.weights import NEVER, for_all_symbols


def test_checkpoints_of_tensorflow_are_named_by_any_of_their_files(tmp_path):
    names = ["cp.ckpt.index", "cp.ckpt.data-00000-of-00001", "checkpoint"]
    for name in names:
        (tmp_path / name).write_bytes(bytes(20))
    for name in [*names, "cp.ckpt", "."]:
        with pytest.raises(UserError, match="is a checkpoint of TensorFlow, which"):
            read_model([tmp_path / name])


def test_a_saved_model_is_named_by_its_folder_or_its_file(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(bytes(20))
    for path in (tmp_path, tmp_path / "saved_model.pb"):
        with pytest.raises(UserError, match="is a SavedModel of TensorFlow"):
            read_model([path])


def test_get_config_is_read_like_to_json(tmp_path):
    names = ["keras3.weights.h5", "keras3.json"]
    weights, whole = (FIXTURE / name for name in names)
    config = json.loads(whole.read_text(encoding="utf-8"))["config"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    found, expected = (
        read_model([weights, path], "hard_sigmoid") for path in (tmp_path / "config.json", whole)
    )
    assert found.structure == expected.structure


def test_an_output_layer_may_leave_out_symbols_that_the_decoder_reads():
    side = {"inputs": {"embedding": {"embedding": np.ones((4, 2), "f4")}}}
    kernel, bias = for_all_symbols(side, np.ones((3, 3), "f4"), np.ones(3, "f4"))
    np.testing.assert_array_equal(kernel, [[1, 1, 1, 0]] * 3)
    np.testing.assert_array_equal(bias, np.array([1, 1, 1, NEVER], "f4"))
    assert kernel.dtype == bias.dtype == np.float32
    with pytest.raises(UserError, match="at most the 4 symbols that the decoder reads; found 5"):
        for_all_symbols(side, np.ones((3, 5), "f4"), np.ones(5, "f4"))


def test_models_inside_a_model_are_to_be_saved_by_themselves():
    inner = {"class_name": "Functional", "config": {"name": "decoder"}, "inbound_nodes": []}
    with pytest.raises(UserError, match=r"'decoder'; .*save each by itself and import both"):
        parse({"class_name": "Functional", "config": {"layers": [inner]}})
