"""Batches of few shapes, whatever is asked for and however many devices share them."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.decoding.batches import _fit_rows


@given(st.integers(1, 600), st.integers(0, 600), st.integers(2, 9))
def test_devices_share_a_batch_alike_and_leave_a_small_one_to_one(rows, more, devices):
    mesh = SimpleNamespace(size=devices)
    size, (_, sharing) = _fit_rows(rows, rows + more, {}, mesh)
    assert sharing is (mesh if rows >= devices else None)
    if sharing is None:
        assert (size, (_, None)) == _fit_rows(rows, rows + more, {}, None)
    else:
        assert size % devices == 0
        assert rows <= size < 2 * (rows + devices)


@pytest.mark.parametrize("devices", [None, 6, 8])
def test_the_shapes_are_few(devices):
    mesh = devices and SimpleNamespace(size=devices)
    assert len({_fit_rows(rows, 512, {}, mesh)[0] for rows in range(1, 513)}) <= 12
