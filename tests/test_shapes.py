"""The shapes in signatures are there, and are checked while the tests run."""

import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

from s2s_jax.model.losses import token_sums


def test_a_wrong_shape_is_refused():
    logits, targets, mask = jnp.zeros((2, 3, 5)), jnp.zeros((2, 3), int), jnp.ones((2, 3), bool)
    token_sums(logits, targets, mask)
    with pytest.raises(TypeCheckError, match="targets"):
        token_sums(logits, targets[:, :2], mask)
    with pytest.raises(TypeCheckError, match="mask"):
        token_sums(logits, targets, mask.astype(float))
