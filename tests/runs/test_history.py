import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.errors import UserError
from s2s_jax.runs.folder import EVALUATION, METRICS, write_evaluation, write_metrics
from s2s_jax.runs.history import best_epoch, read_evaluation, read_history

EPOCHS = [{"epoch": 1, "loss": 2.5, "val_loss": None}, {"epoch": 2, "loss": 2.0, "val_loss": 3.0}]


def test_metrics_come_back_as_they_were_written(tmp_path):
    assert read_history(tmp_path) == []
    write_metrics(tmp_path, EPOCHS)
    assert read_history(tmp_path) == EPOCHS


def test_what_earlier_versions_wrote_is_read(tmp_path):
    (tmp_path / METRICS).write_text('{"epoch": 1, "loss": NaN, "val_loss": -Infinity}\n')
    assert read_history(tmp_path) == [{"epoch": 1, "loss": None, "val_loss": None}]


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", '{"epoch": 2, "loss": 1}', '{"epoch": 1}', '{"epoch": 1, "loss": "x"}',
        '{"epoch": 1, "loss": 1e999}', f'{{"epoch": 1, "loss": 1{"0" * 400}}}', "[" * 9999,
        "\udcff",
    ],
)  # fmt: skip
def test_other_metrics_are_refused_in_a_line(tmp_path, text):
    (tmp_path / METRICS).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"metrics\.jsonl is damaged"):
        read_history(tmp_path)


def test_figures_come_back_as_they_were_written(tmp_path):
    assert read_evaluation(tmp_path) == {}
    write_evaluation(tmp_path, {"sentences": 2, "exact": 1, "chrf": None})
    assert read_evaluation(tmp_path) == {"sentences": 2, "exact": 1, "chrf": None}


@pytest.mark.parametrize(
    "values", ["{", 3, [], {}, {"sentences": 1}, {"sentences": 1, "exact": "x"}]
)
def test_other_figures_are_refused_in_a_line(tmp_path, values):
    text = values if isinstance(values, str) else json.dumps(values)
    (tmp_path / EVALUATION).write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.json is damaged"):
        read_evaluation(tmp_path)


LOSSES = st.lists(st.one_of(st.none(), st.floats(0, 10)), min_size=1)


@given(LOSSES)
def test_the_best_epoch_is_the_first_of_the_least_loss(losses):
    history = [{"loss": 1.0, "val_loss": loss} for loss in losses]
    best = losses[best_epoch(history) - 1]
    known = [loss for loss in losses if loss is not None]
    assert best == (min(known) if known else None)
    assert losses.index(best) == best_epoch(history) - 1


def test_measured_errors_come_before_losses():
    history = [
        {"loss": 1, "val_loss": 1.0, "val_error": 0.5},
        {"loss": 1, "val_loss": 2.0, "val_error": 0.4},
    ]
    assert best_epoch(history) == 2
