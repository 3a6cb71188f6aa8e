"""What dropout zeroes, by itself; what it does in a model is tested with the model."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.config import ModelConfig
from s2s_jax.errors import UserError
from s2s_jax.model.dropout import dropout, row_keys
from s2s_jax.model.gate_inputs import GateInputs


@pytest.mark.parametrize("dim", [1, 20])
def test_dropout_keeps_the_mean_and_drops_the_share_asked_for(dim):
    keys = row_keys(jax.random.key(0), 50, ModelConfig(11, 13))[:, 0]
    dropped = np.asarray(dropout(jnp.ones((400 // dim, 50, dim)), 0.3, keys, 0))
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.7)}
    # 20,000 draws: five standard errors are 0.016.
    assert abs((dropped == 0).mean() - 0.3) < 0.017
    assert len(np.unique(dropped.sum(axis=(0, 2)))) > 10  # The rows differ.
    other_site = np.asarray(dropout(jnp.ones((400 // dim, 50, dim)), 0.3, keys, 1))
    assert (other_site != dropped).any()


def test_draws_of_dropout_are_independent_of_each_other():
    config = ModelConfig(11, 13)
    updates = [row_keys(jax.random.key(n), 64, config)[:, 0] for n in range(2)]
    ones = jnp.ones((30, 64, 32))
    first, other_site, other_update = (
        np.asarray(dropout(ones, 0.3, keys, site) == 0, float) - 0.3
        for keys, site in [(updates[0], 0), (updates[0], 1), (updates[1], 0)]
    )
    variance = 0.3 * 0.7
    pairs = {
        "time steps": (first[1:], first[:-1]),
        "rows": (first[:, 1:], first[:, :-1]),
        "features": (first[:, :, 1:], first[:, :, :-1]),
        "places": (first, other_site),
        "updates": (first, other_update),
    }
    for name, (x, y) in pairs.items():
        # Five standard errors of a correlation of nothing.
        assert abs((x * y).mean() / variance) < 5 / x.size**0.5, name
    for axis in range(3):  # No time step, row or feature is dropped more than chance allows.
        others = tuple(n for n in range(3) if n != axis)
        count = first.size / first.shape[axis]
        assert np.abs(first.mean(axis=others)).max() < 5 * (variance / count) ** 0.5


def test_token_dropout_hides_whole_tokens_and_leaves_the_other_draws_as_they_are():
    plain = ModelConfig(50, 50, embedding_dim=6, dropout=0.1)
    config = dataclasses.replace(plain, token_dropout=0.3)
    keys = [row_keys(jax.random.key(2), 100, each)[:, 0] for each in (plain, config)]
    np.testing.assert_array_equal(keys[0], keys[1][:, :-1])
    inputs = GateInputs(50, 8, 6, token_dropout=0.3)
    tokens = jax.random.randint(jax.random.key(3), (200, 100), 0, 50)
    params = inputs.init(jax.random.key(4), tokens)
    vectors = inputs.apply(params, tokens, method="embed")
    found = inputs.apply(params, tokens, keys[1], method="embed")
    hidden = (found == 0).all(axis=-1)
    # 20,000 draws: five standard errors are 0.016.
    assert abs(hidden.mean() - 0.3) < 0.017
    assert len(np.unique(hidden.sum(axis=0))) > 10  # The rows differ.
    np.testing.assert_allclose(found, jnp.where(hidden[..., None], 0, vectors / 0.7), rtol=1e-6)
    with pytest.raises(UserError, match="`token_dropout` needs `embedding_dim`"):
        ModelConfig(50, 50, token_dropout=0.3)
