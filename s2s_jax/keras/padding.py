"""What sources were padded with, which no file of Keras says.

The tutorial pads with zeros, its newer version on keras.io with spaces, and the encoder reads this
padding up to the longest source of training. Only a mask is part of the model.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import optax

from s2s_jax.config import ModelConfig
from s2s_jax.data.batching import Batches
from s2s_jax.data.preparation import Prepared
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder
from s2s_jax.errors import UserError
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.reading.models import KerasModel
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.training.fitting import loop
from s2s_jax.training.fitting.state import TrainingState

_TRIED = 256  # Pairs that each padding is tried on.
_CLEARLY = 0.9  # The loss must drop to this share: an untrained model cannot tell paddings apart.


def model_config(model: KerasModel, characters: Characters) -> ModelConfig:
    """The sizes and parts."""
    source, target = map(len, characters.vocabularies())
    return ModelConfig(source, target, **model.settings)


def source_encoder(model: KerasModel, characters: Characters) -> SourceEncoder:
    """Encodes sources with the padding that the model was trained on."""
    source, _ = characters.vocabularies()
    if characters.source_padding == "mask":
        return SourceEncoder(source)
    filler = _filler(model, characters)
    return SourceEncoder(source, characters.max_encoder_seq_length, filler)


def _filler(model: KerasModel, characters: Characters) -> str:
    """The symbol that sources are padded with."""
    if characters.source_padding == "space":
        return " "
    # The id 0 of an Embedding is an ordinary character.
    one_hot = model.structure.encoder.embedding is None
    first = characters.input_characters[0]
    return SPECIALS[0] if one_hot or first == "" else first


def with_padding(
    asked: str | None,
    model: KerasModel,
    characters: Characters,
    prepared: Prepared | None,
    params: Any,
) -> Characters:
    """The characters with their `source_padding`: as given, as the model shows, or found by trying.

    Args:
      asked: the padding that the user asked for, which comes first.
      model, characters, params: what was read.
      prepared: the data, if given.

    Raises:
      UserError: if the padding does not fit the model, or a length is missing.
    """
    masked = model.structure.encoder.masked
    possible = ["mask"] * (masked is not False) + ["zeros", "space"] * (masked is not True)
    padding = asked or characters.source_padding
    if padding and padding not in possible:
        raise UserError(
            f"the encoder of this model has {'a' if masked else 'no'} mask, so the "
            f"padding cannot be {padding}; leave out --padding."
        )
    if "space" in possible and " " not in characters.input_characters:
        possible.remove("space")
    if not padding and len(possible) > 1 and prepared is not None:
        padding = _likeliest_padding(possible, model, characters, prepared, params)
    elif not padding and masked is None:
        raise UserError(
            "these weights do not say whether the encoder had a mask (mask_zero); give the data "
            "(--data) to find out, or say which: --padding mask or --padding zeros."
        )
    padding = padding or possible[0]
    characters = dataclasses.replace(characters, source_padding=padding)
    if padding == "space" and " " not in characters.input_characters:
        raise UserError("--padding space needs a space among the source characters; there is none.")
    for key, needed in (
        ("max_encoder_seq_length", padding != "mask"),
        ("max_decoder_seq_length", True),
    ):
        if needed and not getattr(characters, key):
            raise UserError(
                f"there is no {key}, which decoding depends on; give --{key.replace('_', '-')} N "
                "or --data as well."
            )
    return characters


def _likeliest_padding(
    possible: Sequence[str],
    model: KerasModel,
    characters: Characters,
    prepared: Prepared,
    params: Any,
) -> str:
    """The padding under which the model predicts the data's first targets best."""
    losses, config = {}, model_config(model, characters)
    for padding in possible:
        tried = dataclasses.replace(characters, source_padding=padding)
        prepared = dataclasses.replace(prepared, source_encoder=source_encoder(model, tried))
        losses[padding] = mean_loss(config, params, prepared, prepared.training[:_TRIED])
    likeliest = min(losses, key=losses.__getitem__)
    if losses[likeliest] >= _CLEARLY * losses[possible[0]]:
        likeliest = possible[0]
    figures = ", ".join(f"{padding} {loss:.3f}" for padding, loss in losses.items())
    print(
        f"Padding: {likeliest}, which makes the data's first pairs likelier (nats per target "
        f"symbol: {figures}); change it with --padding."
    )
    return likeliest


def mean_loss(config: ModelConfig, params: Any, prepared: Prepared, pairs: list[Any]) -> float:
    """Mean loss in nats per real target token."""
    batches = Batches(prepared.encode(pairs), batch_size=64, max_buckets=1)
    state = TrainingState.create(
        apply_fn=_apply(config), params=params, tx=optax.identity(), config=config
    )
    return loop.mean_loss(state, batches)


@functools.lru_cache(maxsize=2)  # The same function twice is compiled once.
def _apply(config: ModelConfig) -> Callable[..., Any]:
    return Seq2Seq(config).apply
