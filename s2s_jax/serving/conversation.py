"""A person at a terminal: sentences and settings in, answers coloured by confidence out."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Hypothesis, Translator
from s2s_jax.errors import UserError, spell_options
from s2s_jax.runtime.cache import cache_folder
from s2s_jax.serving.output import problems_of, score_columns

# What is typed -> the field of DecodeConfig, its type, and what it does.
_SETTINGS = {
    "beam": ("beam", int, "hypotheses kept; 1 is greedy"),
    "nbest": ("n_best", int, "answers shown; at most the beam"),
    "penalty": ("length_penalty", float, "of the beam; 0 is none"),
    "temperature": ("temperature", float, "draw the answer; below 1 is tamer"),
    "topk": ("top_k", int, "draw among the likeliest so many; 0 is all"),
    "topp": ("top_p", float, "draw among the likeliest of this probability; 1 is all"),
    "seed": ("seed", int, "of drawing"),
    "maxlength": ("max_length", int, "tokens an answer; 0 is the longest of training"),
}
_SAMPLING = {"temperature", "top_k", "top_p", "seed"}
_HISTORY_LENGTH = 1000
_SURE, _UNSURE = 0.9, 0.5  # Probabilities from which on a symbol is not coloured, or yellow.


def converse(translator: Translator, folder: Path, config: DecodeConfig) -> int:
    """Answers a person, one sentence at a time, until an empty line or Ctrl-D."""
    console = Console(highlight=False, soft_wrap=True)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    print(f"Sentences for {folder}; :help lists the settings; an empty line or Ctrl-D ends.")
    with _history():
        for text in _typed():
            try:
                if is_setting(text):
                    config = _set(console, text, config)
                else:
                    _answer(console, translator, text, config)
            except UserError as error:
                print(spell_options(str(error), ":"), file=sys.stderr)
    return 0


def _typed() -> Iterator[str]:
    """What is typed, line by line."""
    while True:
        try:
            text = input("> ").strip()
        except EOFError:
            print()
            return
        if not text:
            return
        yield text


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Editing of the line, and a history that lasts, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    path = cache_folder() / "history"
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(_HISTORY_LENGTH)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            readline.write_history_file(path)


def is_setting(text: str) -> bool:
    """Whether a line is a setting; ":)" is a sentence."""
    return text[:1] == ":" and text[1:2].isalpha()


def changed(config: DecodeConfig, text: str) -> DecodeConfig:
    """The configuration after a line such as ":beam 5".

    What draws turns the beam off, and the other way round: a person means the last thing said.

    Raises:
      UserError: for what is no setting, and for a value out of its range.
    """
    name, _, value = text[1:].partition(" ")
    if name == "greedy":
        return dataclasses.replace(config, **_off(*_SAMPLING, "beam", "n_best"), sample=False)
    if name not in _SETTINGS:
        raise UserError(f":{name} is no setting; :help lists them.")
    field, kind, _ = _SETTINGS[name]
    try:
        number = kind(value)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UserError(f":{name} needs {wanted}, as in :{name} 1, not {value!r}.") from None
    if field in _SAMPLING:
        return dataclasses.replace(config, **_off("beam", "n_best"), sample=True, **{field: number})
    if field in ("beam", "n_best"):
        off = _off(*_SAMPLING) | {"sample": False}
        if field == "beam":
            off["n_best"] = max(1, min(config.n_best, number))
        return dataclasses.replace(config, **off, **{field: number})
    return dataclasses.replace(config, **{field: number})


def _off(*fields: str) -> dict[str, object]:
    """The defaults of these fields."""
    return {field: getattr(DecodeConfig(), field) for field in fields}


def described(config: DecodeConfig) -> str:
    """The settings in a few words."""
    if config.sample:
        return (
            f"drawing: temperature {config.temperature:g}, top-k {config.top_k}, "
            f"top-p {config.top_p:g}, seed {config.seed}"
        )
    if config.beam == 1:
        return "greedy"
    return f"beam {config.beam}, n-best {config.n_best}, length penalty {config.length_penalty:g}"


def _set(console: Console, text: str, config: DecodeConfig) -> DecodeConfig:
    if text == ":help":
        for name, (_, kind, what) in _SETTINGS.items():
            print(f"  {':' + name + (' N' if kind is int else ' X'):<15} {what}")
        print("  :greedy         the likeliest symbol at every step")
        print("  now: " + described(config))
        if console.color_system is not None:
            print(f"  Symbols less likely than {_SURE:.0%} are yellow, than {_UNSURE:.0%} red.")
        return config
    config = changed(config, text)
    print(described(config))
    return config


def _answer(console: Console, translator: Translator, text: str, config: DecodeConfig) -> None:
    """Prints the answers to one sentence."""
    scores = config.n_best > 1 or console.color_system is not None
    (found,) = translator.translate([text], dataclasses.replace(config, scores=scores))
    for hypothesis in found.n_best:
        line = coloured(hypothesis)
        if config.n_best > 1:
            line = Text(f"{score_columns(hypothesis)[0]:>9}  ").append_text(line)
        console.print(line)
    for warning in problems_of(found, None):
        print(warning, file=sys.stderr)


def coloured(hypothesis: Hypothesis) -> Text:
    """The answer, with the symbols that the model was not sure of in yellow and red."""
    if not hypothesis.log_probs:
        return Text(hypothesis.text)
    line = Text()
    for token, log_prob in zip(hypothesis.tokens, hypothesis.log_probs, strict=True):
        if token != SPECIALS[Vocabulary.eos_id]:
            prob = math.exp(log_prob)
            line.append(token, "" if prob >= _SURE else "yellow" if prob >= _UNSURE else "red")
    start = len(line.plain) - len(line.plain.lstrip())  # As Vocabulary.decode does.
    return line[start:] if len(line.plain) != len(hypothesis.text) else line
