"""The pictures of runs, and the command that draws them."""

import numpy as np
import pytest
from s2s_pictures import make_translator, save_run, size_of_png

from s2s_jax.errors import UserError
from s2s_jax.pictures.curves import MOST_RUNS, Curves, draw_curves, read_curves
from s2s_jax.runs.folder import write_evaluation, write_metrics

pytest.importorskip("matplotlib")

PLOT = "s2s_jax/pictures/__main__.py"


def epoch(number, **more):
    metrics = {
        "epoch": number, "loss": 3 / number, "accuracy": 0.5, "val_loss": 2 + abs(number - 2),
        "val_accuracy": 0.25, "nats_per_character": 1 / number,
        "val_nats_per_character": 1 + abs(number - 2), "learning_rate": 0.01 / number,
    }  # fmt: skip
    return metrics | more


HISTORY = [epoch(number) for number in (1, 2, 3)]


def without(*keys):
    return [{key: value for key, value in e.items() if key not in keys} for e in HISTORY]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_run_is_drawn_as_it_was_measured():
    figures = {"chrf": 61.25, "exact": 1, "sentences": 4}
    figure = draw_curves([Curves("fra", HISTORY, figures)])
    assert titles(figure) == [
        "nats per character", "wrong units given those before, %", "learning rate",
    ]  # fmt: skip
    validation, best, training = figure.axes[0].lines
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 2], [2, 1], [3, 2]])
    np.testing.assert_array_equal(training.get_ydata(), [1, 1 / 2, 1 / 3])
    np.testing.assert_array_equal(best.get_xydata(), [[2, 1]])
    assert (validation.get_linestyle(), training.get_linestyle()) == ("-", "--")
    assert figure.axes[1].lines[0].get_ydata()[0] == 75
    assert legend(figure) == [
        "fra: best epoch 2 of 3, chrF 61.2, 25.0% of 4 answers right", "training part",
    ]  # fmt: skip


def test_runs_are_drawn_by_what_all_of_them_have_measured():
    measured = [e | {"val_error": 0.5} for e in HISTORY]
    early = without("nats_per_character", "val_nats_per_character", "learning_rate")
    assert titles(draw_curves([Curves("a", measured)]))[1] == "wrong answers, %"
    both = draw_curves([Curves("a", measured), Curves("b $x^", early)])
    assert titles(both) == ["nats per unit", "wrong units given those before, %"]
    assert legend(both)[:2] == ["a: best epoch 2 of 3", "b $x^: best epoch 2 of 3"]
    colours = [line.get_color() for line in both.axes[0].lines]
    assert colours == ["C0"] * 3 + ["C1"] * 3


def test_without_a_validation_part_the_training_part_is_what_counts():
    history = without("val_loss", "val_accuracy", "val_nats_per_character")
    figure = draw_curves([Curves("a", history)])
    curve, best = figure.axes[0].lines
    assert curve.get_linestyle() == "-" and best.get_xydata().tolist() == [[3, 1 / 3]]
    assert legend(figure) == ["a: best epoch 3 of 3"]


def test_what_was_not_finite_is_a_gap():
    history = [epoch(1, loss=None, nats_per_character=None), *HISTORY[1:]]
    training = draw_curves([Curves("a", history)]).axes[0].lines[2]
    assert np.isnan(training.get_ydata()).tolist() == [True, False, False]


def test_a_single_epoch_is_seen():
    figure = draw_curves([Curves("a", HISTORY[:1])])
    for axes in figure.axes:
        first, last = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if first <= tick <= last] == [1]
        assert all(line.get_marker() not in ("", "None") for line in axes.lines)


def test_more_runs_than_colours_are_refused():
    with pytest.raises(UserError, match=f"{MOST_RUNS} runs, not 11; give fewer"):
        draw_curves([Curves("a", HISTORY)] * (MOST_RUNS + 1))


def test_a_run_without_metrics_is_refused(tmp_path):
    with pytest.raises(UserError, match="no metrics to draw: train a run for an epoch"):
        read_curves(tmp_path)


@pytest.fixture
def two_runs(tmp_path):
    for name in ("a", "b"):
        save_run(tmp_path / name, make_translator("none"))
        write_metrics(tmp_path / name, HISTORY)
        write_evaluation(tmp_path / name, {"sentences": 0, "exact": 0})


@pytest.mark.usefixtures("two_runs")
def test_the_command_draws_runs(run_here, tmp_path, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    done = run_here(PLOT, "a", "b")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "curves.png: the curves of a, b\n"
    width, height = size_of_png((tmp_path / "curves.png").read_bytes())
    assert 1000 < width < 2000 and 300 < height < 1000
    assert run_here(PLOT, "a", "--output", "one.svg").returncode == 0
    assert (tmp_path / "one.svg").read_text("utf-8").startswith("<?xml")


@pytest.mark.slow
@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such run folder: nowhere; check its path."),
        (["a", "--output", "a.gif"], "--output needs a file name that ends in .png or .svg"),
        (["a", "--output", "nowhere/a.png"], "cannot be written"),
        ([], "required: RUN; see python -m s2s_jax.pictures --help."),
    ],
)
def test_bad_requests_are_one_line(run_here, arguments, message):
    done = run_here(PLOT, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("s2s_jax.pictures: error: ")
    assert done.stderr.count("\n") == 1 and message in done.stderr
