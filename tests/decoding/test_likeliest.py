"""Against NumPy, ties, infinities and NaN included."""

import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.decoding.likeliest import likeliest

# Few different values, so that several are the greatest.
VALUES = st.lists(st.sampled_from([-np.inf, -1.5, 0.0, 2.0, np.inf]), min_size=6, max_size=6)


@given(st.lists(VALUES, min_size=3, max_size=3))
def test_the_likeliest_is_the_first_of_the_greatest(rows):
    rows = np.array(rows, np.float32)
    np.testing.assert_array_equal(likeliest(jnp.asarray(rows)), rows.argmax(axis=-1))


def test_among_nan_the_likeliest_is_still_a_token():
    assert 0 <= likeliest(jnp.array([jnp.nan, 1.0, jnp.nan])) < 3
