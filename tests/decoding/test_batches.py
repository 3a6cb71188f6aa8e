"""Batches of few shapes, whatever is asked for and however many devices share them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.decoding.batches import fit_rows


@given(st.integers(1, 600), st.integers(0, 600), st.integers(2, 9))
def test_devices_share_a_batch_alike_and_leave_a_small_one_to_one(rows, more, devices):
    size, sharing = fit_rows(rows, rows + more, devices)
    assert sharing == (devices if rows >= devices else 1)
    if sharing == 1:
        assert (size, sharing) == fit_rows(rows, rows + more, 1)
    else:
        assert size % devices == 0
        assert rows <= size < 2 * (rows + devices)


@pytest.mark.parametrize("devices", [1, 6, 8])
def test_the_shapes_are_few(devices):
    assert len({fit_rows(rows, 512, devices)[0] for rows in range(1, 513)}) <= 12
