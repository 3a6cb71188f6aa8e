"""What sources were padded with, and in which order, which no file of Keras says.

The tutorial pads with zeros, its newer version on keras.io with spaces, and the encoder reads this
padding up to the longest source of training. `pad_sequences` puts zeros before a source,
unless told otherwise, and some programs turn sources around. Only a mask is part of the model.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import optax

from s2s_jax.config import ModelConfig
from s2s_jax.data.batching import Batches
from s2s_jax.data.corpus import Pair
from s2s_jax.data.preparation import Prepared
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder
from s2s_jax.errors import UserError
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.reading.models import KerasModel
from s2s_jax.keras.request import ImportRequest
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.training.fitting import validation
from s2s_jax.training.fitting.state import TrainingState

_TRIED = 256  # Pairs that each padding is tried on.
_CLEARLY = 0.9  # The loss must drop to this share: an untrained model cannot tell paddings apart.
_TRAINED = 0.5  # Of the loss of chance: below it,
_LITTLE = 0.97  # a drop to this share tells them apart.
_CHANCE = 1.1  # An untrained model's loss is about that of chance, a wrong reading's far above it.


def model_config(model: KerasModel, characters: Characters) -> ModelConfig:
    """The sizes and parts."""
    source, target = map(len, characters.vocabularies())
    return ModelConfig(source, target, **model.settings, writes_unk=bool(characters.unseen_target))


def source_encoder(model: KerasModel, characters: Characters) -> SourceEncoder:
    """Encodes sources with the padding and in the order that the model was trained on."""
    source, _ = characters.vocabularies()
    if characters.source_padding == "mask":
        return SourceEncoder(source, backwards=characters.source_backwards)
    return SourceEncoder(
        source,
        characters.max_encoder_seq_length,
        _filler(model, characters),
        characters.source_padding == "zeros-before",
        characters.source_backwards,
    )


def _filler(model: KerasModel, characters: Characters) -> str:
    """The symbol that sources are padded with."""
    if characters.source_padding == "space":
        return " "
    # The id 0 of an Embedding is an ordinary character.
    one_hot = model.structure.encoder.embedding is None
    first = characters.input_characters[0]
    return SPECIALS[0] if one_hot or first == "" else first


def with_padding(
    request: ImportRequest,
    model: KerasModel,
    characters: Characters,
    params: Any,
    prepared: Prepared | None,
    unread: Collection[Pair],
) -> Characters:
    """The characters with what they say of the sources' padding and order.

    That is as asked for, as the model shows, or found by trying on the data, if these are given;
    `unread` are their pairs that are `unreadable`.

    Raises:
      UserError: if the padding does not fit the model, or a length is missing.
    """
    possible, encoder = _possible(request, model, characters), model.structure.encoder
    others = {*unread}
    tried = [pair for pair in (prepared.training if prepared else []) if pair not in others]
    if prepared is not None and tried:
        prepared = dataclasses.replace(prepared, training=tried[:_TRIED])
        found = _likeliest(possible, model, prepared, params)
    elif len({one.source_padding for one in possible}) > 1 and encoder.masked is None:
        raise UserError(
            "these weights do not say whether the encoder had a mask (mask_zero); give the data "
            "(--data) to find out, or say which: --padding mask or --padding zeros."
        )
    else:
        found = possible[0]
        if len(possible) > 1 and not characters.source_padding:
            print(
                f"Padding: {_named(found)}, unless --padding or --source-order say otherwise: "
                "no data show how the model's sources were padded, or in which order."
            )
    for key, needed in (
        ("max_encoder_seq_length", found.source_padding != "mask"),
        ("max_decoder_seq_length", True),
    ):
        if needed and not getattr(found, key):
            raise UserError(
                f"there is no {key}, which decoding depends on; give --{key.replace('_', '-')} N "
                "or --data as well."
            )
    return found


def _possible(
    request: ImportRequest, model: KerasModel, characters: Characters
) -> list[Characters]:
    """The characters with each padding and order that may be right, the likeliest first.

    Raises:
      UserError: if the padding asked for does not fit the model.
    """
    masked, turned = model.structure.encoder.masked, model.structure.backwards
    paddings = ["mask"] * (masked is not False)
    # An encoder that goes backwards reads what is behind a source first.
    fillers = ["zeros-before", "zeros", "space"] if turned else ["zeros", "space", "zeros-before"]
    paddings += fillers * (masked is not True)
    padding = request.padding or characters.source_padding
    if padding and padding not in paddings:
        raise UserError(
            f"the encoder of this model has {'a' if masked else 'no'} mask, so the "
            f"padding cannot be {padding}; leave out --padding."
        )
    if "space" in paddings and " " not in characters.input_characters:
        paddings.remove("space")
    if padding == "space" and "space" not in paddings:
        raise UserError("--padding space needs a space among the source characters; there is none.")
    orders = [True] if characters.source_backwards else [turned, not turned]
    orders = [request.source_order == "backwards"] if request.source_order else orders
    return [
        dataclasses.replace(characters, source_padding=one, source_backwards=order)
        for order in orders
        for one in ([padding] if padding else paddings)
    ]


def unreadable(prepared: Prepared) -> list[Pair]:
    """The pairs with targets that the model cannot write; their likelihood tells nothing."""
    target = prepared.target_vocabulary
    if target.tokenizer.reads_unseen:
        return []
    pairs = [*prepared.training, *prepared.validation]
    return [pair for pair in pairs if target.unseen(pair.target)]


def _likeliest(
    possible: Sequence[Characters], model: KerasModel, prepared: Prepared, params: Any
) -> Characters:
    """Those under which the model predicts the targets of `prepared` best."""
    losses, config = [], model_config(model, possible[0])
    for tried in possible:
        prepared = dataclasses.replace(prepared, source_encoder=source_encoder(model, tried))
        losses.append(mean_loss(config, params, prepared, prepared.training))
    best = min(range(len(possible)), key=losses.__getitem__)
    chance = math.log(len(possible[0].target_characters))
    trained = losses[best] < _TRAINED * chance
    if losses[best] >= (_LITTLE if trained else _CLEARLY) * losses[0]:
        best = 0
    if losses[best] > _CHANCE * chance:
        print(
            f"The model finds the data's targets less likely than chance does ({losses[best]:.3f} "
            f"nats per target symbol, not {chance:.3f}), so the symbols, their order, the columns "
            "of the data or the gates are probably not those of its training; check --vocabulary, "
            "--data and --recurrent-activation."
        )
    if len({one.source_padding for one in possible}) == 1 and not best:
        return possible[0]  # As expected, which need not be said.
    figures = ", ".join(
        f"{_named(tried)} {loss:.3f}" for tried, loss in zip(possible, losses, strict=True)
    )
    print(
        f"Padding: {_named(possible[best])}, which makes the data's first pairs likelier (nats per "
        f"target symbol: {figures}); change it with --padding or --source-order."
    )
    return possible[best]


def _named(tried: Characters) -> str:
    return tried.source_padding + " backwards" * tried.source_backwards


def mean_loss(config: ModelConfig, params: Any, prepared: Prepared, pairs: list[Any]) -> float:
    """Mean loss in nats per real target token."""
    batches = Batches(prepared.encode(pairs), batch_size=64, max_buckets=1)
    state = TrainingState.create(
        apply_fn=_apply(config), params=params, tx=optax.identity(), config=config
    )
    return validation.mean_loss(state, batches)


@functools.lru_cache(maxsize=2)  # The same function twice is compiled once.
def _apply(config: ModelConfig) -> Callable[..., Any]:
    return Seq2Seq(config).apply
