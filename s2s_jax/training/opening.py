"""The opening lines of a run: its data, its model, and where it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from s2s_jax.command_line import counted
from s2s_jax.config import ModelConfig, TrainConfig, files
from s2s_jax.data.batching import Batches, Bucket, Examples
from s2s_jax.data.corpus import Corpus
from s2s_jax.data.preparation import Prepared
from s2s_jax.data.vocabulary import SPECIALS
from s2s_jax.model.summary import summary
from s2s_jax.runs.folder import holds_run, read_run
from s2s_jax.runtime.files import shown
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.planning import Job, choose_folder, configure, training_batches, wanted_start
from s2s_jax.training.report import TrainingReport
from s2s_jax.training.request import Request

_PAIR_WIDTH = 60  # Columns beside the names, in a terminal of 79.
_FEW_UPDATES = 500


def opening_rows(
    job: Job, training: Batches, progress: TrainingProgress, params: Any
) -> list[tuple[str, str]]:
    """The opening lines of a run, a name and a text each.

    `progress` is what was reached, if the run is resumed.
    """
    config, prepared = job.run.config, job.prepared
    pairs = (len(prepared.training), len(prepared.validation))
    rows = corpus_rows(" ".join(files(config.data.data)), prepared.corpus, *pairs)
    rows += symbol_rows(prepared, training.examples)
    rows += pair_rows(prepared)
    rows.append(("Shapes", buckets_text(training.buckets)))
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    rows.append(("Parameters", f"{count:,} ({config.model.latent_dim} units)"))
    rows.append(("Device", device_text(job.mesh)))
    rows.append(("Run folder", str(job.folder)))
    if progress.step:
        reached = f"{progress.epoch} epochs"
        reached += f" and {progress.batch} batches" if progress.batch else ""
        rows.append(("Resumed", f"after {reached}, up to epoch {config.train.epochs}"))
    rows += update_rows(config.train, len(training))
    return rows + part_rows(prepared)


def summarize(request: Request, report: TrainingReport) -> ModelConfig:
    """Prints the model that a request would train, and returns its sizes; writes nothing."""
    folder = choose_folder(request)
    saved = read_run(folder) if request.resume and holds_run(folder) else None
    start = wanted_start(request, saved)
    config, prepared, _ = configure(request, saved, report.is_watched, start)
    training = training_batches(config, prepared)
    report.say(summary(config.model, config.train.batch_size, training.buckets[-1]))
    return config.model


def symbol_rows(prepared: Prepared, training: Examples) -> list[tuple[str, str]]:
    """The opening lines about the symbols that texts are divided into."""
    sides = (prepared.source_vocabulary, prepared.target_vocabulary)
    source, target = (vocabulary.tokenizer.unit for vocabulary in sides)
    unique = [len(vocabulary) - len(SPECIALS) for vocabulary in sides]
    longest = training.lengths.max(axis=0) - (0, 1)
    if source == target:
        rows = [
            (f"Unique {target}", f"source {unique[0]:,}, target {unique[1]:,}"),
            ("Longest", f"source {longest[0]}, target {longest[1]} {target}"),
        ]
    else:
        rows = [
            ("Unique", f"source {unique[0]:,} {source}, target {unique[1]:,} {target}"),
            ("Longest", f"source {longest[0]} {source}, target {longest[1]} {target}"),
        ]
    unknown = [
        vocabulary.unknown_share(pair[side] for pair in prepared.validation)
        for side, vocabulary in enumerate(sides)
    ]
    if any(unknown):
        shares = f"source {unknown[0]:.2%}, target {unknown[1]:.2%} of the validation part"
        rows.append(("<unk>", f"{shares}; counted as wrong"))
    return rows


def corpus_rows(data: str, corpus: Corpus, training: int, validation: int) -> list[tuple[str, str]]:
    """The opening lines about the pairs and what was skipped."""
    total = f"{training + validation:,} pairs: {training:,} for training, {validation:,} for "
    rows = [("Data", data), ("Samples", total + "validation")]
    if corpus.form:
        rows.append(("Layout", corpus.form))
    if corpus.unread:
        least = "at least " if corpus.unread_more else ""
        rows.append(("Unread", f"{least}{corpus.unread:,} more lines; --num-samples 0 reads all"))
    return rows + [("Skipped", text) for text in corpus.skipped_texts()]


def part_rows(prepared: Prepared) -> list[tuple[str, str]]:
    """The opening lines about the parts that were given: what was skipped, and what leaks."""
    rows = []
    for name, part in prepared.parts.items():
        rows += [("Skipped", f"of the {name} part: {text}") for text in part.skipped_texts()]
        if leaks := prepared.leaks[name]:
            share = f"{leaks:,} of {len(part.pairs):,} pairs of the {name} part"
            rows.append(("Leaks", f"{share} have a source that is trained on"))
    return rows


def pair_rows(prepared: Prepared) -> list[tuple[str, str]]:
    """The opening lines with the first pair as it is learned, a dot between its symbols."""
    sides = (prepared.source_vocabulary, prepared.target_vocabulary)
    texts = []
    for vocabulary, text in zip(sides, prepared.training[0], strict=True):
        symbols = (vocabulary.symbols[i] for i in vocabulary.encode(text))
        texts.append(shown("·".join(symbols), _PAIR_WIDTH))
    return [("First pair", texts[0]), ("", f"-> {texts[1]}")]


def update_rows(config: TrainConfig, batches: int) -> list[tuple[str, str]]:
    """The opening line about updates that are too few to learn much from; `batches` an epoch."""
    updates = config.epochs * batches
    if not 0 < updates < _FEW_UPDATES:
        return []
    epochs, count = counted(config.epochs, "epoch"), counted(updates, "update")
    more = "more with a higher --epochs or a lower --batch-size"
    return [("Few updates", f"{epochs} of this data are {count}; {more}")]


def device_text(mesh: Mesh | None) -> str:
    """The devices that a run is trained on."""
    devices = jax.local_devices()[:1] if mesh is None else mesh.devices.flatten()
    kind, platform = devices[0].device_kind, devices[0].platform
    name = platform if kind == platform else f"{platform} ({kind})"
    of = f" of {jax.process_count()} processes" if jax.process_count() > 1 else ""
    return f"{len(devices)} x {name}{of}, jax {jax.__version__}"


def buckets_text(buckets: Sequence[Bucket]) -> str:
    """The shapes that a training step is compiled for."""
    shapes = ", ".join(f"{b.source}+{b.target}" for b in buckets)
    return f"{len(buckets)} (source + target positions: {shapes})"
