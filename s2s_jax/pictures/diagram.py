"""What the pictures of a model show: its layers, and how they are wired in each of three views."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple, cast

from flax.traverse_util import flatten_dict

from s2s_jax.config import ModelConfig
from s2s_jax.model.seq2seq import param_shapes


class Box(NamedTuple):
    """A layer, or what goes in and out."""

    key: str  # The same in every view that shares the layer's weights.
    part: str  # "encoder", "decoder", or "" for what goes in and out.
    title: str
    detail: str  # Its sizes; may be empty.
    column: int  # 0 for the encoder and what it hands over, 1 for the decoder.
    row: int  # From the bottom up.


class View(NamedTuple):
    """One of the three methods of the model."""

    name: str
    about: str  # What it is for.
    boxes: list[Box]  # In the order of their rows.
    arrows: list[tuple[str, str, str]]  # From key to key, and what is handed over; may be empty.


def three_views(config: ModelConfig) -> list[View]:
    """Training, encoding a source and writing a token, as `Seq2Seq` has them."""
    reading, writing = _encoder(config), _decoder(config)
    last = reading[-1].key  # Of the LSTMs; the bridge, if there is one, stands above it.
    bridge = [Box("bridge", "encoder", "linear", "last states to first ones", 0, len(reading))]
    bridge = bridge if config.has_bridge else []
    attentive = config.attention != "none"
    handed = "carry and memory" if attentive else "carry (c, h)"
    (first,) = (box for box in writing if box.key == "write_1")
    state = Box("state", "", handed, "", 0, first.row)
    top, start, carry = (bridge or reading)[-1].key, first.key, "carry (c, h)"
    logits = Box("logits", "", "logits", "", 1, writing[-1].row + 1)
    stack, written = _chain([*reading, *bridge]), _chain([*writing, logits])
    looks = [(last, "attention", "memory")] if attentive else []
    if config.attend_embeddings:
        looks.append(("read_embedding", "attention", "memory"))
    token = writing[0]._replace(title="last token")
    above = state._replace(row=len(reading) + len(bridge))
    after = logits._replace(title="logits and next carry")
    return [
        View(
            "Seq2Seq.__call__", "training: all steps at once",
            [*reading, *bridge, *writing, logits],
            [*stack, *written, (top, start, carry), *looks],
        ),
        View(
            "Seq2Seq.encode", "once a source",
            [*reading, *bridge, above],
            [*stack, (top, "state", ""), *([(last, "state", "")] if attentive and bridge else [])]
            + [("read_embedding", "state", "")] * config.attend_embeddings,
        ),
        View(
            "Seq2Seq.decode_step", "once a token",
            [token, *writing[1:], state, after],
            [*written, ("state", start, carry)]
            + [("state", "attention", "memory")] * attentive,
        ),
    ]  # fmt: skip


def _chain(boxes: list[Box]) -> list[tuple[str, str, str]]:
    return [(below.key, above.key, "") for below, above in pairwise(boxes)]


def _encoder(config: ModelConfig) -> list[Box]:
    """The source and the layers that read it, from the bottom up."""
    units = f"{config.latent_dim} units"
    if config.bidirectional:
        units = f"2 x {config.latent_dim // 2} units, both directions"
    layers = [("source", "", "source", "")]
    if config.embedding_dim:
        size = f"{config.source_vocab_size:,} x {config.embedding_dim}"
        layers.append(("read_embedding", "encoder", "embeddings", size))
    for number in range(1, config.encoder_layers + 1):
        layers.append((f"read_{number}", "encoder", _lstm(number, config.encoder_layers), units))
    return [Box(*layer, 0, row) for row, layer in enumerate(layers)]


def _decoder(config: ModelConfig) -> list[Box]:
    """The target and the layers that write it, from the bottom up."""
    units = f"{config.latent_dim} units"
    vocab, width = config.target_vocab_size, config.embedding_dim
    layers = [("target", "", "target, shifted right", "")]
    if width:
        layers.append(("write_embedding", "decoder", "embeddings", f"{vocab:,} x {width}"))
    for number in range(1, config.decoder_layers + 1):
        layers.append((f"write_{number}", "decoder", _lstm(number, config.decoder_layers), units))
        if number == 1 and config.attention != "none":
            layers.append(("attention", "decoder", "attention", attention_text(config)))
    if config.tie_embeddings and (config.attention == "none" or config.decoder_layers > 1):
        layers.append(("readout", "decoder", "linear", f"{config.latent_dim} to {width}"))
    detail = f"{vocab:,} symbols"
    if config.tie_embeddings:
        detail += ", shares the embeddings"
    layers.append(("output", "decoder", "output", detail))
    return [Box(*layer, 1, row) for row, layer in enumerate(layers)]


def attention_text(config: ModelConfig) -> str:
    """A model's attention, in a few words."""
    heads = config.attention_heads
    return config.attention + f", {heads} heads" * (heads > 1)


def _lstm(number: int, layers: int) -> str:
    return "LSTM" if layers == 1 else f"LSTM {number} of {layers}"


def parameter_counts(config: ModelConfig) -> dict[str, int]:
    """How many parameters each layer has, by the keys of its boxes; each parameter counts once."""
    counts: dict[str, int] = {}
    leaves = cast(dict[tuple[str, ...], Any], flatten_dict(param_shapes(config)))
    for path, leaf in leaves.items():
        key = _layer_of(*path)
        counts[key] = counts.get(key, 0) + math.prod(leaf.shape)
    return counts


def _layer_of(part: str, module: str, *names: str) -> str:
    """The key of the layer that a parameter belongs to."""
    side = {"encoder": "read", "decoder": "write"}[part]
    if names[0] == "embedding":
        return f"{side}_embedding"
    if module.startswith("upper_"):  # upper_cells_0 and upper_inputs_0 are the second layer.
        return f"{side}_{int(module.rsplit('_', 1)[1]) + 2}"
    if module.startswith("bridge"):
        return "bridge"
    if module in ("keys", "attention"):
        return "attention"
    return module if module in ("readout", "output") else f"{side}_1"
