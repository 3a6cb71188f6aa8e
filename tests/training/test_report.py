import io
from pathlib import Path

import pytest
from rich.console import Console

from s2s_jax.command_line import command
from s2s_jax.config import TrainConfig
from s2s_jax.evaluation.figures import Answer
from s2s_jax.model.losses import Sums
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.report import TrainingReport, curve_lines

METRICS = {
    "epoch": 3, "loss": 1.23456, "accuracy": 0.5, "val_loss": 2.0, "val_accuracy": 0.25,
    "seconds": 4.04, "target_tokens_per_second": 12345.6,
}  # fmt: skip


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def report(request):
    report = TrainingReport()
    report.console = Console(
        file=io.StringIO(), force_terminal=request.param, width=80, highlight=False
    )
    return report


def printed(report):
    return report.console.file.getvalue()


def test_a_bar_is_shown_to_people_only(report):
    with report.training(batches=10, epochs=100, progress=TrainingProgress(epoch=2)):
        report.on_step(TrainingProgress(epoch=2, batch=5, sums=Sums(12.0, 3.0, 8.0)))
        report._bar.refresh()
        report.on_epoch(METRICS)
    text = printed(report)
    assert "epoch   3/100  loss 1.2346  val_loss 2.0000  val_accuracy 0.2500  4.0 s  best\n" in text
    assert ("\x1b" in text) == report.console.is_terminal
    assert ("loss 1.500  accuracy 0.375" in text) == report.console.is_terminal


def test_a_run_without_validation_shows_none(report):
    with report.training(batches=1, epochs=3, progress=TrainingProgress()):
        report.on_epoch({k: v for k, v in METRICS.items() if not k.startswith("val")})
    assert "val_loss" not in printed(report)
    assert "accuracy 0.5000" in printed(report)


def test_errors_stand_in_the_line_where_they_choose_the_best_epoch(report):
    with report.training(9, 100, TrainingProgress()):
        report.on_epoch(METRICS | {"val_error": 0.125, "epoch": 100, "seconds": 12.3})
    wanted = "epoch 100/100  loss 1.2346  val_loss 2.0000  val_error 0.1250  12.3 s  best"
    assert wanted in printed(report)
    assert len(wanted) <= 79


def test_the_best_epoch_so_far_is_marked_and_named_at_the_end(report, tmp_path):
    earlier = [METRICS | {"epoch": 1, "val_loss": 3.0}, METRICS | {"epoch": 2, "val_loss": 2.5}]
    progress = TrainingProgress(epoch=2, history=tuple(earlier))
    with report.training(batches=1, epochs=5, progress=progress):
        for epoch, loss in ((3, 2.0), (4, None), (5, 2.1)):
            report.on_epoch(METRICS | {"epoch": epoch, "val_loss": loss})
    report.finished(tmp_path)
    lines = printed(report).splitlines()
    assert [line.endswith("best") for line in lines if "  loss" in line] == [True, False, False]
    assert any("the best of 5 epochs is number 3" in line for line in lines)


def test_the_losses_are_a_curve_below_the_bar_of_a_terminal(report):
    with report.training(batches=1, epochs=9, progress=TrainingProgress()):
        for epoch, loss in enumerate((2.0, None, 1.0), 1):
            report.on_epoch(METRICS | {"epoch": epoch, "loss": loss, "val_loss": 2 * epoch})
        report._bar.refresh()
    text = printed(report)
    for line in ("training     2.000 █▁ 1.000", "validation   2.000 ▁▅█ 6.000"):
        assert (line in text) == report.console.is_terminal
    lines = [line for line in text.splitlines() if "s  best" in line or "val_accuracy" in line]
    assert len(lines) == 3  # The lines of the epochs are as ever.


@pytest.mark.parametrize("width", [200, 79, 40])
def test_curves_fit_beside_their_figures(width):
    history = [{"nats_per_character": 1e2 / n, "val_nats_per_character": n} for n in range(1, 999)]
    lines = curve_lines(history, width)
    assert len(lines) == 2 and max(map(len, lines)) <= min(width, 79)
    assert curve_lines(history[:1], width) == ()


