import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from s2s_testing import compilations, draw

from s2s_jax.config import ModelConfig, TrainConfig
from s2s_jax.config.training import LEARNING_RATES
from s2s_jax.data.batching import Batches
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.training.fitting.state import dropout_key, make_optimizer, make_state
from s2s_jax.training.fitting.step import compiled_steps, objective

CONFIG = TrainConfig(epochs=3, batch_size=4, seed=1)
MODEL = Seq2Seq(ModelConfig(12, 14, latent_dim=8))

EXAMPLES = draw(30, 0)
STEPS = compiled_steps(None)
train_step, eval_step = STEPS.train, STEPS.evaluate


def wide(batch_size):
    """Batches of one shape."""
    return Batches(EXAMPLES, batch_size, max_buckets=1)


loss_and_gradient = jax.jit(jax.value_and_grad(objective, has_aux=True), static_argnums=(1, 4))


def test_padding_and_batch_size_change_neither_loss_nor_gradient():
    state = make_state(MODEL, CONFIG)
    tight = Batches(EXAMPLES, 4)
    assert len(tight.buckets) > 1

    def totals(batches):
        return np.sum([eval_step(state, batch) for batch in batches.epoch()], axis=0)

    for size in (7, 64):
        np.testing.assert_allclose(totals(wide(size)), totals(tight), rtol=1e-5)

    def gradient(size):
        (batch,) = wide(size).epoch()
        return loss_and_gradient(state.params, state.apply_fn, batch, 50.0)[1]

    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-4, atol=1e-7),
        gradient(64),
        gradient(30),
    )


def test_the_batches_of_an_epoch_teach_what_all_pairs_at_once_teach():
    """However they are divided: every token weighs the same."""
    state, tokens = make_state(MODEL, CONFIG), EXAMPLES.lengths[:, 1].sum()

    def gradient(batches):
        batches = list(batches.epoch())
        each = [
            loss_and_gradient(state.params, state.apply_fn, batch, tokens / len(batches))[1]
            for batch in batches
        ]
        return jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *each)

    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-4, atol=1e-7),
        gradient(Batches(EXAMPLES, 4)),
        gradient(wide(30)),
    )


def test_a_batch_of_padding_alone_is_harmless():
    state = make_state(MODEL, CONFIG)
    (batch,) = wide(64).epoch()
    empty = jax.tree.map(np.zeros_like, batch)
    (loss, sums), gradient = loss_and_gradient(state.params, state.apply_fn, empty, 50.0)
    assert loss == sums.loss == sums.tokens == 0
    assert all((g == 0).all() for g in jax.tree.leaves(gradient))


def test_one_compilation_per_shape(caplog):
    batches = Batches(EXAMPLES, 4, seed=0)
    jax.clear_caches()
    state = make_state(MODEL, CONFIG)
    with compilations(caplog) as compiled:
        for epoch in range(3):
            for batch in batches.epoch(epoch):
                eval_step(state, batch)
                state, _ = train_step(state, batch, 9.0)
    for step in (STEPS.gradient, STEPS.evaluate):
        assert compiled.count(step.__name__) == len(batches.buckets)
    assert compiled.count(STEPS.update.__name__) == 1  # It depends on no length.


def test_rmsprop_is_keras_s():
    """theta -= lr * g / sqrt(nu + eps), nu = 0.9 nu + 0.1 g^2 from zero, eps 1e-7."""
    optimizer = make_optimizer(TrainConfig())
    gradients = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32) * 1e-3
    theta = found = jnp.zeros(4)
    nu, state = np.zeros(4), optimizer.init(found)
    for g in gradients:
        nu = 0.9 * nu + 0.1 * g**2
        theta = theta - 1e-3 * g / np.sqrt(nu + 1e-7)
        updates, state = optimizer.update(jnp.asarray(g), state)
        found = optax.apply_updates(found, updates)
    np.testing.assert_allclose(found, theta, rtol=1e-5)


def test_clip_norm_bounds_the_step():
    def largest_step(clip_norm):
        config = dataclasses.replace(CONFIG, optimizer="sgd", learning_rate=1.0, epochs=1)
        state = make_state(MODEL, dataclasses.replace(config, clip_norm=clip_norm))
        before = jax.device_get(state.params)
        (batch,) = wide(64).epoch()
        after, _ = train_step(state, batch, 200.0)
        steps = jax.tree.leaves(jax.tree.map(np.subtract, jax.device_get(after.params), before))
        return np.sqrt(sum(float((step**2).sum()) for step in steps))

    assert largest_step(0.01) == pytest.approx(0.01, rel=1e-4)
    assert largest_step(0.0) > 0.01


