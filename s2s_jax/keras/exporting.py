"""A run folder -> models that Keras opens, on any of its backends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def export_model(checkpoint: Path, out: Path, inference: bool, step: str, overwrite: bool) -> int:
    """Writes the models that were asked for and their characters; the arguments are the flags.

    Raises:
      UserError: if Keras is missing, the run has subwords, or a file exists already; nothing is
        written then.
    """
    run = read_run(checkpoint)
    if run.source_vocabulary.tokenizer.model or run.target_vocabulary.tokenizer.model:
        raise UserError("an exported model has no place for --tokens subword; export another run.")
    paths = _paths(out, inference, overwrite)
    keras = import_keras()
    shapes = param_shapes(run.config.model)
    number, params = restore_newest(
        checkpoint, step, lambda n: restore_params(checkpoint, n, shapes)
    )
    characters, weights = keras_view(run, params, checkpoint / KERAS)
    about = out.with_name(f"{out.stem}_characters.json")
    text = json.dumps(characters.to_json(), ensure_ascii=False, indent=1)
    if about.exists() and not overwrite and about.read_bytes() != f"{text}\n".encode():
        raise UserError(f"{about} is there already; replace it (--overwrite) or choose another.")
    models = build(keras, run.config, weights)
    for name, path in paths.items():
        with replacing(path) as temporary:
            models[name].save(temporary)
    write_lines(about, [text])
    for name, path in paths.items():
        print(f"{path}: the {name} model of step {number}")
    print(f"{about}: its {len(characters.input_characters)} source and "
          f"{len(characters.target_characters)} target characters")  # fmt: skip
    return 0


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


def _paths(out: Path, inference: bool, overwrite: bool) -> dict[str, Path]:
    """Where each model goes, by the name that `build` gives it."""
    if out.suffix not in (".keras", ".h5"):
        raise UserError(f"--out must end in .keras or .h5, not {out.name!r}.")
    if not out.absolute().parent.is_dir():
        raise UserError(f"no such folder: {out.parent}; make it, or choose another --out.")
    paths = {"training": out}
    if inference:
        for name in ("encoder", "decoder"):
            paths[name] = out.with_name(f"{out.stem}_{name}{out.suffix}")
    taken = [path for path in paths.values() if path.exists()]
    if taken and not overwrite:
        raise UserError(f"{taken[0]} is there already; replace it (--overwrite) or choose another.")
    return paths
