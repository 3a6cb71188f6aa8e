"""decode.py --evaluate: a file of references in, figures out."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from s2s_jax.config import EVERYTHING, Reading
from s2s_jax.data.corpus import read_pairs
from s2s_jax.data.reading.layout import AS_WRITTEN
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.evaluation.evaluation import decoded_lines, evaluate, evaluation_lines
from s2s_jax.runs.folder import holds_run
from s2s_jax.runtime.files import write_lines
from s2s_jax.runtime.progress_bar import progress_bar


def judge(
    translator: Translator,
    path: Path,
    reading: Reading,
    config: DecodeConfig,
    output: Path | None,
    as_json: bool,
) -> None:
    """Prints the figures of a run on the pairs of a file, as lines or as one JSON object.

    Every target of a source is a reference. Sources, references and answers go to `output`.

    Raises:
      UserError: if the file cannot be read or has no pair.
    """
    as_usual = dataclasses.replace(EVERYTHING, swap=reading.swap)
    if reading == as_usual and holds_run(path.parent):
        reading = dataclasses.replace(reading, **AS_WRITTEN)
    corpus = read_pairs(path, reading)
    for text in corpus.skipped_texts():
        print(f"skipped: {text}", file=sys.stderr)
    with progress_bar() as bar:
        evaluation = evaluate(translator, corpus.pairs, config, bar)
    if output is not None:
        write_lines(output, decoded_lines(evaluation.answers))
    if as_json:
        print(json.dumps(evaluation.to_dict(), ensure_ascii=False))
    else:
        print("\n".join(evaluation_lines(evaluation)))
