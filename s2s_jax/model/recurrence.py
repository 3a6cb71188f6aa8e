"""The LSTM cell, and its unrolling over time with a hand-derived gradient.

The cell is that of Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000),
its gates in Keras's order: input i, forget f, candidate g, output o.

    i, f, o = sigmoid(z_i), sigmoid(z_f), sigmoid(z_o)      z = inputs + h_{t-1} U
    g       = tanh(z_g)
    c_t     = f c_{t-1} + i g
    h_t     = o tanh(c_t)

Some models from Keras have a piecewise linear `hard_sigmoid` instead of the sigmoid.

`inputs` is what the tokens contribute, x W + b. `GateInputs` computes it for all time steps at
once, so that the scan holds only what depends on the step before.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Key

from s2s_jax.config import HARD_SIGMOID_SLOPES

Carry = tuple[Float[Array, "batch features"], Float[Array, "batch features"]]
"""`(c, h)`, in Flax's order (Keras has `[h, c]`)."""

Carries = tuple[Float[Array, "time batch features"], Float[Array, "time batch features"]]
"""`(c, h)` after each time step."""


def product(
    equation: str, x: Float[Array, "*x"], y: Float[Array, "*y"], dtype: DTypeLike = jnp.float32
) -> Float[Array, "*product"]:
    """`jnp.einsum` of two arrays rounded to `dtype`; summed, and returned, in float32.

    A float32 product uses float32 numbers on every device. By default TPUs would round them to
    bfloat16 and GPUs to TF32, which is enough to flip near ties in decoding.
    """
    if dtype == jnp.float32:
        return jnp.einsum(equation, x, y, precision=jax.lax.Precision.HIGHEST)
    x, y = x.astype(dtype), y.astype(dtype)
    return jnp.einsum(equation, x, y, preferred_element_type=jnp.float32)


class LSTMCell(nn.RNNCellBase):
    """One LSTM step over inputs that are already projected to the gates.

    Attributes:
      features: units of the cell.
      dtype: of the matrix products; everything else is float32.
      recurrent_activation: of the gates i, f, o: "sigmoid", or a key of `HARD_SIGMOID_SLOPES`.
    """

    features: int
    dtype: DTypeLike = jnp.float32
    recurrent_activation: str = "sigmoid"

    def setup(self) -> None:
        # Keras draws one orthogonal matrix over all four gates.
        shape = (self.features, 4 * self.features)
        self.recurrent_kernel = self.param(
            "recurrent_kernel", nn.initializers.orthogonal(), shape, jnp.float32
        )

    def __call__(
        self, carry: Carry, inputs: Float[Array, "batch 4*features"]
    ) -> tuple[Carry, Float[Array, "batch features"]]:
        """The next `(c, h)`, and h once more as the output."""
        c, h = carry
        i, f, g, o = self.gates(h, inputs)
        c = f * c + i * g
        h = o * jnp.tanh(c)
        return (c, h), h

    def gates(
        self, h: Float[Array, "batch features"], inputs: Float[Array, "batch 4*features"]
    ) -> list[Float[Array, "batch features"]]:
        """The four activated gates i, f, g, o."""
        z = inputs + product("bh,hg->bg", h, self.recurrent_kernel, self.dtype)
        is_sigmoid = jnp.repeat(jnp.array([True, True, False, True]), self.features)
        if self.recurrent_activation != "sigmoid":
            slope = HARD_SIGMOID_SLOPES[self.recurrent_activation]
            hard = jnp.clip(slope * z + 0.5, 0, 1)
            return jnp.split(jnp.where(is_sigmoid, hard, jnp.tanh(z)), 4, axis=-1)
        # sigmoid(z) = (tanh(z / 2) + 1) / 2: one tanh over all four gates costs a seventh of
        # three logistics and a tanh on XLA's CPU backend.
        scale = jnp.where(is_sigmoid, 0.5, 1.0)
        offset = jnp.where(is_sigmoid, 0.5, 0.0)
        return jnp.split(jnp.tanh(z * scale) * scale + offset, 4, axis=-1)

    @nn.nowrap
    def times_slope(
        self, factor: Float[Array, "batch features"], gate: Float[Array, "batch features"]
    ) -> Float[Array, "batch features"]:
        """`factor` times the derivative of the gates' activation, from the gate's value."""
        if self.recurrent_activation == "sigmoid":
            return factor * gate * (1 - gate)
        slope = HARD_SIGMOID_SLOPES[self.recurrent_activation]
        return jnp.where((gate > 0) & (gate < 1), slope * factor, 0)

    @nn.nowrap
    def initialize_carry(self, rng: Key[Array, ""], input_shape: tuple[int, ...]) -> Carry:
        """Zeros, for inputs of shape `(batch, 4 * features)`; `rng` is unused."""
        del rng
        zeros = jnp.zeros((*input_shape[:-1], self.features))
        return zeros, zeros

    @property
    def num_feature_axes(self) -> int:
        return 1


