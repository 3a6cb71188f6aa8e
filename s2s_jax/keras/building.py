"""The tutorial's three models, made with Keras itself."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.config import HARD_SIGMOID_SLOPES, RunConfig
from s2s_jax.errors import UserError
from s2s_jax.keras.weights import LSTMWeights, Weights


def import_keras() -> Any:
    """Keras 3, on JAX unless the user asked for another backend: JAX is there."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        keras = importlib.import_module("keras")
    except ImportError as error:
        raise UserError(
            f"the export needs Keras 3 ({error}); install it with: pip install keras"
        ) from None
    if int(keras.__version__.split(".")[0]) < 3:
        raise UserError(
            f"the export needs Keras 3 or newer, found {keras.__version__}; install it with: "
            "pip install -U keras"
        )
    return keras


class Models(NamedTuple):
    """Three models over the same layers."""

    training: Any
    encoder: Any
    decoder: Any


def build(keras: Any, run: RunConfig, weights: Weights) -> Models:
    """The tutorial's three models around one set of layers."""
    layers, config, train = keras.layers, run.model, run.train
    hard = config.recurrent_activation in HARD_SIGMOID_SLOPES
    lstm = functools.partial(
        layers.LSTM,
        config.latent_dim,
        recurrent_activation="hard_sigmoid" if hard else "sigmoid",
        return_state=True,
    )
    encoder_lstm = lstm(name="encoder_lstm")
    decoder_lstm = lstm(return_sequences=True, name="decoder_lstm")
    dense = layers.Dense(len(weights.output_bias), activation="softmax", name="decoder_output")
    masked = run.source_length == 0
    source, source_features = _inputs(keras, weights.encoder, "encoder", masked)
    target, target_features = _inputs(keras, weights.decoder, "decoder", masked=False)
    _, *states = encoder_lstm(source_features)
    hidden, *_ = decoder_lstm(target_features, initial_state=states)
    given = [keras.Input((config.latent_dim,), name=f"state_{name}") for name in ("h", "c")]
    one_more, *new_states = decoder_lstm(target_features, initial_state=given)
    models = Models(
        keras.Model([source, target], dense(hidden), name="training"),
        keras.Model(source, states, name="encoder"),
        keras.Model([target, *given], [dense(one_more), *new_states], name="decoder"),
    )
    for layer, side in ((encoder_lstm, weights.encoder), (decoder_lstm, weights.decoder)):
        own = [side.kernel, side.recurrent_kernel, side.bias]
        layer.set_weights([_for_keras_3(array, config.recurrent_activation) for array in own])
    dense.set_weights([weights.output_kernel, weights.output_bias])
    optimizer = keras.optimizers.get(
        {"class_name": train.optimizer, "config": {"learning_rate": train.learning_rate}}
    )
    models.training.compile(optimizer=optimizer, loss="categorical_crossentropy")
    return models


def _for_keras_3(array: np.ndarray, recurrent_activation: str) -> np.ndarray:
    """Weights `[..., 4 * units]` with which Keras 3's hard_sigmoid gives what ours does.

    Its slope is another one than that of Keras 2, so the gates' inputs make up for it.
    """
    if recurrent_activation != "keras2_hard_sigmoid":
        return array
    factor = HARD_SIGMOID_SLOPES["keras2_hard_sigmoid"] / HARD_SIGMOID_SLOPES["hard_sigmoid"]
    i, f, g, o = np.split(array, 4, axis=-1)
    return np.concatenate([factor * i, factor * f, g, factor * o], axis=-1, dtype=np.float32)


def _inputs(keras: Any, weights: LSTMWeights, name: str, masked: bool) -> tuple[Any, Any]:
    """An input, and what the LSTM reads of it."""
    if weights.embedding is None:
        tensor = keras.Input((None, weights.vocab_size), name=f"{name}_inputs")
        masking = keras.layers.Masking(0.0, name=f"{name}_masking")
        return tensor, masking(tensor) if masked else tensor
    tensor = keras.Input((None,), name=f"{name}_inputs")
    embedding = keras.layers.Embedding(
        *weights.embedding.shape, mask_zero=masked, name=f"{name}_embedding"
    )
    features = embedding(tensor)
    embedding.set_weights([weights.embedding])
    return tensor, features
