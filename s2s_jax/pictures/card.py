"""A run's card: README.md in its folder, in the form of Hugging Face's model cards."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from s2s_jax import __version__
from s2s_jax.config import EMBEDDED, RunConfig, SearchConfig, files
from s2s_jax.decoding.config import search_text
from s2s_jax.pictures import CARD, CURVES
from s2s_jax.runs.folder import VALIDATION, Run, read_run
from s2s_jax.runs.history import best_epoch, read_evaluation, read_history
from s2s_jax.runtime.files import is_there, write_lines

_OURS = "<!-- Written by s2s_jax, and again when training goes on; without this line it stays. -->"
_EXAMPLES = 8
_METRICS = {"chrf": "chrF", "bleu": "BLEU", "cer": "character error rate"}


def is_ours(path: Path) -> bool:
    """Whether a card may be replaced: nobody has made it their own."""
    try:
        return _OURS in path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return True
    except OSError:
        return False


def write_card(folder: Path, facts: Mapping[str, str]) -> None:
    """Writes the card of a finished run, unless somebody has made it their own.

    `facts` are what the folder does not say, such as the device: a name and a text each.

    Raises:
      UserError: when the run cannot be read, or the card not be written.
    """
    path = folder / CARD
    if is_ours(path):
        write_lines(path, _lines(folder, read_run(folder), facts))


def _lines(folder: Path, run: Run, facts: Mapping[str, str]) -> Iterator[str]:
    config, name = run.config, folder.resolve().name
    evaluation = read_evaluation(folder)
    yield from _metadata(config, name, evaluation)
    yield from (f"# {_plain(name)}", "", _OURS, "")
    examples = example_rows(folder / VALIDATION)
    sides = run.source_vocabulary.tokenizer.unit, run.target_vocabulary.tokenizer.unit
    yield f"An LSTM sequence-to-sequence model, from {sides[0]} to {sides[1]}, trained with s2s_jax"
    yield from (f"{__version__}.", "", "```python", "from s2s_jax import Translator", "")
    asked = examples[0][0] if examples else "..."
    where = json.dumps(name, ensure_ascii=False)
    yield f'translator = Translator.load({where})  # or "hf://<user>/<name>"'
    yield f"translator({json.dumps(asked, ensure_ascii=False)})"
    yield from ("```", "", "## Data", "")
    yield from markdown_table(
        ("fact", "value"), [("data", ", ".join(_names(config))), *facts.items()]
    )
    yield from ("", "## Recipe", "", "What differs from the defaults:", "")
    yield from markdown_table(("setting", "value"), _settings(config))
    yield from ("", "The same again, in a clone of s2s_jax with the data at hand:", "", "```")
    again = ("--recipe", f"{name}/config.json", "--out", f"{name}-again")
    yield from (shlex.join(("python", "train.py", *again)), "```", "")
    yield from _figures(folder, config.decode, evaluation)
    if examples:
        yield from ("## Examples", "", "From the validation part, which was never trained on:", "")
        yield from (*markdown_table(("source", "reference", "answer"), examples), "")
    yield from ("## Limits", "", *_limits(run), "")
    yield from ("## Licence", "", _about_licence(config))


def _metadata(config: RunConfig, name: str, evaluation: Mapping[str, Any]) -> Iterator[str]:
    """The YAML that Hugging Face reads; JSON values are YAML."""
    metrics = [
        {"type": key, "name": title, "value": evaluation[key]}
        for key, title in _METRICS.items()
        if evaluation.get(key) is not None
    ]
    values: dict[str, Any] = {
        "library_name": "s2s_jax",
        "pipeline_tag": "translation",
        "tags": ["s2s_jax", "seq2seq", "lstm", "jax", "flax"],
    }
    if licence := _licence(config):
        known = re.fullmatch(r"[a-z0-9.-]+", licence)
        values |= {"license": licence} if known else {"license": "other", "license_name": licence}
    if metrics:
        task, data = {"type": "translation"}, {"name": ", ".join(_names(config)), "type": "text"}
        values["metrics"] = [metric["type"] for metric in metrics]
        results = [{"task": task, "dataset": data, "metrics": metrics}]
        values["model-index"] = [{"name": name, "results": results}]
    yield "---"
    yield from (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    yield from ("---", "")


def _names(config: RunConfig) -> list[str]:
    """The names of the data, without the folders of whoever trained on them."""
    if config.data.data == EMBEDDED:
        return ["the built-in corpus of s2s_jax"]
    named = files(config.data.data)
    return [name if "://" in name else PurePath(name).name for name in named]


def _settings(config: RunConfig) -> list[tuple[str, str]]:
    """The settings that are not the defaults, by their names."""
    found = []
    for section in config.sections:
        for name, (field, _) in section.options().items():
            value = getattr(section, name)
            if value != field.default and name not in ("data", "validation", "test", "licence"):
                found.append((name, f"{value}"))
    return found


def _figures(folder: Path, search: SearchConfig, evaluation: Mapping[str, Any]) -> Iterator[str]:
    history = read_history(folder)
    yield from ("## Figures", "")
    if history:
        seconds = sum(epoch.get("seconds") or 0 for epoch in history)
        yield f"Epoch {best_epoch(history)} of {len(history)} was the best and answers here;"
        yield from (f"training took {seconds:,.0f} s.", "")
    parts = {"validation": evaluation, "test": evaluation.get("test", {})}
    rows = [_figure_row(name, part) for name, part in parts.items() if part.get("sentences")]
    if rows:
        titles = ("part", "sources", "exactly right", *_METRICS.values())
        yield from (*markdown_table(titles, rows), "")
        yield f"Search: {search_text(search)}. The figures of the validation part:"
        yield from ("", "```")
        name = folder.resolve().name
        judging = ("--checkpoint", name, "--evaluate", f"{name}/{VALIDATION}")
        yield shlex.join(("python", "decode.py", *judging))
        yield from ("```", "")
        if "test" not in evaluation:
            yield "The validation part has also chosen the best epoch, which flatters it a little."
            yield ""
    if is_there(folder / CURVES):
        yield from (f"![Loss, errors and learning rate by epoch]({CURVES})", "")


def _figure_row(name: str, part: Mapping[str, Any]) -> tuple[str, ...]:
    def figure(key: str) -> str:
        value = part.get(key)
        return "" if value is None else f"{value:.1%}" if key == "cer" else f"{value:.1f}"

    right = f"{part['exact'] / part['sentences']:.1%}"
    return name, f"{part['sentences']:,}", right, *map(figure, _METRICS)


def example_rows(path: Path) -> list[tuple[str, ...]]:
    """Some rows of source, reference and answer, from all over the file; short ones."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = {}
    for line in lines:
        source, *others = line.split("\t")
        if len(line) <= 200 and len(others) == 2:
            rows.setdefault(source, (source, *others))  # One reference is enough here.
    shown = list(rows.values())
    return shown[:: max(1, len(shown) // _EXAMPLES)][:_EXAMPLES]


def _limits(run: Run) -> Iterator[str]:
    config = run.config
    unit = run.source_vocabulary.tokenizer.unit
    if config.longest_source:
        yield f"- Trained on sources of up to {config.longest_source:,} {unit}; longer ones suffer."
    if config.model.attention == "none":
        yield "- No attention: a whole sentence has to fit through one vector."
    unseen = "read as unknown" if run.source_vocabulary.tokenizer.reads_unseen else "left out"
    yield f"- Of a source, what training never saw is {unseen}, with a warning."
    yield "- It has learned what is wrong, dated or unfair in its data, too."


def _licence(config: RunConfig) -> str:
    """Of the data; empty if it was not given. That of the built-in corpus is the project's."""
    return config.data.licence or ("apache-2.0" if config.data.data == EMBEDDED else "")


def _about_licence(config: RunConfig) -> str:
    if licence := _licence(config):
        return f"The data it was trained on: {_plain(licence)}."
    return "The licence of the data was not given (`--licence`); find it out before you share this."


def markdown_table(titles: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table in Markdown, whose cells show their texts as they are."""
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    yield from (f"| {' | '.join(map(_plain, row))} |" for row in rows)


def _plain(text: str) -> str:
    """The text as Markdown shows it as it is, in a table as well."""
    return re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", text)
