"""A model trained with Keras -> an ordinary run folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.command_line import command
from s2s_jax.config import DataConfig, RunConfig, TrainConfig
from s2s_jax.config.training import LEARNING_RATES
from s2s_jax.data.corpus import Pair, normalize
from s2s_jax.data.preparation import Prepared, prepare
from s2s_jax.data.reading.download import resolve
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder
from s2s_jax.errors import UserError
from s2s_jax.evaluation.fingerprint import write_training_sources
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.finding import find_characters, tutorial_pairs
from s2s_jax.keras.padding import (
    mean_loss,
    model_config,
    source_encoder,
    unreadable,
    with_padding,
)
from s2s_jax.keras.reading.models import KerasModel, read_model
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.weights import to_params, vocab_sizes
from s2s_jax.runs.checkpointing import beginning, save_step
from s2s_jax.runs.folder import KERAS, ROOT, Run, create_run, holds_run, write_json, write_metrics
from s2s_jax.runtime.files import safe_name, shown
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_optimizer

_NO_DATA = "unknown"


class Imported(NamedTuple):
    """A model of Keras as a run, not yet written."""

    model: KerasModel
    characters: Characters
    config: RunConfig
    params: Any
    pairs: list[tuple[str, str]]
    """As the tutorial reads them; empty without data."""
    prepared: Prepared | None
    unread: list[Pair]
    """The prepared pairs with targets that the model cannot write."""

    @property
    def run(self) -> Run:
        """Its configuration and vocabularies."""
        return Run(self.config, *self.characters.vocabularies())


def import_model(request: ImportRequest) -> int:
    """Writes a run folder and says what was found.

    Raises:
      UserError: if the model is not the tutorial's, does not fit the characters, or the folder
        holds a run; what existed before is still there.
    """
    folder = request.out or ROOT / safe_name(Path(request.models[0].stem).stem)  # a.weights.h5
    if holds_run(folder) and not request.overwrite:
        raise UserError(
            f"{folder} holds a run already; replace it (--overwrite) or choose another folder "
            "(--out)."
        )
    imported = convert(request)
    _write(folder, imported)
    _say(folder, request, imported)
    return 0


def convert(request: ImportRequest) -> Imported:
    """Reads a model and finds its characters, its padding and its data; writes nothing.

    Raises:
      UserError: if the model is not the tutorial's, or does not fit the characters.
    """
    if request.num_samples < 1:
        raise UserError(f"--num-samples must be at least 1, not {request.num_samples}.")
    model = read_model(request.models, request.recurrent_activation)
    units = model.structure.units
    if request.latent_dim not in (0, units):
        raise UserError(f"the model has {units} units, not --latent-dim {request.latent_dim}.")
    path = None if request.data is None else Path(resolve(request.data, progress=True))
    pairs = [] if path is None else tutorial_pairs(path, request.num_samples)
    characters = find_characters(request, vocab_sizes(model.params), path, pairs)
    _check_sides(model, characters)
    train = _train_config(model)
    prepared, unread, data = None, [], DataConfig(data=_NO_DATA)
    if request.data is not None:
        data = _data_config(request.data, pairs, characters)
        source, target = characters.vocabularies()
        prepared = prepare(data, train.seed, (SourceEncoder(source), target))
        unread = unreadable(prepared)
    params = to_params(model.params, characters)
    characters = with_padding(request, model, characters, params, prepared, unread)
    encoder = source_encoder(model, characters)
    if prepared is not None:
        prepared = dataclasses.replace(prepared, source_encoder=encoder)
    config = RunConfig(
        data,
        model_config(model, characters),
        train,
        # Keras's loop stops when more than max_decoder_seq_length characters are written.
        characters.max_decoder_seq_length + 1,
        "" if prepared is None else prepared.data_hash,
        characters.max_encoder_seq_length,
        encoder.length,
        encoder.filler,
        encoder.fill_before,
        encoder.backwards,
    )
    return Imported(model, characters, config, params, pairs, prepared, unread)


def _train_config(model: KerasModel) -> TrainConfig:
    """Keras's optimizer if it is available here, otherwise the tutorial's."""
    if model.optimizer not in LEARNING_RATES:
        return TrainConfig()
    return TrainConfig(optimizer=model.optimizer, learning_rate=model.learning_rate)


def _data_config(data: str, pairs: list[tuple[str, str]], characters: Characters) -> DataConfig:
    """The lines that Keras read, without duplicates, and Keras's validation part."""
    both = [(normalize(source), normalize(target)) for source, target in pairs]
    distinct = len({pair for pair in both if all(pair)})
    return DataConfig(
        data=data,
        num_samples=max(distinct, 1),
        max_source_length=0,
        max_target_length=0,
        split="tail",
        source_tokens=characters.source_tokenizer.kind,
        target_tokens=characters.target_tokenizer.kind,
    )


