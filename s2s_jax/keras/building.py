"""Training, encoder and decoder model, made with Keras itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from s2s_jax.config import ModelConfig, RunConfig
from s2s_jax.errors import UserError
from s2s_jax.keras.weighted import Weighted, attention, dense, lstm
from s2s_jax.keras.weights import vocab_sizes


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


def build(keras: Any, run: RunConfig, params: Any) -> dict[str, Any]:
    """The training, the encoder and the decoder model, by these names, around one set of layers.

    The parameters are over Keras's symbols, as `weights.from_params` gives them.
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
    models = {
        "training": keras.Model([source, target], written, name="training"),
        "encoder": keras.Model(source, [*[outputs] * attends, *states], name="encoder"),
        "decoder": keras.Model([target, *memory, *given], [one_more, *new_states], name="decoder"),
    }
    optimizer = keras.optimizers.get(
        {"class_name": train.optimizer, "config": {"learning_rate": train.learning_rate}}
    )
    models["training"].compile(optimizer=optimizer, loss="categorical_crossentropy")
    return models


def _encoder(
    keras: Any, config: ModelConfig, params: Any, features: Any
) -> tuple[Any, list[tuple[Any, Any]]]:
    """The outputs of the encoder, and the states h and c that each of its layers ends with."""
    ends = []
    for n in range(config.encoder_layers):
        above, *found = lstm(keras, config, params, n, "encoder")(features)
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
                states.append(dense(keras, own, f"start_{name}{n or ''}")(joined[name]))
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
    lstms = [lstm(keras, config, params, n, "decoder") for n in range(config.decoder_layers)]
    added = [keras.layers.Add() for _ in lstms]
    attended = 1 if config.residual else config.decoder_layers
    linear = [dense(keras, params["output"], "decoder_output", "softmax")]
    if "readout" in params:
        linear.insert(0, dense(keras, params["readout"], "decoder_readout"))
    attend = attention(keras, params, keys, config.attention_heads)

    def decode(features: Any, states: list[Any], memory: Any) -> tuple[Any, list[Any]]:
        """Probabilities `[batch, time, symbols]`, and h and c of each layer `[batch, units]`."""
        new_states = []
        for n, layer in enumerate(lstms):
            above, *after = layer(features, initial_state=states[2 * n : 2 * n + 2])
            new_states += after
            features = added[n]([features, above]) if n and config.residual else above
            if attend is not None and n + 1 == attended:
                features = attend(features, memory)
        for layer in linear:
            features = layer(features)
        return features, new_states

    return decode


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
    return tensor, Weighted(embedding, [table])(tensor)
