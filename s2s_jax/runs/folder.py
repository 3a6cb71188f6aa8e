"""The run folder: everything that decoding and resuming need, in one place that can be moved.

    config.json                 RunConfig
    source_vocabulary.json      Vocabulary
    target_vocabulary.json      Vocabulary
    *_vocabulary.model          what a tokenizer learned, as its library writes it
    keras.json                  Keras's names, in a run imported from there
    metrics.jsonl               one object an epoch
    training_sources.bin        hashes of the sources trained on, see `fingerprint`
    evaluation.json             figures, written when a run has finished
    validation.tsv, test.tsv    source, reference and answer of every pair of these parts
    curves.png, README.md       the learning curves and the card, see `pictures/presentation`
    steps/<optimizer step>/     orbax: parameters, optimizer state, progress; best and latest

`config.json` also holds a SHA-256 of itself and of each vocabulary, which holds that of what its
tokenizer learned. The steps are the business of `steps` and `checkpointing`.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from s2s_jax.config import RunConfig
from s2s_jax.data.vocabulary import SourceEncoder, Vocabulary
from s2s_jax.errors import UserError
from s2s_jax.runs.integrity import hash_of_json
from s2s_jax.runtime.files import is_there, names_in, read_if_there, replacing, write_lines

ROOT = Path("checkpoints")
"""Where runs land, seen from the folder that the user is in."""

CONFIG, METRICS, EVALUATION, STEPS = "config.json", "metrics.jsonl", "evaluation.json", "steps"
SOURCE_VOCABULARY, TARGET_VOCABULARY = "source_vocabulary.json", "target_vocabulary.json"
TRAINING_SOURCES = "training_sources.bin"
VALIDATION, TEST = "validation.tsv", "test.tsv"

_REMOVED = ".removed"
STEP_NAME = re.compile(r"[0-9]+(\.orbax-checkpoint-tmp|\.removed)*")
"""A step that is whole, that orbax is writing, or that is being deleted."""
_WHOLE_STEP = re.compile("0|[1-9][0-9]*")
KERAS = "keras.json"
_MODEL = ".model"


class Run(NamedTuple):
    """What a run folder says apart from the steps."""

    config: RunConfig
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary

    @property
    def source_encoder(self) -> SourceEncoder:
        """What turns sources into ids.

        Raises:
          UserError: when the filler is not a symbol of the vocabulary.
        """
        return SourceEncoder(self.source_vocabulary, *self.config.source_reading.values())

    @property
    def encoders(self) -> tuple[SourceEncoder, Vocabulary]:
        """What turns sources, and what turns targets into ids."""
        return self.source_encoder, self.target_vocabulary


def write_json(path: Path, values: Any) -> None:
    """Writes plain values, or replaces them."""
    write_lines(path, [json.dumps(values, ensure_ascii=False, indent=1)])


def _read_json(path: Path) -> Any:
    content = read_if_there(path)
    if content is None:
        raise UserError(f"{path.parent} is not a whole run folder: {path.name} is missing.")
    return parsed(path, content)


def parsed(path: Path, content: bytes, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """The values in the content of a file.

    Raises:
      UserError: when it is damaged.
    """
    try:
        return parse(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged ({error}); take a copy of the run.") from None


def holds_run(folder: Path) -> bool:
    """Whether a run was begun in this folder."""
    return is_there(folder / CONFIG) or is_there(folder / STEPS)


def all_steps(folder: Path) -> list[int]:
    """The numbers of the steps saved in this folder, ascending."""
    return sorted(int(name) for name in names_in(folder / STEPS) if _WHOLE_STEP.fullmatch(name))


def make_folder(folder: Path) -> None:
    """Makes a run folder, if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder} cannot be made: {error.strerror}; choose another `out`."
        ) from None


def create_run(folder: Path, run: Run) -> None:
    """Begins a run folder, replacing a run that is in it; other files stay.

    The old run is removed when the new folder is complete, and comes back if it cannot be made.
    """
    make_folder(folder)
    # The config goes first and comes last: if interrupted, no files of two runs pass for one.
    names = [CONFIG, METRICS, EVALUATION, TRAINING_SOURCES, VALIDATION, TEST, KERAS]
    for name in (SOURCE_VOCABULARY, TARGET_VOCABULARY):
        names += [name, str(Path(name).with_suffix(_MODEL))]
    steps = [f"{STEPS}/{step}" for step in names_in(folder / STEPS) if STEP_NAME.fullmatch(step)]
    with contextlib.ExitStack() as undo:
        for path in (folder / name for name in [*names, *steps]):
            if path.is_symlink() or is_there(path):
                removed = path.replace(path.with_name(f"{path.name}{_REMOVED}"))
                undo.callback(removed.replace, path)
        _write_vocabulary(folder / SOURCE_VOCABULARY, run.source_vocabulary)
        _write_vocabulary(folder / TARGET_VOCABULARY, run.target_vocabulary)
        write_config(folder, run)
        undo.pop_all()
    clean_steps(folder)
    with contextlib.suppress(OSError):
        for name in names:
            (folder / f"{name}{_REMOVED}").unlink(missing_ok=True)
        if not (folder / STEPS).is_symlink():
            (folder / STEPS).rmdir()


