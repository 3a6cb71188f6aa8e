import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.config import TrainConfig
from s2s_jax.config.training import SCHEDULES
from s2s_jax.errors import UserError
from s2s_jax.training.fitting.schedules import PLATEAU_EPOCHS, check_watched, rate_share


def shares(steps, history=(), **options):
    config = TrainConfig(**options)
    return [rate_share(config, steps, history, step) for step in range(steps)]


@given(
    st.sampled_from(SCHEDULES),
    st.integers(1, 50),
    st.integers(1, 200),
    st.lists(st.none() | st.floats(0, 9)),
)
def test_a_share_is_above_0_and_at_most_1_rises_in_the_warm_up_and_never_after(
    schedule, warmup, steps, losses
):
    history = [{"val_loss": loss} for loss in losses[:20]]
    found = shares(steps, history, schedule=schedule, warmup=warmup)
    assert all(0 < share <= 1 for share in found)
    warmup = min(warmup, steps // 2)
    assert found[:warmup] == [(step + 1) / warmup for step in range(warmup)]
    assert sorted(found[warmup:], reverse=True) == found[warmup:]


def test_without_a_schedule_all_of_the_rate_is_used():
    assert shares(5) == [1] * 5
    assert shares(4, warmup=2) == [0.5, 1, 1, 1]


def test_cosine_ends_at_a_hundredth_and_is_half_way_in_the_middle():
    for warmup in (0, 1, 5):
        top = max(warmup - 1, 0)
        found = shares(top + 101, schedule="cosine", warmup=warmup)
        assert found[top] == 1
        assert found[top + 50] == pytest.approx((1 + 0.01) / 2)
        assert found[top + 25] == pytest.approx(0.01 + 0.99 * (1 + math.sqrt(0.5)) / 2)
        assert found[-1] == pytest.approx(0.01)
    assert shares(1, schedule="cosine") == [1]


def test_the_inverse_square_root_has_a_quarter_of_the_updates_at_half_the_rate():
    found = shares(400, schedule="inverse-sqrt", warmup=100)
    assert found[99] == 1
    assert found[399] == 0.5


def test_plateau_halves_where_losses_stand_still_and_asks_the_history_alone():
    losses = [3.0, None, 2.0, 2.0, 2.5, 1.0, 1.5, 1.0, 1.2, 1.1]
    halved = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3]
    assert PLATEAU_EPOCHS == 2
    for epochs, times in enumerate(halved, 1):
        history = [{"val_loss": loss} for loss in losses[:epochs]]
        assert set(shares(3, history, schedule="plateau")) == {0.5**times}


def test_plateau_needs_a_loss_to_watch():
    config = TrainConfig(schedule="plateau")
    check_watched(config, validation=True)
    with pytest.raises(UserError, match="`schedule` plateau needs a validation part"):
        check_watched(config, validation=False)


def test_errors_can_only_be_counted_in_a_validation_part():
    config = TrainConfig(select="error")
    check_watched(config, validation=True)
    with pytest.raises(UserError, match=r"`select` error needs a validation part.*`validation`"):
        check_watched(config, validation=False)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"weight_decay": 0.1}, ["weight_decay", "adamw"]),
        ({"schedule": "inverse-sqrt"}, ["inverse-sqrt", "warmup"]),
    ],
)
def test_options_that_do_nothing_or_need_others_are_refused(options, names):
    with pytest.raises(UserError) as error:
        TrainConfig(**options)
    assert all(f"`{name}`" in str(error.value) or name in str(error.value) for name in names)
