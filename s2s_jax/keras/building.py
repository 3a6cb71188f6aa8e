"""Training, encoder and decoder model, made with Keras itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.config import HARD_SIGMOID_SLOPES, ModelConfig, RunConfig
from s2s_jax.errors import UserError
from s2s_jax.keras.weights import layer_names, vocab_sizes


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


def build(keras: Any, run: RunConfig, params: Any) -> Models:
    """The three models around one set of layers.

    Args:
      keras: the module.
      run: the run's configuration.
      params: its parameters over Keras's symbols (`weights.from_params`).
    """
    config, train = run.model, run.train
    read, write = params["encoder"], params["decoder"]
    sizes = vocab_sizes(params)
    masked = run.source_length == 0
    source, source_features = _inputs(keras, config, read, sizes[0], "encoder", masked)
    target, target_features = _inputs(keras, config, write, sizes[1], "decoder", masked=False)
    outputs, ends = _encoder(keras, config, read, source_features)
    if config.attend_embeddings:
        outputs = keras.layers.Concatenate(name="encoder_memory")([outputs, source_features])
    states = _bridge(keras, config, read, ends)
    given = [
        keras.Input((config.latent_dim,), name=f"state_{name}{n or ''}")
        for n in range(config.decoder_layers)
        for name in ("h", "c")
    ]
    attends = config.attention != "none"
    memory = [keras.Input((None, config.memory_dim), name="memory")] if attends else []
    decode = _decoder(keras, config, write, read.get("keys"))
    written, _ = decode(target_features, states, outputs)
    one_more, new_states = decode(target_features, given, *memory or [None])
    models = Models(
        keras.Model([source, target], written, name="training"),
        keras.Model(source, [*[outputs] * attends, *states], name="encoder"),
        keras.Model([target, *memory, *given], [one_more, *new_states], name="decoder"),
    )
    optimizer = keras.optimizers.get(
        {"class_name": train.optimizer, "config": {"learning_rate": train.learning_rate}}
    )
    models.training.compile(optimizer=optimizer, loss="categorical_crossentropy")
    return models


def _lstm(keras: Any, config: ModelConfig, params: Any, layer: int, name: str) -> Any:
    """A layer of LSTMs, and a function that gives it its weights once it is built."""
    hard = config.recurrent_activation in HARD_SIGMOID_SLOPES
    both = layer_names(layer, backward=True)[0] in params
    lstm = keras.layers.LSTM(
        config.latent_dim // (2 if both else 1),
        recurrent_activation="hard_sigmoid" if hard else "sigmoid",
        return_sequences=True,
        return_state=True,
        name=f"{name}_lstm{layer or ''}",
    )
    if both:
        lstm = keras.layers.Bidirectional(lstm, name=f"{name}_lstms{layer or ''}")
    own = []
    for backward in (False, True)[: 1 + both]:
        inputs, cell = layer_names(layer, backward)
        arrays = (
            params[inputs]["kernel"],
            params[cell]["recurrent_kernel"],
            params[inputs]["bias"],
        )
        own += [_for_keras_3(array, config.recurrent_activation) for array in arrays]
    return _Weighted(lstm, own)


class _Weighted(NamedTuple):
    """A layer of Keras, and the weights that it gets when it is first called."""

    layer: Any
    weights: list[np.ndarray]

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        found = self.layer(*inputs, **options)
        self.layer.set_weights(self.weights)
        return found


def _dense(keras: Any, params: Any, name: str, activation: str | None = None) -> _Weighted:
    weights = [params[key] for key in ("kernel", "bias") if key in params]
    layer = keras.layers.Dense(
        params["kernel"].shape[1], activation, use_bias="bias" in params, name=name
    )
    return _Weighted(layer, weights)


def _encoder(
    keras: Any, config: ModelConfig, params: Any, features: Any
) -> tuple[Any, list[tuple[Any, Any]]]:
    """The outputs of the encoder, and the states h and c that each of its layers ends with."""
    ends = []
    for n in range(config.encoder_layers):
        above, *found = _lstm(keras, config, params, n, "encoder")(features)
        # Of one direction h and c, of both those of each.
        h, c = (
            found
            if len(found) == 2
            else (keras.layers.Concatenate()(found[state::2]) for state in (0, 1))
        )
        ends.append((h, c))
        added = n and config.residual
        features = keras.layers.Add()([features, above]) if added else above
    return features, ends


def _bridge(keras: Any, config: ModelConfig, params: Any, ends: list[tuple[Any, Any]]) -> list[Any]:
    """What the decoder's layers start from: h and c of each."""
    if not config.has_bridge:
        return list(ends[-1])
    kernels = {"c": params["bridge_0"], "h": params["bridge_1"]}
    joined = {}
    for i, name in enumerate("hc"):
        parts = [end[i] for end in ends]
        joined[name] = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    states, units = [], config.latent_dim
    for n in range(config.decoder_layers):
        columns = slice(n * units, (n + 1) * units)
        for name in "hc":
            own = {key: array[..., columns] for key, array in kernels[name].items()}
            layer = _handed_on(own)
            if layer is None:
                states.append(_dense(keras, own, f"start_{name}{n or ''}")(joined[name]))
            else:
                states.append(ends[layer]["hc".index(name)])
    return states