def _scan(
    body: Any, cell: LSTMCell, carry: Carry, inputs: Float[Array, "time batch gates"]
) -> tuple[Carry, Any]:
    """`nn.scan` of `body(cell, carry, inputs)` over the leading axis, parameters shared."""
    scan = nn.scan(body, variable_broadcast="params", split_rngs={"params": False})
    return scan(cell, carry, inputs)


def plain_unroll(
    cell: LSTMCell, carry: Carry, inputs: Float[Array, "time batch 4*features"]
) -> Carries:
    """What `unroll` computes, differentiated by JAX: the definition that it is tested against."""

    def body(
        cell: LSTMCell, carry: Carry, inputs: Float[Array, "batch gates"]
    ) -> tuple[Carry, Carry]:
        carry, _ = cell(carry, inputs)
        return carry, carry

    return _scan(body, cell, carry, inputs)[1]


class _Derivatives(NamedTuple):
    """Local derivatives of each step, `[time, batch, ...]`."""

    dz: Float[Array, "time batch 4*features"]  # d c_t / d (z_i, z_f, z_g) and d h_t / d z_o.
    dc_dc: Float[Array, "time batch features"]  # d c_t / d c_{t-1}
    dh_dc: Float[Array, "time batch features"]  # d h_t / d c_t


_Saved = tuple[Float[Array, "features 4*features"], Carry, Carries, _Derivatives]
"""What the backward pass needs of the forward pass: kernel, first carry, carries, derivatives."""


def _unroll_saving(
    cell: LSTMCell, carry: Carry, inputs: Float[Array, "time batch 4*features"]
) -> tuple[Carries, _Saved]:
    """The forward pass that also keeps each step's local derivatives for the backward pass."""

    def body(
        cell: LSTMCell, carry: Carry, inputs: Float[Array, "batch gates"]
    ) -> tuple[Carry, tuple[Carry, _Derivatives]]:
        """One step, as `LSTMCell` takes it, with its local derivatives."""
        c, h = carry
        i, f, g, o = cell.gates(h, inputs)
        new_c = f * c + i * g
        tanh_c = jnp.tanh(new_c)
        # Formed here, while the gates are in the processor's cache.
        dz = [
            cell.times_slope(g, i),
            cell.times_slope(c, f),
            i * (1 - g * g),
            cell.times_slope(tanh_c, o),
        ]
        dh_dc = o * (1 - tanh_c * tanh_c)
        new = (new_c, o * tanh_c)
        return new, (new, _Derivatives(jnp.concatenate(dz, axis=-1), f, dh_dc))

    _, (carries, derivatives) = _scan(body, cell, carry, inputs)
    return carries, (cell.recurrent_kernel, carry, carries, derivatives)


def _unroll_backward(
    dtype: DTypeLike, saved: _Saved, cotangents: Carries
) -> tuple[dict[str, Any], Carry, Float[Array, "time batch gates"]]:
    """Back-propagation through time (Werbos 1990), the weight gradient left for the end.

    Only the cotangents of the gates need the scan. The gradient of the recurrent kernel is then
    one matrix product over all steps instead of one per step.
    """
    kernel, start, carries, derivatives = saved

    def body(
        carry: Carry, step: tuple[Carry, _Derivatives]
    ) -> tuple[Carry, Float[Array, "batch gates"]]:
        """One step back: the cotangents of the carry before it, and of its gates."""
        dc, dh = carry
        (dc_out, dh_out), (dz, dc_dc, dh_dc) = step
        dh = dh + dh_out
        dc = dc + dc_out + dh * dh_dc
        dz = jnp.concatenate([dc, dc, dc, dh], axis=-1) * dz
        return (dc * dc_dc, product("bg,hg->bh", dz, kernel, dtype)), dz

    zeros = jax.tree.map(jnp.zeros_like, start)
    d_carry, d_inputs = jax.lax.scan(body, zeros, (cotangents, derivatives), reverse=True)
    previous_hs = jnp.concatenate([start[1][None], carries[1][:-1]])
    d_kernel = product("tbh,tbg->hg", previous_hs, d_inputs, dtype)
    return {"params": {"recurrent_kernel": d_kernel}}, d_carry, d_inputs


def unroll(cell: LSTMCell, carry: Carry, inputs: Float[Array, "time batch 4*features"]) -> Carries:
    """Runs the cell over time.

    Args:
      cell: the cell, bound to its parameters.
      carry: the `(c, h)` to begin with.
      inputs: what `GateInputs` returns; time leads, so that a step's slice is contiguous.

    Returns:
      The `(c, h)` after each step.
    """
    backward = functools.partial(_unroll_backward, cell.dtype)
    return nn.custom_vjp(plain_unroll, _unroll_saving, backward)(cell, carry, inputs)
