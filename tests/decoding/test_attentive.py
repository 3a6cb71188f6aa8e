"""Decoding with a model that attends to its source, by properties."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_testing import compilations, greedy_by_definition

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.decoding.alignment import align
from s2s_jax.decoding.batches import decode_rows, score_rows
from s2s_jax.decoding.beam import length_penalty
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:.*the answer was cut off::")

SOURCE = Vocabulary.from_texts(["abcdefgh "])
TARGET = Vocabulary.from_texts(["uv"])
TEXTS = ["abc", "h", "abcdefghabcdefgh", "ba d", "cab"]
LIMIT = 3


@pytest.fixture(scope="module")
def translator():
    """Random parameters, with every layer that a model may have."""
    sizes = ModelConfig(
        len(SOURCE),
        len(TARGET),
        16,
        embedding_dim=6,
        attention="luong",
        attention_heads=2,
        attend_embeddings=True,
        bidirectional=True,
        encoder_layers=2,
        decoder_layers=2,
        dropout=0.2,
    )
    config = RunConfig(DataConfig(), sizes, TrainConfig(), LIMIT, "")
    tokens = np.zeros((1, 1), np.int32)
    init = jax.jit(Seq2Seq(sizes).init)
    params = init(jax.random.key(3), tokens, tokens == 0, tokens)["params"]
    params = jax.tree.map(lambda x: x * 3, params)  # Livelier answers.
    return Translator(Run(config, SOURCE, TARGET), params)


def test_greedy_follows_the_step_by_step_definition(translator):
    for text in TEXTS:
        assert translator(text) == greedy_by_definition(translator, text, LIMIT)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"beam": 3}, {"sample": True}], ids=str)
def test_answers_keep_their_place_whatever_the_batches(translator, options):
    alone = [translator(text, **options) for text in TEXTS]
    assert translator(TEXTS, **options) == alone
    assert translator(TEXTS, batch_size=3, **options) == alone
    assert len(set(alone)) > 1


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_with_a_slot_for_every_hypothesis_is_exhaustive(translator, alpha):
    symbols = range(len(SPECIALS), len(TARGET))
    eos = (Vocabulary.eos_id,)
    ended = [(*s, *eos) for n in range(LIMIT) for s in itertools.product(symbols, repeat=n)]
    every = ended + list(itertools.product(symbols, repeat=LIMIT))
    sources = [np.asarray(SOURCE.encode(text), np.int32) for text in TEXTS]
    config = DecodeConfig(beam=16, n_best=len(every), length_penalty=alpha)
    found = decode_rows(translator.model, translator.params, sources, config, LIMIT)
    for source, hypotheses in zip(sources, found, strict=True):
        targets = [np.array(ids, np.int32) for ids in every]
        scores = score_rows(
            translator.model, translator.params, [source] * len(every), targets, batch_size=64
        )
        ranked = {
            ids: score.sum() / length_penalty(jnp.array(len(ids)), alpha)
            for ids, score in zip(every, scores, strict=True)
        }
        best = [tuple(ids for ids in h.ids.tolist() if ids) for h in hypotheses]
        wanted = sorted(every, key=lambda ids: -ranked[ids])[: len(best)]
        assert best[:5] == wanted[:5]
        np.testing.assert_allclose(
            [h.ranked for h in hypotheses[:5]], [ranked[ids] for ids in wanted[:5]], rtol=1e-5
        )


def test_an_alignment_says_what_each_symbol_attended_to(translator):
    found = align(translator, "abc", "uv")
    assert found.source == ("a", "b", "c")
    assert found.target == ("u", "v", "<eos>")
    assert found.weights.shape == (3, 3)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, rtol=1e-6)
    # What is written later has no influence.
    np.testing.assert_allclose(
        align(translator, "abc", "uu").weights[:2], found.weights[:2], rtol=1e-5
    )
    spaced = align(translator, "  abc ", " uv")  # Read as a translator reads it.
    np.testing.assert_array_equal(spaced.weights, found.weights)
    greedy = align(translator, "abc")
    assert TARGET.decode([TARGET.symbols.index(s) for s in greedy.target]) == translator("abc")
    with pytest.raises(UserError, match="no symbol of '日'"):
        align(translator, "日")
    without = {"attention": "none", "attention_heads": 1, "attend_embeddings": False}
    sizes = dataclasses.replace(translator.run.config.model, **without)
    config = dataclasses.replace(translator.run.config, model=sizes)
    plain = Translator(Run(config, SOURCE, TARGET), translator.params)
    with pytest.raises(UserError, match="has no attention; train one with `attention` luong"):
        align(plain, "abc")


def test_each_shape_is_compiled_once(translator, caplog):
    translator(TEXTS, beam=2)
    with compilations(caplog) as compiled:
        translator(TEXTS[::-1], beam=2, length_penalty=1.0)
    assert not compiled
