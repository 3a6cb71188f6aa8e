"""The logs of a run, of TensorBoard and of MLflow."""

import importlib.util

import pytest

from s2s_jax import train
from s2s_jax.errors import UserError


@pytest.mark.parametrize(
    ("log", "installed_by"),
    [
        ("tensorboard", "pip install tensorboardX"),
        ("mlflow", "pip install mlflow-skinny sqlalchemy alembic"),
    ],
)
def test_without_its_library_a_log_says_so_before_anything_is_made(
    tmp_path, monkeypatch, log, installed_by
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=installed_by):
        train([("a", "b")] * 9, **{log: True})
    assert not list(tmp_path.iterdir())
