"""Layers of Keras, each with the weights that it gets when it is first called."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.config import HARD_SIGMOID_SLOPES, ModelConfig
from s2s_jax.keras.weights import layer_names


class Weighted(NamedTuple):
    """A layer of Keras, and the weights that it gets when it is first called."""

    layer: Any
    weights: list[np.ndarray]

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        found = self.layer(*inputs, **options)
        self.layer.set_weights(self.weights)
        return found


def lstm(keras: Any, config: ModelConfig, params: Any, number: int, name: str) -> Weighted:
    """A layer of LSTMs, in one direction or in both, counted from 0."""
    hard = config.recurrent_activation in HARD_SIGMOID_SLOPES
    both = layer_names(number, backward=True)[0] in params
    layer = keras.layers.LSTM(
        config.latent_dim // (2 if both else 1),
        recurrent_activation="hard_sigmoid" if hard else "sigmoid",
        return_sequences=True,
        return_state=True,
        name=f"{name}_lstm{number or ''}",
    )
    if both:
        layer = keras.layers.Bidirectional(layer, name=f"{name}_lstms{number or ''}")
    own = []
    for backward in (False, True)[: 1 + both]:
        inputs, cell = layer_names(number, backward)
        arrays = (
            params[inputs]["kernel"],
            params[cell]["recurrent_kernel"],
            params[inputs]["bias"],
        )
        own += [_for_keras_3(array, config.recurrent_activation) for array in arrays]
    return Weighted(layer, own)


def dense(keras: Any, params: Any, name: str, activation: str | None = None) -> Weighted:
    """A dense layer, with a bias where there is one."""
    weights = [params[key] for key in ("kernel", "bias") if key in params]
    layer = keras.layers.Dense(
        params["kernel"].shape[1], activation, use_bias="bias" in params, name=name
    )
    return Weighted(layer, weights)


def attention(keras: Any, params: Any, keys: Any, heads: int) -> Callable[[Any, Any], Any] | None:
    """A function of the decoder's outputs and the encoder's, over one set of layers."""
    if keys is None:
        return None
    look, joined = _look(keras, keys, heads), keras.layers.Concatenate()
    mix = None
    if "attention" in params:
        mix = dense(keras, params["attention"]["mix"], "attention_mix", "tanh")

    def attend(queries: Any, memory: Any) -> Any:
        """The queries `[batch, time, units]` with what they attend to."""
        vectors = joined([look(queries, memory), queries])
        return vectors if mix is None else mix(vectors)

    return attend


def _look(keras: Any, keys: Any, heads: int) -> Callable[[Any, Any], Any]:
    """A function of queries and the memory that gives the contexts."""
    if heads == 1:
        project = dense(keras, keys, "attention_keys")
        look = keras.layers.Attention(name="attention")
        return lambda queries, memory: look([queries, memory, project(memory)])
    found, units = keys["kernel"].shape
    part, share = units // heads, found // heads
    layer = keras.layers.MultiHeadAttention(
        heads, share, share, use_bias=False, output_shape=(found,), name="attention"
    )

    def divided(kernel: np.ndarray) -> np.ndarray:
        """`[x, units]` as `[x, heads, share]`; zeros follow the part of each head.

        On JAX Keras 3.15 fails where values are wider than queries.
        """
        of_heads = kernel.reshape(-1, heads, part)
        return np.pad(of_heads, ((0, 0), (0, 0), (0, share - part)))

    queries = math.sqrt(share) * np.eye(units, dtype=np.float32)  # The layer scales the scores.
    values = np.eye(found, dtype=np.float32)
    joined = values.reshape(heads, share, found)
    weights = [divided(queries), divided(keys["kernel"]), values.reshape(found, heads, share)]
    return Weighted(layer, [*weights, joined])


def _for_keras_3(array: np.ndarray, recurrent_activation: str) -> np.ndarray:
    """Weights `[..., 4 * units]` with which Keras 3's hard_sigmoid gives what ours does.

    Its slope is another one than that of Keras 2, so the gates' inputs make up for it.
    """
    if recurrent_activation != "keras2_hard_sigmoid":
        return array
    factor = HARD_SIGMOID_SLOPES["keras2_hard_sigmoid"] / HARD_SIGMOID_SLOPES["hard_sigmoid"]
    i, f, g, o = np.split(array, 4, axis=-1)
    return np.concatenate([factor * i, factor * f, g, factor * o], axis=-1, dtype=np.float32)
