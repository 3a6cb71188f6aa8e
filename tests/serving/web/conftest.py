"""A service with two runs, one with attention, as it is behind the page."""

import jax
import numpy as np
import pytest

pytest.importorskip("starlette", reason="needs pip install -e '.[web]'")
pytest.importorskip("uvicorn", reason="needs pip install -e '.[web]'")

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding import fixed_shapes
from s2s_jax.decoding.translator import Translator
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run
from s2s_jax.serving.web.service import Service

SOURCE = Vocabulary.from_texts(["abcdefgh "])
TARGET = Vocabulary.from_texts(["uvwxyz"])


def make_translator(attention, folder=None, longest=9):
    """Random parameters: lively answers of up to eight symbols."""
    sizes = ModelConfig(len(SOURCE), len(TARGET), 16, embedding_dim=6, attention=attention)
    config = RunConfig(DataConfig(), sizes, TrainConfig(), 8, "", longest_source=longest)
    tokens = np.zeros((1, 1), np.int32)
    init = jax.jit(Seq2Seq(sizes).init)
    params = init(jax.random.key(3), tokens, tokens == 0, tokens)["params"]
    params = jax.tree.map(lambda x: x * 3, params)
    return Translator(Run(config, SOURCE, TARGET), params, origins=[(folder, 7)] if folder else [])


@pytest.fixture(scope="module", autouse=True)
def few_shapes():
    """Batches of one or eight rows: fewer programs to compile than a service has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixed_shapes, "_MOST_ROWS", 8)
        yield


@pytest.fixture
def make_run():
    return make_translator


@pytest.fixture(scope="module")
def translators(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    plain, attending = folder / "plain", folder / "attending"
    plain.mkdir(), attending.mkdir()
    (attending / "metrics.jsonl").write_text('{"epoch": 1, "loss": 2.5, "val_loss": null}\n')
    (attending / "evaluation.json").write_text('{\n "sentences": 4,\n "exact": 1}\n')
    (attending / "validation.tsv").write_text("a b\tuv\tuv\nc\tw\tu\n")
    card = (
        "---\nlicense: x\n---\n# A card\n<!-- a comment -->\n"
        "<script>alert(1)</script> ![a](b.png) [c](javascript:d)\n"
    )
    (attending / "README.md").write_text(card)
    return [make_translator("luong", attending), make_translator("none", plain)]


@pytest.fixture(scope="module")
def service(translators):
    return Service(translators)
