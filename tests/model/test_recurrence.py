import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.model.recurrence import LSTMCell, plain_unroll, unroll

TIME, BATCH, FEATURES = 9, 5, 16


class Unrolled(nn.Module):
    """A cell under one of the two unrollings."""

    how: object
    features: int = FEATURES
    recurrent_activation: str = "sigmoid"

    def setup(self):
        self.cell = LSTMCell(self.features, recurrent_activation=self.recurrent_activation)

    def __call__(self, carry, inputs):
        return self.how(self.cell, carry, inputs)

    def one_step(self, carry, inputs):
        return self.cell(carry, inputs)


@functools.partial(jax.jit, static_argnames=("model", "method"))
def apply(model, params, carry, inputs, method="__call__"):
    return model.apply(params, carry, inputs, method=method)


@pytest.fixture(scope="module")
def problem():
    keys = jax.random.split(jax.random.key(0), 5)
    inputs = jax.random.normal(keys[0], (TIME, BATCH, 4 * FEATURES))
    carry = tuple(jax.random.normal(key, (BATCH, FEATURES)) for key in keys[1:3])
    params = jax.jit(Unrolled(unroll).init)(keys[3], carry, inputs)
    weights = jax.random.normal(keys[4], (2, TIME, BATCH, FEATURES))
    return params, carry, inputs, weights


def relative_error(found, wanted):
    return jnp.abs(found - wanted).max() / jnp.abs(wanted).max()


def test_scan_equals_a_python_loop_of_steps(problem):
    params, carry, inputs, _ = problem
    model = Unrolled(unroll)
    cs, hs = apply(model, params, carry, inputs)
    for t in range(TIME):
        carry, h = apply(model, params, carry, inputs[t], method="one_step")
        np.testing.assert_allclose(carry[0], cs[t], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h, hs[t], rtol=1e-5, atol=1e-6)


def test_cell_equals_flax_optimized_lstm_cell_step_by_step(problem):
    params, carry, inputs, _ = problem
    kernel = params["params"]["cell"]["recurrent_kernel"]
    # Flax's cell also multiplies its inputs: with an identity in front, gate k sees inputs k.
    flax_params = {}
    for k, gate in enumerate("ifgo"):
        own = slice(k * FEATURES, (k + 1) * FEATURES)
        eye = jnp.zeros((4 * FEATURES, FEATURES)).at[own].set(jnp.eye(FEATURES))
        flax_params[f"i{gate}"] = {"kernel": eye}
        flax_params[f"h{gate}"] = {
            "kernel": kernel[:, own],
            "bias": jnp.zeros(FEATURES),
        }
    flax_step, flax_carry = jax.jit(nn.OptimizedLSTMCell(FEATURES).apply), carry
    for t in range(TIME):
        carry, h = apply(Unrolled(unroll), params, carry, inputs[t], method="one_step")
        flax_carry, flax_h = flax_step({"params": flax_params}, flax_carry, inputs[t])
        np.testing.assert_allclose(h, flax_h, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(carry[0], flax_carry[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "hard_sigmoid"),
    [
        ("hard_sigmoid", lambda z: jnp.clip((z + 3) / 6, 0, 1)),
        ("keras2_hard_sigmoid", lambda z: jnp.clip(0.2 * z + 0.5, 0, 1)),
    ],
)
def test_hard_gates_are_those_of_keras(problem, activation, hard_sigmoid):
    params, (c, h), inputs, _ = problem
    inputs = 3 * inputs[0]  # Some gates are fully open or shut.
    z = inputs + h @ params["params"]["cell"]["recurrent_kernel"]
    i, f, g, o = jnp.split(z, 4, axis=-1)
    wanted_c = hard_sigmoid(f) * c + hard_sigmoid(i) * jnp.tanh(g)
    wanted_h = hard_sigmoid(o) * jnp.tanh(wanted_c)
    model = Unrolled(unroll, recurrent_activation=activation)
    (found_c, found_h), _ = apply(model, params, (c, h), inputs, method="one_step")
    np.testing.assert_allclose(found_c, wanted_c, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_h, wanted_h, rtol=1e-5, atol=1e-6)


@functools.partial(jax.jit, static_argnames=("how", "activation"))
@functools.partial(jax.grad, argnums=(0, 1, 2))
def weighted_gradient(params, carry, inputs, weights, how, activation):
    cs, hs = Unrolled(how, recurrent_activation=activation).apply(params, carry, inputs)
    return (weights[0] * cs).sum() + (weights[1] * jnp.sin(hs)).sum()


@pytest.mark.parametrize(
    ("seed", "activation"),
    [*((seed, "sigmoid") for seed in range(5)), (0, "hard_sigmoid"), (1, "keras2_hard_sigmoid")],
)
def test_gradients_equal_autodiff_through_the_plain_scan(problem, seed, activation):
    params, carry, inputs, _ = problem
    weights = jax.random.normal(jax.random.key(seed), (2, TIME, BATCH, FEATURES))
    found = weighted_gradient(params, carry, inputs, weights, unroll, activation)
    wanted = weighted_gradient(params, carry, inputs, weights, plain_unroll, activation)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for f, w in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert relative_error(f, w) < 1e-5


def test_gradients_equal_finite_differences(problem):
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        params, carry, inputs, weights = jax.tree.map(
            lambda x: jnp.asarray(np.asarray(x, np.float64)), problem
        )

        @jax.jit
        def loss(kernel):
            variables = {"params": {"cell": {"recurrent_kernel": kernel}}}
            cs, hs = Unrolled(unroll).apply(variables, carry, inputs)
            return (weights[0] * cs + weights[1] * hs).sum()

        kernel = params["params"]["cell"]["recurrent_kernel"]
        direction = jax.random.normal(jax.random.key(9), kernel.shape, kernel.dtype)
        step = 1e-6
        difference = loss(kernel + step * direction) - loss(kernel - step * direction)
        gradient = jax.jit(jax.grad(loss))(kernel)
        assert relative_error((gradient * direction).sum(), difference / (2 * step)) < 1e-6


def test_saturated_gates_give_finite_values_and_gradients(problem):
    params, carry, inputs, _ = problem

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(inputs):
        return sum(x.sum() for x in Unrolled(unroll).apply(params, carry, inputs))

    value, gradient = loss_and_gradient(inputs * 1e6)
    assert jnp.isfinite(value)
    assert jnp.isfinite(gradient).all()


def test_it_is_a_flax_rnn_cell():
    cell = LSTMCell(FEATURES)
    assert isinstance(cell, nn.RNNCellBase)
    carry = cell.initialize_carry(jax.random.key(0), (BATCH, 4 * FEATURES))
    assert [x.shape for x in carry] == [(BATCH, FEATURES)] * 2
    # flax.linen.RNN drives it like any other cell.
    inputs = jnp.ones((BATCH, TIME, 4 * FEATURES))
    rnn = nn.RNN(cell)
    variables = rnn.init(jax.random.key(0), inputs)
    assert rnn.apply(variables, inputs).shape == (BATCH, TIME, FEATURES)


def test_recurrent_kernel_starts_orthogonal_over_all_gates():
    carry = (jnp.zeros((1, FEATURES)),) * 2
    params = Unrolled(unroll).init(jax.random.key(0), carry, jnp.zeros((1, 1, 4 * FEATURES)))
    kernel = params["params"]["cell"]["recurrent_kernel"]
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(FEATURES), atol=1e-5)
