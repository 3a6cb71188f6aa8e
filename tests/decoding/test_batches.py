"""Batches of few shapes, whatever is asked for and however many devices share them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.config import ModelConfig
from s2s_jax.decoding import batches
from s2s_jax.decoding.batches import decode_rows, fit_rows
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.model.seq2seq import Seq2Seq


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


@given(st.lists(st.integers(0, 70), max_size=120), st.integers(1, 40), st.integers(1, 3))
def test_every_source_is_decoded_once_with_no_more_padding_than_its_kind_needs(
    lengths, batch_size, beam
):
    """A few long sources, which fill no batch, are joined by the next shorter ones."""

    def decode_batch(*arguments):
        source, mask, at_a_time = arguments[-3:]
        assert len(source) % (at_a_time or len(source)) == 0
        together = at_a_time or len(source)
        assert together <= max(1, batch_size // beam)
        filled = [int(n) for n in mask.sum(axis=1) if n]
        assert len(source) // together < 2 * -(-len(filled) // together)
        as_long = [n for n in filled if n > source.shape[1] // 2 or source.shape[1] == 16]
        assert len(filled) - len(as_long) < together or not as_long
        return [[row[real].tolist()] for row, real in zip(source, mask, strict=True)]

    model = Seq2Seq(ModelConfig(11, 13, latent_dim=4))
    rows = [np.full(n, i + 1, np.int32) for i, n in enumerate(lengths)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "decode_batch", decode_batch)
        config = DecodeConfig(beam=beam, batch_size=batch_size)
        found = decode_rows(model, {}, rows, config, limit=5)
    assert found == [[row.tolist()] if len(row) else [] for row in rows]