def _write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    write_json(path, vocabulary.to_dict())
    if model := vocabulary.tokenizer.model:
        with replacing(path.with_suffix(_MODEL)) as temporary:
            temporary.write_bytes(model)


def clean_steps(folder: Path) -> None:
    """Removes what an interrupted save or deletion has left; other files stay."""
    for step in map((folder / STEPS).joinpath, names_in(folder / STEPS)):
        if STEP_NAME.fullmatch(step.name) and not step.name.isdecimal():
            shutil.rmtree(step, ignore_errors=True) if step.is_dir() else step.unlink()


def write_config(folder: Path, run: Run) -> None:
    """Writes (or replaces) a run's `config.json`, with the hashes that `read_run` checks."""
    values = run.config.to_dict()
    hashes = {
        CONFIG: hash_of_json(values),
        SOURCE_VOCABULARY: hash_of_json(run.source_vocabulary.to_dict()),
        TARGET_VOCABULARY: hash_of_json(run.target_vocabulary.to_dict()),
    }
    write_json(folder / CONFIG, values | {"sha256": hashes})


def write_metrics(folder: Path, history: Iterable[Mapping[str, Any]]) -> None:
    """Writes `metrics.jsonl`, one object an epoch."""
    write_lines(folder / METRICS, (json.dumps(dict(epoch)) for epoch in history))


def write_evaluation(folder: Path, values: Mapping[str, Any]) -> None:
    """Writes `evaluation.json`, which also says that the run has finished."""
    write_json(folder / EVALUATION, dict(values))


def read_run(folder: Path) -> Run:
    """Reads what a run folder says apart from the steps.

    Raises:
      UserError: when it is no run folder, incomplete, damaged, or of another format.
    """
    if not folder.is_dir():
        raise UserError(f"no such run folder: {folder}; check its path.")
    if not is_there(folder / CONFIG):
        raise UserError(f"{folder} is not a run folder: it has no {CONFIG}.")
    values = _read_json(folder / CONFIG)
    hashes = values.pop("sha256", None) if isinstance(values, dict) else None
    try:
        config = RunConfig.from_dict(values)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    _check_hash(folder / CONFIG, values, hashes)
    vocabularies = []
    for name, size in (
        (SOURCE_VOCABULARY, config.model.source_vocab_size),
        (TARGET_VOCABULARY, config.model.target_vocab_size),
    ):
        values = _read_json(folder / name)
        # Most tokenizers learn nothing and have no file.
        learned = read_if_there((folder / name).with_suffix(_MODEL)) or b""
        try:
            vocabulary = Vocabulary.from_dict(values, learned)
        except UserError as error:
            raise UserError(f"{folder / name}: {error}") from None
        if len(vocabulary) != size:
            raise UserError(
                f"{folder / name} has {len(vocabulary)} symbols but the model expects {size}; "
                "decode with the vocabulary saved beside the model."
            )
        _check_hash(folder / name, values, hashes)
        vocabularies.append(vocabulary)
    run = Run(config, *vocabularies)
    try:
        _ = run.source_encoder
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error} Take a copy of the run.") from None
    return run


def _check_hash(path: Path, values: Any, hashes: Any) -> None:
    """Raises unless a file says what it did when it was written; early runs have no hashes."""
    if hashes is None:
        return
    if not isinstance(hashes, dict) or hashes.get(path.name) != hash_of_json(values):
        raise UserError(
            f"{path} is not as train.py wrote it: it is damaged, was edited, or is of another run; "
            "take a copy of the run."
        )


def newest_run(root: Path) -> Path:
    """The run folder under `root` whose steps were written last.

    Raises:
      UserError: when there is none.
    """
    # A run that was just begun has no step to decode with yet.
    folders = (root / name for name in names_in(root))
    runs = [folder for folder in folders if is_there(folder / CONFIG) and all_steps(folder)]
    if not runs:
        raise UserError(
            f"no run in {root.absolute()}; train one with train.py or name one with `checkpoint`."
        )
    return max(runs, key=lambda run: (run / STEPS).stat().st_mtime)
