import re

import jax
import jax.numpy as jnp
import pytest

from s2s_jax.config import ModelConfig
from s2s_jax.data.batching import Bucket
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.model.summary import summary

CONFIGS = [
    ModelConfig(70, 90),
    ModelConfig(70, 90, latent_dim=128, embedding_dim=32),
    ModelConfig(60_000, 250_000, latent_dim=2048, embedding_dim=1024),
]
EVERYTHING = ModelConfig(
    3000,
    3000,
    embedding_dim=192,
    attention="luong",
    bidirectional=True,
    encoder_layers=2,
    decoder_layers=2,
    tie_embeddings=True,
)


def count(config):
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    mask = jax.ShapeDtypeStruct((1, 1), bool)
    params = jax.eval_shape(Seq2Seq(config).init, jax.random.key(0), tokens, mask, tokens)
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_the_summary_is_a_page_of_plain_text_with_the_right_total(config):
    text = summary(config, 512, Bucket(500, 501))
    # It is also redirected to files, where escape sequences are garbage.
    assert all(line.isprintable() for line in text.split("\n"))
    assert max(map(len, text.split("\n"))) <= 79
    assert len(text.split("\n")) < 30
    assert re.search(rf"Total Parameters: {count(config):,} ", text)


def test_the_three_views_are_named_with_their_shapes():
    text = summary(CONFIGS[0], 64, Bucket(16, 32))
    _, views = text.split("Three views of these parameters")
    training, encode, decode_step = re.split(r"\n  (?=\w)", views)[1:]
    carry = ["carry", "(c, h) of float32[64,256], float32[64,256]"]

    def rows(view):
        return [re.split(r"\s{2,}", line.strip()) for line in view.splitlines()]

    assert rows(training) == [
        ["training", "Seq2Seq.__call__"],
        ["in", "source", "int32[64,16]"],
        ["in", "source_mask", "bool[64,16]"],
        ["in", "target_inputs", "int32[64,32]"],
        ["out", "logits", "float32[64,32,90]"],
    ]
    assert rows(encode) == [
        ["encode", "Seq2Seq.encode"],
        ["in", "source", "int32[64,16]"],
        ["in", "source_mask", "bool[64,16]"],
        ["out", *carry],
    ]
    assert rows(decode_step) == [
        ["decode_step", "Seq2Seq.decode_step"],
        ["in", *carry],
        ["in", "tokens", "int32[64]"],
        ["out", *carry],
        ["out", "logits", "float32[64,90]"],
    ]


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_layer_stands_in_the_table_and_nothing_is_cut_off(config):
    text = summary(config, 512, Bucket(500, 501))
    assert "…" not in text
    for module, times in (("GateInputs", 2), ("LSTMCell", 2), ("Dense", 1)):
        assert text.count(f" {module} ") == times
    assert text.count(" Embed ") == (2 if config.embedding_dim else 0)


def test_a_model_with_every_layer_shows_its_memory_and_its_carries():
    text = summary(EVERYTHING, 64, Bucket(12, 14))
    assert max(map(len, text.split("\n"))) <= 79
    encode, decode_step = text.split("\n  encode ")[1].split("\n  decode_step ")
    for view in (encode, decode_step):
        for line in (
            "carry          2 x (c, h) of float32[64,256], float32[64,256]",
            "memory.keys    float32[64,1,256,12]",
            "memory.values  float32[64,1,12,256]",
            "memory.mask    bool[64,12]",
        ):
            assert line in view