@pytest.mark.parametrize("report", [False], indirect=True)
def test_a_log_says_that_training_begins_and_stays_narrow(report):
    with report.training(batches=10, epochs=100, progress=TrainingProgress()):
        assert "Compiling" in printed(report)
        for seconds in (9.9, 99.9, 99999.0):
            report.on_epoch(METRICS | {"epoch": 100, "seconds": seconds})
    assert max(map(len, printed(report).splitlines())) <= 79


def test_a_bar_that_stands_still_says_why(report):
    with report.training(batches=10, epochs=100, progress=TrainingProgress()):
        report.on_step(TrainingProgress(batch=10, sums=Sums(12.0, 3.0, 8.0)))
        report._bar.refresh()
    assert ("validating" in printed(report)) == report.console.is_terminal


def test_lines_in_jupyter_are_plain_output(monkeypatch, capsys):
    """Rich would display each as HTML, in an area and with a scroll bar of its own."""
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # As Jupyter does.
    report = TrainingReport()
    assert report.is_watched
    report.say("a line")
    report.examples("Some", [Answer("Wow!", ("x",), "y")])
    printed = capsys.readouterr().out
    assert "a line" in printed and "Wow!" in printed and "\x1b" not in printed


def test_tables_fit_the_terminal_and_cut_nothing(report):
    long = "Ça alors, " * 12
    answers = [Answer("Wow!", ("x", "Ça alors !"), "Ça alors !"), Answer(long, (long,), "[bold]no")]
    report.examples("Some", answers)
    report.opening([("Data", "x" * 150), ("Samples", "[red]10")])
    text = printed(report)
    assert "…" not in text
    assert "[bold]no" in text  # A sentence is text, not markup.
    assert "[red]10" in text
    assert text.count("x") >= 150
    assert "Ça alors !" in text
    if not report.console.is_terminal:
        assert max(map(len, text.splitlines())) <= 80


def test_no_word_of_a_sentence_is_cut_by_the_edge_of_a_terminal(report, tmp_path):
    progress = TrainingProgress(epoch=7)
    report.nothing_to_do(Path("checkpoints/fra"), TrainConfig(epochs=12, patience=2), progress)
    report.tell("What may help: longer training (--more 10); --optimizer adam in a new run; " * 2)
    lines = printed(report).splitlines()
    assert (max(map(len, lines)) <= 80) == report.console.is_terminal
    text = " ".join(line.strip() for line in lines)
    assert (
        "stopped after 7 of 12 epochs, at the end of its --patience 2. To train it longer:" in text
    )
    # What is to be typed stays in one line.
    assert "  python train.py --out checkpoints/fra --more 7" in lines


@pytest.mark.parametrize(
    ("asked", "reached", "said"),
    [
        (1, 1, "has the 1 epoch asked for."),
        (4, 4, "has the 4 epochs asked for."),
        (3, 4, "has 4 epochs, more than the 3 asked for."),
    ],
)
def test_a_run_with_nothing_to_do_says_what_it_has(report, asked, reached, said):
    config, progress = TrainConfig(epochs=asked), TrainingProgress(epoch=reached)
    report.nothing_to_do(Path("run"), config, progress)
    assert said in printed(report)


def test_one_epoch_is_no_epochs(report):
    with report.training(1, 1, TrainingProgress()):
        report.on_epoch(METRICS | {"epoch": 1})
    report.finished(Path("run"))
    assert "the best of 1 epoch is number 1." in printed(report)


def test_commands_to_type_are_quoted_for_the_shell(tmp_path):
    assert command("train.py", tmp_path / "a b", "--resume") == (
        f"python train.py --out '{tmp_path}/a b' --resume"
    )
    assert command("decode.py", tmp_path) == f"python decode.py --checkpoint {tmp_path}"