def _check_sides(model: KerasModel, characters: Characters) -> None:
    """Refuses a masked Embedding whose id 0, which it skips, is in use."""
    sides = (
        (model.structure.encoder, "input_characters", characters.input_characters),
        (model.structure.decoder, "target_characters", characters.target_characters),
    )
    for side, key, symbols in sides:
        if side.masked and side.embedding and symbols[0] not in ("", SPECIALS[0]):
            remedy = "give the lists of the training with --vocabulary"
            if side is model.structure.encoder:
                remedy += ', or "" in its place if the program gave it the number 0: Keras skips it'
            raise UserError(
                f"the Embedding {side.embedding!r} has mask_zero, so the first of {key} must be "
                f'"" or "<pad>"; found {shown(symbols[0], 40)!r}; {remedy}.'
            )


def _write(folder: Path, imported: Imported) -> None:
    """Writes the run folder; its step 0 is the model as Keras left it."""
    config, params, prepared = imported.config, imported.params, imported.prepared
    val_loss = None
    if prepared is not None and prepared.validation:
        val_loss = mean_loss(config.model, params, prepared, prepared.validation)
        if not {*imported.unread} & {*prepared.validation}:
            print(
                f"Validation loss: {val_loss:.4f} nats per target character (the data's last part)."
            )
    create_run(folder, imported.run)
    write_json(folder / KERAS, imported.characters.to_json())
    if prepared is not None:
        write_training_sources(folder, (pair.source for pair in prepared.training))
    opt_state = make_optimizer(config.train).init(params)
    with beginning(folder):
        save_step(folder, params, opt_state, TrainingProgress().to_record(), val_loss)
    write_metrics(folder, [])


def _say(folder: Path, request: ImportRequest, imported: Imported) -> None:
    """Prints what was found, and what to type next."""
    model, characters, pairs = imported.model, imported.characters, imported.pairs
    files = " and ".join(map(str, request.models))
    print(
        f"Imported {files} into {folder}: {_parts(model)}, "
        f"{len(characters.input_characters)} source and {len(characters.target_characters)} "
        f"target symbols, source padding {characters.source_padding}"
        f"{', sources read backwards' * characters.source_backwards}."
    )
    changed = [source for source, _ in pairs if normalize(source) != source]
    if changed:
        print(
            f"{len(changed)} sources, such as {shown(repr(changed[0]), 60)}, are not in Unicode "
            "NFC or have outer white space; here they are normalized, while Keras reads them as is."
        )
    if characters.unseen_target:
        print(f"Answers hold {shown(characters.unseen_target, 40)} where Keras's loop writes it.")
    if imported.unread:
        print(_about_unread(imported))
    if model.optimizer and model.optimizer not in LEARNING_RATES:
        print(
            f"The optimizer {shown(model.optimizer, 40)} is not available; training uses rmsprop."
        )
    if model.halves and model.structure.attention and model.structure.encoder.masked:
        print(
            "Attention skips padding here, as in training. Keras's decoder does not know of it, so "
            "its answers to padded sources may differ."
        )
    if model.dropout:
        print("The model was trained with dropout; training continues without it.")
    print("Next:")
    print("  " + command("decode.py", folder))
    if request.data is None:
        print("Without --data the run can decode and be exported, but not continue training.")
    elif not imported.unread:
        print("Or, to train it further with an optimizer that starts afresh:")
        print("  " + command("train.py", folder, "--resume"))


def _about_unread(imported: Imported) -> str:
    """What to say of targets with symbols that the model does not have."""
    prepared, unread = imported.prepared, imported.unread
    assert prepared is not None
    pairs = len(prepared.training) + len(prepared.validation)
    missing = prepared.target_vocabulary.unseen(unread[0].target)[0]
    return (
        f"{len(unread)} of {pairs} targets, such as {shown(repr(unread[0].target), 60)}, hold "
        f"what the model cannot write ({shown(repr(missing), 40)}), so they tell nothing of its "
        "padding, and it cannot learn from them; give --data as the model read them, with its "
        "letter case and punctuation and nothing around a target."
    )


def _parts(model: KerasModel) -> str:
    """What a model is made of, as in "256 units, one-hot inputs"."""
    settings, structure = model.settings, model.structure
    layers = {settings[key] for key in ("encoder_layers", "decoder_layers")}
    parts = [
        f"{structure.units} units",
        "one-hot inputs" if structure.encoder.embedding is None else "Embedding inputs",
        "bidirectional" * structure.bidirectional,
        f"{' and '.join(map(str, sorted(layers)))} layers" * (layers != {1}),
        "attention" * (structure.attention is not None),
    ]
    return ", ".join(filter(None, parts))
