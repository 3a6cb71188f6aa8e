"""Attention by itself; what it does in a model is tested with the model."""

import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.config import ModelConfig
from s2s_jax.errors import UserError
from s2s_jax.model.attention import LuongAttention, remembered

BATCH, SOURCE, TARGET = 3, 7, 6


def test_each_head_attends_with_its_part_by_itself():
    """Against one head after another, in NumPy."""
    mask = jnp.arange(SOURCE) < jnp.array([[7], [4], [1]])
    rng = np.random.default_rng(1)
    queries, keys, values = (
        jnp.asarray(rng.normal(size=(BATCH, time, width)), jnp.float32)
        for time, width in ((TARGET, 8), (SOURCE, 8), (SOURCE, 12))
    )
    attention = LuongAttention(heads=4, features=None)
    memory = remembered(keys, values, mask, heads=4)
    found, sown = attention.apply({}, queries, memory, mutable="intermediates")
    contexts, shares = [], []
    for head in range(4):
        own, looked_at = slice(2 * head, 2 * head + 2), slice(3 * head, 3 * head + 3)
        scores = queries[..., own] @ keys[..., own].swapaxes(1, 2)
        shares.append(np.exp(scores) * mask[:, None])
        shares[-1] /= shares[-1].sum(-1, keepdims=True)
        contexts.append(shares[-1] @ values[..., looked_at])
    wanted = np.concatenate([*contexts, queries], axis=-1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    weights = sown["intermediates"]["weights"][0]
    np.testing.assert_allclose(weights, np.mean(shares, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"attention_heads": 2}, "`attention_heads` needs attention; give `attention` luong"),
        ({"attend_embeddings": True, "embedding_dim": 4}, "`attend_embeddings` needs attention"),
        ({"attention": "luong", "attend_embeddings": True}, "needs embeddings to find"),
        ({"attention": "luong", "attention_heads": 3}, "must divide `latent_dim`, 8; 3 does not"),
        (
            {
                "attention": "luong", "attention_heads": 2,
                "attend_embeddings": True, "embedding_dim": 5,
            },
            "must divide `latent_dim` and `embedding_dim` together, 13; 2 does not",
        ),
    ],
)  # fmt: skip
def test_attention_that_cannot_be_is_refused(given, message):
    with pytest.raises(UserError, match=message):
        ModelConfig(11, 13, latent_dim=8, **given)