def _handed_on(bridge: Any) -> int | None:
    """The encoder's layer whose state a bridge hands on as it is, if it does no more than that."""
    rows, units = bridge["kernel"].shape
    for layer in range(rows // units):
        plain = np.eye(rows, units, -layer * units)
        if np.array_equal(bridge["kernel"], plain) and not bridge["bias"].any():
            return layer
    return None


def _decoder(keras: Any, config: ModelConfig, params: Any, keys: Any) -> Callable[..., Any]:
    """A function of features, states and the encoder's outputs, over one set of layers."""
    lstms = [_lstm(keras, config, params, n, "decoder") for n in range(config.decoder_layers)]
    added = [keras.layers.Add() for _ in lstms]
    attended = 1 if config.residual else config.decoder_layers
    linear = [_dense(keras, params["output"], "decoder_output", "softmax")]
    if "readout" in params:
        linear.insert(0, _dense(keras, params["readout"], "decoder_readout"))
    attend = _attention(keras, params, keys)

    def decode(features: Any, states: list[Any], memory: Any) -> tuple[Any, list[Any]]:
        """Probabilities `[batch, time, symbols]`, and h and c of each layer `[batch, units]`."""
        new_states = []
        for n, lstm in enumerate(lstms):
            above, *after = lstm(features, initial_state=states[2 * n : 2 * n + 2])
            new_states += after
            features = added[n]([features, above]) if n and config.residual else above
            if attend is not None and n + 1 == attended:
                features = attend(features, memory)
        for layer in linear:
            features = layer(features)
        return features, new_states

    return decode


def _attention(keras: Any, params: Any, keys: Any) -> Callable[[Any, Any], Any] | None:
    """A function of the decoder's outputs and the encoder's, over one set of layers."""
    if keys is None:
        return None
    project = _dense(keras, keys, "attention_keys")
    attention, joined = keras.layers.Attention(name="attention"), keras.layers.Concatenate()
    mix = None
    if "attention" in params:
        mix = _dense(keras, params["attention"]["mix"], "attention_mix", "tanh")

    def attend(queries: Any, memory: Any) -> Any:
        """The queries `[batch, time, units]` with what they attend to."""
        vectors = joined([attention([queries, memory, project(memory)]), queries])
        return vectors if mix is None else mix(vectors)

    return attend


def _for_keras_3(array: np.ndarray, recurrent_activation: str) -> np.ndarray:
    """Weights `[..., 4 * units]` with which Keras 3's hard_sigmoid gives what ours does.

    Its slope is another one than that of Keras 2, so the gates' inputs make up for it.
    """
    if recurrent_activation != "keras2_hard_sigmoid":
        return array
    factor = HARD_SIGMOID_SLOPES["keras2_hard_sigmoid"] / HARD_SIGMOID_SLOPES["hard_sigmoid"]
    i, f, g, o = np.split(array, 4, axis=-1)
    return np.concatenate([factor * i, factor * f, g, factor * o], axis=-1, dtype=np.float32)


def _inputs(
    keras: Any, config: ModelConfig, params: Any, size: int, name: str, masked: bool
) -> tuple[Any, Any]:
    """An input, and what the lowest LSTM reads of it."""
    if not config.embedding_dim:
        tensor = keras.Input((None, size), name=f"{name}_inputs")
        masking = keras.layers.Masking(0.0, name=f"{name}_masking")
        return tensor, masking(tensor) if masked else tensor
    tensor = keras.Input((None,), name=f"{name}_inputs")
    table = params["inputs"]["embedding"]["embedding"]
    embedding = keras.layers.Embedding(*table.shape, mask_zero=masked, name=f"{name}_embedding")
    return tensor, _Weighted(embedding, [table])(tensor)
