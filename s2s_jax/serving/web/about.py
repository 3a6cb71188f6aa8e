"""What the page shows of a run beside its answers: facts, card, curve, evaluation, examples."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
from markdown_it import MarkdownIt

from s2s_jax.data.vocabulary import SPECIALS
from s2s_jax.decoding.translator import Translator
from s2s_jax.pictures import CARD
from s2s_jax.pictures.diagram import attention_text
from s2s_jax.runs.folder import EVALUATION, METRICS, VALIDATION

_MOST_BYTES = 1 << 20  # Of a file; a stranger's may be of any size.
_EXAMPLES = 8
_MOST_POINTS = 500  # Of a curve.
_PLOTTED = ("epoch", "loss", "val_loss")
_FIGURES = ("sentences", "exact", "cer", "chrf", "bleu", "loss", "perplexity")


def about(translator: Translator) -> dict[str, Any]:
    """Everything, ready for JSON; a file that is missing or damaged is an empty part."""
    folder, files = translator.folder, (CARD, METRICS, EVALUATION, VALIDATION)
    read = {} if folder is None else {name: _read(folder / name) for name in files}
    vocabulary = translator.run.target_vocabulary
    return {
        "facts": _facts(translator),
        "attention": translator.run.config.model.attention != "none",
        "joiner": vocabulary.tokenizer.joiner,
        "end": SPECIALS[vocabulary.eos_id],
        "card": _card(read.get(CARD, "")),
        "curve": _curve(read.get(METRICS, "")),
        "evaluation": _evaluation(read.get(EVALUATION, "")),
        "examples": _examples(read.get(VALIDATION, "")),
    }


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _facts(translator: Translator) -> list[tuple[str, str]]:
    """Names and texts, for a table."""
    run, config = translator.run, translator.run.config
    sides = [
        f"{len(vocabulary) - len(SPECIALS):,} {vocabulary.tokenizer.unit}"
        for vocabulary in (run.source_vocabulary, run.target_vocabulary)
    ]
    parameters = sum(leaf.size for leaf in jax.tree.leaves(translator.params))
    units, looks = config.model.latent_dim, attention_text(config.model)
    return [
        ("Run", translator.origin or "in memory"),
        ("Reads", sides[0]),
        ("Writes", f"{sides[1]}; at most {config.max_length} an answer"),
        ("Model", f"{parameters:,} parameters, {units} units, attention {looks}"),
    ]


def _card(text: str) -> str:
    """The run's card as HTML, without its metadata, comments and any HTML of its own.

    Pictures are words.
    """
    if text.startswith("---\n"):
        _, _, text = text[4:].partition("\n---\n")
    text = re.sub(r"^<!--.*-->$", "", text, flags=re.MULTILINE)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", lambda self, tokens, i, *_: html.escape(tokens[i].content))
    return markdown.render(text)


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON objects of some lines; others are left out."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and abs(value) < 1e15 else None


def _curve(text: str) -> list[list[float | None]]:
    """Epoch, loss and validation loss (nats per unit), of at most 500 epochs."""
    epochs = _objects(text)
    shown = np.linspace(0, len(epochs) - 1, min(len(epochs), _MOST_POINTS)).astype(int)
    return [[_number(epochs[i].get(name)) for name in _PLOTTED] for i in shown]


def _evaluation(text: str) -> dict[str, float]:
    """The figures that people compare."""
    values = next(iter(_objects(" ".join(text.splitlines()))), {})
    figures = {name: _number(values.get(name)) for name in _FIGURES}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _examples(text: str) -> list[list[str]]:
    """Sources of the validation part, from all over it, each with a reference."""
    rows = dict(line.split("\t")[:2] for line in text.splitlines() if "\t" in line)
    pairs = list(rows.items())
    shown = np.linspace(0, len(pairs) - 1, min(len(pairs), _EXAMPLES)).astype(int)
    return [list(pairs[i]) for i in shown]
