"""A run folder -> models that Keras opens, on any of its backends."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.config import ModelConfig
from s2s_jax.data.vocabulary import SPECIALS
from s2s_jax.errors import UserError
from s2s_jax.keras.building import build, import_keras
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.weights import NEVER, from_params
from s2s_jax.model.seq2seq import param_shapes
from s2s_jax.runs.checkpointing import restore_params
from s2s_jax.runs.folder import KERAS, Run, read_run
from s2s_jax.runs.steps import restore_newest
from s2s_jax.runtime.files import replacing, write_lines

_EXPRESSIBLE = {
    "source_vocab_size",
    "target_vocab_size",
    "latent_dim",
    "embedding_dim",
    "recurrent_activation",
    "attention",
    "attention_heads",
    "attention_mix",
    "attend_embeddings",
    "bidirectional",
    "encoder_layers",
    "decoder_layers",
    "residual",
    "tie_embeddings",
    "writes_unk",
    "dropout",  # These have no part in answers.
    "token_dropout",
}
"""The fields of `ModelConfig` that the export knows."""


class ExportRequest(NamedTuple):
    """What the user asked for; the fields are the flags of `export`."""

    checkpoint: Path
    out: Path
    inference: bool
    step: str
    overwrite: bool


def export_model(request: ExportRequest) -> int:
    """Writes the models that were asked for and their characters.

    Raises:
      UserError: if Keras is missing, the run is one that its plain layers cannot express, or a
        file exists already; nothing is written then.
    """
    run = read_run(request.checkpoint)
    refuse_what_keras_cannot(run.config.model)
    if run.source_vocabulary.tokenizer.model or run.target_vocabulary.tokenizer.model:
        raise UserError("an exported model has no place for --tokens subword; export another run.")
    paths = _paths(request)
    keras = import_keras()
    shapes = param_shapes(run.config.model)
    step, params = restore_newest(
        request.checkpoint, request.step, lambda n: restore_params(request.checkpoint, n, shapes)
    )
    characters, weights = keras_view(run, params, request.checkpoint / KERAS)
    about = request.out.with_name(f"{request.out.stem}_characters.json")
    text = json.dumps(characters.to_json(), ensure_ascii=False, indent=1)
    if about.exists() and not request.overwrite and about.read_bytes() != f"{text}\n".encode():
        raise UserError(f"{about} is there already; replace it (--overwrite) or choose another.")
    models = build(keras, run.config, weights)
    for name, path in paths.items():
        with replacing(path) as temporary:
            getattr(models, name).save(temporary)
    write_lines(about, [text])
    for name, path in paths.items():
        print(f"{path}: the {name} model of step {step}")
    print(f"{about}: its {len(characters.input_characters)} source and "
          f"{len(characters.target_characters)} target characters")  # fmt: skip
    return 0


def refuse_what_keras_cannot(config: ModelConfig) -> None:
    """Refuses a model with layers that the export does not know.

    Raises:
      UserError: naming the feature.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name not in _EXPRESSIBLE and value != field.default:
            raise UserError(
                f"the export to Keras does not know `{field.name}` {value}; export a run that was "
                "trained without it."
            )


def keras_view(run: Run, params: Any, names: Path) -> tuple[Characters, dict[str, Any]]:
    """The characters and weights in Keras's order.

    An imported run has its characters in a file, and its weights come back bit for bit. In a run
    trained here `<bos>` becomes a tab and `<eos>` a newline, rows that nothing reads are left out,
    and what decoding never writes has probability 0.
    """
    if names.exists():
        characters = Characters.from_json(names)
        if characters.vocabularies() != (run.source_vocabulary, run.target_vocabulary):
            raise UserError(f"{names} does not fit the run's vocabularies; take a copy of the run.")
        return characters, from_params(params, characters, run)
    characters = own_characters(run)
    weights = from_params(params, characters, run)
    output = weights["decoder"]["output"]
    bias = output["bias"].copy()
    never = [characters.start] + [SPECIALS[3]] * (not run.config.model.writes_unk)
    for symbol in never:
        if symbol in characters.target_characters:
            bias[characters.target_characters.index(symbol)] = NEVER
    decoder = {**weights["decoder"], "output": {**output, "bias": bias}}
    return characters, {**weights, "decoder": decoder}


def own_characters(run: Run) -> Characters:
    """The characters of a run trained here, with the tutorial's start and end.

    A run that started from an imported one may have these among its symbols, and fillers.
    """
    length = run.config.source_length
    zeros = "zeros-before" if run.config.source_fill_before else "zeros"
    padding = ("space" if run.config.source_filler == " " else zeros) if length else "mask"
    # A masked Embedding skips the id 0.
    masked = SPECIALS[:1] if run.config.model.embedding_dim else ()
    source, target = run.source_vocabulary, run.target_vocabulary
    # Where no text is read as <unk>, nothing reads its row.
    unknown = [SPECIALS[3:] if v.tokenizer.reads_unseen else () for v in (source, target)]
    return Characters(
        (*masked, *unknown[0], *source.symbols[len(SPECIALS) :]),
        tuple(dict.fromkeys(("\t", "\n", *unknown[1], *target.symbols[len(SPECIALS) :]))),
        unseen_target=target.unknown * run.config.model.writes_unk,
        source_tokenizer=source.tokenizer,
        target_tokenizer=target.tokenizer,
        source_padding=padding,
        source_backwards=run.config.source_backwards,
        max_encoder_seq_length=length,
        max_decoder_seq_length=run.config.max_length - 1,
    )


def _paths(request: ExportRequest) -> dict[str, Path]:
    """Where each model goes, by its name in `Models`."""
    out = request.out
    if out.suffix not in (".keras", ".h5"):
        raise UserError(f"--out must end in .keras or .h5, not {out.name!r}.")
    if not out.absolute().parent.is_dir():
        raise UserError(f"no such folder: {out.parent}; make it, or choose another --out.")
    paths = {"training": out}
    if request.inference:
        for name in ("encoder", "decoder"):
            paths[name] = out.with_name(f"{out.stem}_{name}{out.suffix}")
    taken = [path for path in paths.values() if path.exists()]
    if taken and not request.overwrite:
        raise UserError(f"{taken[0]} is there already; replace it (--overwrite) or choose another.")
    return paths
