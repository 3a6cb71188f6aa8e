import json
import math

from s2s_jax.config import TrainConfig
from s2s_jax.model.losses import Sums
from s2s_jax.runs.history import best_epoch
from s2s_jax.training.fitting.progress import (
    TrainingProgress,
    epoch_metrics,
    is_over,
    out_of_patience,
)


def after(losses, **options):
    """The progress after epochs of these validation losses."""
    history = ({"epoch": i + 1, "loss": 1.0, "val_loss": loss} for i, loss in enumerate(losses))
    return TrainingProgress(epoch=len(losses), history=tuple(history), **options)


def test_metrics_divide_once():
    progress = TrainingProgress(step=8, epoch=2, batch=8, sums=Sums(30.0, 5.0, 20.0), seconds=4.0)
    assert epoch_metrics(progress, Sums(8.0, 3.0, 4.0)) == {
        "epoch": 3,
        "loss": 1.5,
        "accuracy": 0.25,
        "val_loss": 2.0,
        "val_accuracy": 0.75,
        "seconds": 4.0,
        "target_tokens_per_second": 5.0,
    }


def test_losses_per_character_compare_runs_of_different_units():
    progress = TrainingProgress(step=8, epoch=2, batch=8, sums=Sums(30.0, 5.0, 20.0), seconds=4.0)
    metrics = epoch_metrics(progress, Sums(8.0, 3.0, 4.0), characters=(3.0, 4.0))
    assert metrics["nats_per_character"] == 30 / (20 * 3)
    assert metrics["val_nats_per_character"] == 8 / (4 * 4)


def test_what_is_not_finite_is_null():
    """`metrics.jsonl` is JSON, which has no NaN."""
    progress = TrainingProgress(step=8, epoch=2, batch=8, skipped=8, seconds=4.0)
    metrics = epoch_metrics(progress, Sums(math.nan, 3.0, 4.0), characters=(1.0, 1.0))
    assert metrics["loss"] is metrics["val_loss"] is metrics["val_nats_per_character"] is None
    json.dumps(metrics, allow_nan=False)


def test_patience_outlasts_a_first_loss_that_is_not_finite():
    losses = [None, 3.0, 2.0, 1.0, 1.5, 1.5]
    ends = [out_of_patience(after(losses[:n]), 2) for n in range(len(losses) + 1)]
    assert ends == [False] * 6 + [True]
    assert out_of_patience(after([None] * 3), 2)  # Not one that is finite.


def test_patience_ends_what_is_learned_by_heart_where_nothing_is_held_out():
    def ends(accuracies, loss="loss"):
        history = [
            {"loss": 1.0, loss: 1 / (i + 1), "accuracy": right}
            for i, right in enumerate(accuracies)
        ]
        return out_of_patience(TrainingProgress(epoch=len(history), history=tuple(history)), 2)

    assert ends([0.5, 1.0, 1.0])
    assert not ends([1.0, 0.9, 1.0])
    assert not ends([1.0])
    assert not ends([0.5, 1.0, 1.0], "val_loss")


def test_where_errors_are_counted_they_come_before_the_loss():
    progress = TrainingProgress(step=8, epoch=2, batch=8, seconds=4.0)
    assert epoch_metrics(progress, Sums(8.0, 3.0, 4.0), error=0.25)["val_error"] == 0.25
    pairs = [(0.5, 1.0), (0.4, 3.0), (0.4, 2.0), (0.4, 2.0), (0.6, 0.5)]
    history = tuple({"loss": 9.0, "val_loss": loss, "val_error": error} for error, loss in pairs)
    assert [best_epoch(history[:n]) for n in range(1, 6)] == [1, 2, 3, 3, 3]
    assert best_epoch([{**epoch, "val_loss": None} for epoch in history]) == 2
    ends = [out_of_patience(TrainingProgress(epoch=n, history=history[:n]), 2) for n in (4, 5)]
    assert ends == [False, True]


def test_two_epochs_in_a_row_without_a_wrong_answer_are_enough():
    errors = [0.5, 0.0, 0.1, 0.0, 0.0, 0.0]
    history = tuple({"loss": 1.0, "val_loss": 1.0, "val_error": error} for error in errors)
    config = TrainConfig(epochs=9)

    def over(epochs, patience_from=0):
        progress = TrainingProgress(
            epoch=epochs, history=history[:epochs], patience_from=patience_from
        )
        return is_over(progress, config)

    assert [over(epochs) for epochs in range(7)] == [False] * 5 + [True] * 2
    assert [over(epochs, patience_from=5) for epochs in (5, 6)] == [False, False]  # --more
    without = tuple({"loss": 1.0, "val_loss": 1.0} for _ in range(3))
    assert not is_over(TrainingProgress(epoch=3, history=without), config)


def test_patience_counts_anew_from_where_it_was_asked_to():
    losses = [3.0, 1.0, 2.0, 2.0, 2.0, 0.5, 2.0, 2.0]
    ends = [out_of_patience(after(losses[:n], patience_from=4), 2) for n in range(4, 9)]
    assert ends == [False, False, False, False, True]
    assert out_of_patience(after(losses[:6], patience_from=4), 0) is False
    resumed = after(losses[:4], patience_from=4).after_epoch({"epoch": 5, "loss": 1.0})
    assert TrainingProgress.from_record(resumed.to_record()).patience_from == 4


def test_a_history_with_nan_of_an_earlier_version_is_read_as_null():
    record = TrainingProgress(
        history=({"epoch": 1, "loss": 0.0, "val_loss": math.nan},)
    ).to_record()
    (epoch,) = TrainingProgress.from_record(record).history
    assert epoch == {"epoch": 1, "loss": 0.0, "val_loss": None}
