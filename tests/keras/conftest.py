"""Keras itself, where it is installed."""

import pytest

from s2s_jax.errors import UserError
from s2s_jax.keras.building import import_keras


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("h5py")
    try:
        return import_keras()
    except UserError as error:
        pytest.skip(str(error))