@pytest.mark.parametrize(
    "optimizer",
    ["adamw", *(pytest.param(o, marks=pytest.mark.slow) for o in LEARNING_RATES if o != "adamw")],
)
def test_a_share_of_the_rate_does_what_a_lower_rate_does(optimizer):
    config = TrainConfig(optimizer=optimizer, learning_rate=0.02, clip_norm=0.5)
    (batch,) = wide(64).epoch()

    def after(config, *rate):
        state = make_state(MODEL, config)
        for _ in range(2):
            state, _ = train_step(state, batch, 200.0, *rate)
        return state.params

    lower = after(dataclasses.replace(config, learning_rate=0.005))
    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-4, atol=1e-7),
        after(config, np.float32(0.25)),
        lower,
    )
    jax.tree.map(np.testing.assert_array_equal, after(config), after(config, None))


def test_a_plain_step_is_what_flax_and_optax_make_of_the_gradient():
    state = make_state(MODEL, TrainConfig(optimizer="adamw", clip_norm=0.5))
    (batch,) = wide(64).epoch()

    _, gradient = loss_and_gradient(state.params, state.apply_fn, batch, np.float32(200))
    wanted = jax.jit(lambda state, found: state.apply_gradients(grads=found))(state, gradient)
    found, _ = train_step(state, batch, np.float32(200))
    jax.tree.map(
        np.testing.assert_array_equal,
        (found.params, found.opt_state),
        (wanted.params, wanted.opt_state),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_smoothing_mixes_the_target_with_all_symbols_and_is_not_reported(smoothing):
    state = make_state(MODEL, CONFIG)
    batch = jax.device_put(next(wide(30).epoch()))

    def by_definition(params):
        inputs = batch.source, batch.source_mask, batch.target_inputs
        p = jax.nn.log_softmax(MODEL.apply({"params": params}, *inputs))
        wanted = (1 - smoothing) * jax.nn.one_hot(batch.targets, 14) + smoothing / 14
        return -(wanted * p * batch.target_mask[..., None]).sum() / 200

    wanted, gradient = jax.jit(jax.value_and_grad(by_definition))(state.params)
    (found, sums), found_gradient = loss_and_gradient(
        state.params, state.apply_fn, batch, 200.0, smoothing
    )
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)
    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-3, atol=1e-6),
        found_gradient,
        gradient,
    )
    np.testing.assert_allclose(sums, eval_step(state, batch), rtol=1e-6)


@pytest.mark.parametrize("parts", [pytest.param(2, marks=pytest.mark.slow), 7])
def test_a_batch_in_parts_teaches_what_it_teaches_at_once(parts):
    model = Seq2Seq(dataclasses.replace(MODEL.config, dropout=0.5))
    config = TrainConfig(optimizer="sgd", learning_rate=1.0, label_smoothing=0.1)
    (batch,) = wide(30).epoch()
    (found, sums), (wanted, whole) = (
        train_step(
            make_state(model, dataclasses.replace(config, accumulate=n)), batch, np.float32(200)
        )
        for n in (parts, 1)
    )
    np.testing.assert_allclose(sums, whole, rtol=1e-5)
    jax.tree.map(
        lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-4, atol=1e-6),
        found.params,
        wanted.params,
    )


def test_dropout_is_drawn_anew_in_each_step_from_the_seed_alone():
    model = Seq2Seq(dataclasses.replace(MODEL.config, dropout=0.5))
    (batch,) = wide(64).epoch()
    state = make_state(model, CONFIG)

    def loss(seed, step):
        state = make_state(model, CONFIG).replace(step=jnp.int32(step))
        key = dropout_key(model, dataclasses.replace(CONFIG, seed=seed))
        return float(train_step(state.replace(key=key), batch, 200.0)[1].loss)

    losses = [loss(seed, step) for seed, step in ((1, 0), (1, 1), (2, 0), (1, 0))]
    assert len(set(losses)) == 3
    assert losses[0] == losses[3]
    assert float(eval_step(state, batch).loss) not in losses


def test_runs_of_equal_settings_share_their_programs(caplog):
    """Otherwise a process that trains again and again fills up with programs, and crashes."""
    batch = next(iter(wide(4).epoch()))

    def run():
        model = Seq2Seq(ModelConfig(12, 14, latent_dim=8))
        state, _ = train_step(make_state(model, CONFIG), batch, np.float32(20))
        return eval_step(state, batch)

    run()
    with compilations(caplog) as names:
        run()
    assert names == []
