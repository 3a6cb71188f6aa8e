"""What the tests of pictures share: small models that were not trained, and files that are read."""

import jax
import numpy as np
import pytest

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.translator import Translator
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.pictures import heatmap
from s2s_jax.runs.checkpointing import save_step
from s2s_jax.runs.folder import Run, create_run

LIMIT = 5
SOURCES, TARGETS = ["abcdefgh <&", "שלום"], ["uvwx ", "漢字ा"]


@pytest.fixture
def any_fonts(monkeypatch):
    """A machine on which no script is without a font."""

    def found(texts):
        return {text: ["sans-serif"] for text in texts}

    monkeypatch.setattr(heatmap, "families_for", found)


def make_translator(attention="luong", limit=LIMIT):
    """A model with random parameters, over a few symbols of several scripts."""
    source, target = Vocabulary.from_texts(SOURCES), Vocabulary.from_texts(TARGETS)
    sizes = ModelConfig(len(source), len(target), 8, attention=attention)
    config = RunConfig(DataConfig(), sizes, TrainConfig(), limit, "")
    tokens = np.zeros((1, 1), np.int32)
    params = jax.jit(Seq2Seq(sizes).init)(jax.random.key(3), tokens, tokens == 0, tokens)["params"]
    return Translator(Run(config, source, target), params)


def save_run(folder, translator, step=1, history=()):
    """A run folder with a model in it."""
    create_run(folder, translator.run)
    record = {"step": step, "epoch": step, "history": list(history)}
    save_step(folder, jax.device_get(translator.params), {}, record, 1.0)
    return folder


def size_of_png(data):
    """Width and height of a PNG in pixels; fails for what is none."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return tuple(int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
