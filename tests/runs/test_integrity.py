"""A run folder from a stranger: forged sizes take no memory, nothing is run, nothing is written."""

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorstore
from s2s_steps_testing import assert_reads, same, save

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runs.checkpointing import restore_state
from s2s_jax.runs.folder import CONFIG, STEPS, read_run, write_config
from s2s_jax.runs.integrity import check_forms, hash_of_json, hashes_of_arrays
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request
from s2s_jax.training.run import carry_out

# Tensorstore's threads report to an event loop that a failed read has closed.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HUGE = [1_000_000_000, 4_000_000_000]  # 16 exabytes of float32.


@pytest.fixture
def copied(tmp_path):
    save(tmp_path)
    return tmp_path


def params_store(folder):
    """The keys and values below orbax's arrays, to be forged."""
    place = f"file://{(folder / STEPS / '6' / 'params').absolute()}/"
    return tensorstore.KvStore.open({"driver": "ocdbt", "base": place}).result()


def forge(folder, name, **changes):
    store, key = params_store(folder), f"{name}/.zarray".encode()
    store[key] = json.dumps(json.loads(store[key]) | changes).encode()


def test_hashes_tell_values_apart_and_not_their_spelling():
    assert hash_of_json({"a": 1, "b": [2.5]}) == hash_of_json(json.loads('{"b":[2.5],  "a":1}'))
    assert hash_of_json({"a": 1}) != hash_of_json({"a": 2})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert hashes_of_arrays({"x": array.T.copy().T}) == hashes_of_arrays({"x": array})
    assert hashes_of_arrays({"x": array + 1}) != hashes_of_arrays({"x": array})


def test_arrays_that_claim_more_than_the_model_are_not_read(copied):
    forge(copied, "encoder.cell.kernel", shape=HUGE)
    with pytest.raises(UserError, match=r"does not fit config\.json"):
        assert_reads(copied, 6)


def test_chunks_that_claim_more_than_their_array_are_not_read(copied):
    forge(copied, "encoder.cell.kernel", chunks=[100_000, 100_000])
    with pytest.raises(UserError, match="chunks larger than itself"):
        assert_reads(copied, 6)


def test_a_chunk_that_unpacks_to_more_than_it_should_is_refused(copied):
    store = params_store(copied)
    store[b"encoder.cell.kernel/0.0"] = store[b"encoder.cell.kernel/0.0"] * 1000
    with pytest.raises(UserError, match="damaged"):
        assert_reads(copied, 6)


def test_arrays_of_another_form_are_refused(copied):
    folder = copied / STEPS / "6"
    for item in ("params", "opt_state"):
        with pytest.raises(ValueError, match="does not fit"):
            check_forms(folder / item, {"other": ((1,), np.dtype("float32"))})
    assert assert_reads(copied, 6) == 6


def test_arrays_that_pack_into_almost_nothing_are_read(tmp_path):
    """As the optimizer state of a run that begins with a large model of Keras."""
    params = {"kernel": np.zeros((1000, 1000), np.float32)}
    opt_state = {"nu": params["kernel"]}
    save(tmp_path, params=params, opt_state=opt_state)
    found = restore_state(tmp_path, 6, params, opt_state)
    assert same(found[:2], (params, opt_state))


@pytest.mark.parametrize("field", ["latent_dim", "embedding_dim"])
def test_a_config_that_asks_for_a_billion_units_takes_no_memory(
    trained, data_file, tmp_path, field
):
    folder = Path(shutil.copytree(trained[1], tmp_path / "run"))
    run = read_run(folder)
    model = dataclasses.replace(run.config.model, **{field: 1_000_000_000})
    write_config(folder, run._replace(config=dataclasses.replace(run.config, model=model)))
    with pytest.raises(UserError, match=r"does not fit config\.json"):
        Translator.load(folder)
    request = Request({"data": str(data_file)}, {}, {"epochs": 41}, {}, folder, resume=True)
    with pytest.raises(UserError, match=r"does not fit config\.json"):
        carry_out(request, TrainingReport())


def test_an_answer_without_end_takes_no_memory(trained, tmp_path):
    folder = Path(shutil.copytree(trained[1], tmp_path / "run"))
    values = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(values | {"max_length": 10**9}))
    with pytest.raises(UserError, match="max_length"):
        Translator.load(folder)


_watched = None  # A list while a test watches; hooks cannot be taken away again.


def _watch(event, arguments):
    if _watched is not None and event in ("pickle.find_class", "os.system", "subprocess.Popen"):
        _watched.append((event, arguments))
    if _watched is not None and event == "open" and isinstance(arguments[0], str):
        path, mode, flags = arguments
        if (mode and set(mode) & set("wax+")) or (flags or 0) & 3:
            _watched.append((event, path))
    if _watched is not None and event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir"):
        _watched.append((event, arguments[0]))


def test_reading_a_run_runs_nothing_unpickles_nothing_and_writes_nothing(trained, tmp_path):
    global _watched
    folder = Path(shutil.copytree(trained[1], tmp_path / "run"))
    Translator.load(folder)  # What is imported is imported.
    sys.addaudithook(_watch)
    _watched = []
    try:
        Translator.load(folder)
        seen = list(_watched)
        with open(tmp_path / "x", "w"):
            pass
        assert _watched[len(seen) :], "the watch does not see"
    finally:
        _watched = None
    assert seen == []
