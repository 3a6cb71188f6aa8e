"""A run that starts from an imported one."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from s2s_testing import write_pairs

from s2s_jax.decoding.translator import Translator
from s2s_jax.keras.exporting import keras_view
from s2s_jax.runs.folder import KERAS

KERAS_PY = "s2s_jax/keras/__main__.py"
FIXTURE = Path(__file__).parent / "fixture"
EXPECTED = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["spaces.keras", "masked.keras"])
def test_it_answers_as_keras_does_and_goes_back_to_keras(name, tmp_path, run_here):
    folder, tuned = tmp_path / "imported", tmp_path / "tuned"
    vocabulary = tmp_path / "characters.json"
    known = {**EXPECTED[name], "source_padding": EXPECTED[name]["padding"]}
    vocabulary.write_text(json.dumps(known), encoding="utf-8")
    model = FIXTURE / name
    done = run_here(KERAS_PY, "import", model, "--vocabulary", vocabulary, "--out", folder)
    assert done.returncode == 0, done.stderr
    path = write_pairs(tmp_path / "new.txt", [("go Zoé", "va Zoé"), ("go", "va")])
    done = run_here(
        "train.py", "--start-from", folder, "--data", path, "--epochs", 0, "--out", tuned,
        "--validation-split", 0,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    translator = Translator.load(tuned)
    sources = list(EXPECTED[name]["decoded"])
    assert translator(sources) == Translator.load(folder)(sources)
    assert "é" in translator.run.source_vocabulary.symbols
    characters, weights = keras_view(translator.run, translator.params, tuned / KERAS)
    assert characters.source_padding == known["source_padding"]
    assert {"\t", "\n", "é"} <= set(characters.target_characters)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(weights))
