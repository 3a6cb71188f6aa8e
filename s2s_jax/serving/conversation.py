"""A person at a terminal: sentences and settings in, answers out, with what is unsure in them."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import io
import math
import re
import sys
import textwrap
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.decoding.config import DecodeConfig, search_text
from s2s_jax.decoding.translation import Hypothesis
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError, spell_options
from s2s_jax.runtime.cache import cache_folder
from s2s_jax.serving.output import SURE, UNSURE, problems_of, score_columns

_SEARCHING = ("beam", "n_best")
_DRAWING = ("temperature", "top_k", "top_p", "seed")
_SETTINGS = (*_SEARCHING, "length_penalty", *_DRAWING, "max_length")
_LEAVING = (":q", ":quit", ":exit")
_HISTORY_LENGTH = 1000
_NAMED = 5  # Symbols named where there are no colours.


def converse(translator: Translator, config: DecodeConfig) -> None:
    """Answers a person, one sentence at a time, until an empty line, :q or Ctrl-D."""
    console = Console(highlight=False, soft_wrap=True)
    if isinstance(sys.stdin, io.TextIOWrapper):
        # ASCII says that nobody has set a locale, not that nobody types anything else.
        ascii_only = codecs.lookup(sys.stdin.encoding).name == "ascii"
        sys.stdin.reconfigure(encoding="utf-8" if ascii_only else None, errors="replace")
    searching = "" if config.beam == 1 else f" ({described(config)})"
    print(translator.origin + searching, end="; ")
    print(":help lists the settings; an empty line, :q or Ctrl-D leaves.")
    with _history():
        for text in _typed():
            try:
                if is_setting(text):
                    config = _set(console, text, config)
                else:
                    _answer(console, translator, text, config)
            except UserError as error:
                print(spell_options(str(error), ":"), file=sys.stderr)
            except KeyboardInterrupt:
                print("cancelled", file=sys.stderr)


def _typed() -> Iterator[str]:
    """What is typed, line by line; Ctrl-C cancels a line."""
    while True:
        try:
            text = input("> ").strip()
        except KeyboardInterrupt:
            print()
            continue
        except EOFError:
            print()
            return
        if not text or text in _LEAVING:
            return
        yield text


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Line editing and a history that lasts, where Python has readline."""
    try:
        import readline
    except ImportError:
        yield
        return
    path = cache_folder() / "history"
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    readline.set_history_length(_HISTORY_LENGTH)
    for setting in ("input-meta on", "output-meta on", "convert-meta off"):
        readline.parse_and_bind(f"set {setting}")  # Otherwise it drops letters in the C locale.
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

    Sampling turns the beam off and vice versa: the latest setting wins.

    Raises:
      UserError: for what is no setting, and for a value out of its range.
    """
    name, _, value = text[1:].partition(" ")
    if name == "greedy":
        return dataclasses.replace(config, **_defaults(*_DRAWING, *_SEARCHING), sample=False)
    field = _field(name)
    kind = type(getattr(DecodeConfig(), field))
    try:
        number = kind(value)
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise UserError(f"`{field}` needs {wanted}, as in `{field}` 1, not {value!r}.") from None
    if field in _DRAWING:
        off = _defaults(*_SEARCHING)
        return dataclasses.replace(config, **off, sample=True, **{field: number})
    if field in _SEARCHING:
        off = _defaults(*_DRAWING) | {"sample": False}
        if field == "beam":
            off["n_best"] = max(1, min(config.n_best, number))
        return dataclasses.replace(config, **off, **{field: number})
    return dataclasses.replace(config, **{field: number})


def _field(name: str) -> str:
    """The option that a setting is about; hyphens may be left out."""
    fields = {field.replace("_", ""): field for field in _SETTINGS}
    try:
        return fields[re.sub("[-_]", "", name)]
    except KeyError:
        raise UserError(f":{name} is no setting; :help lists them.") from None


def _defaults(*fields: str) -> dict[str, object]:
    return {field: getattr(DecodeConfig(), field) for field in fields}


def described(config: DecodeConfig) -> str:
    """The settings in a few words."""
    found = search_text(config)
    if config.sample:
        found = (
            f"drawing: temperature {config.temperature:g}, top-k {config.top_k}, "
            f"top-p {config.top_p:g}, seed {config.seed}"
        )
    elif config.beam > 1:
        found += f", n-best {config.n_best}"
    return f"{found}, max-length {config.max_length}" if config.max_length else found


def _set(console: Console, text: str, config: DecodeConfig) -> DecodeConfig:
    """The configuration after a line; without a value the line asks for the one in force."""
    if text.split()[0] == ":help":
        _help(console, config)
    elif " " in text or text == ":greedy":
        config = changed(config, text)
        print(described(config))
    else:
        field = _field(text[1:])
        print(spell_options(f"`{field}` {getattr(config, field):g}", ":"))
    return config


def settings_help(width: int) -> list[str]:
    """Lines of at most `width` columns about each setting."""
    lines = []
    for field in _SETTINGS:
        _, about = DecodeConfig.options()[field]
        setting = spell_options(f"`{field}` {about.metavar}", ":")
        text = f"  {setting:<18} {about.help}"
        lines += textwrap.wrap(text, max(width, 40), subsequent_indent=" " * 21)
    return lines


def _help(console: Console, config: DecodeConfig) -> None:
    print("\n".join(settings_help(console.width)))
    print("  :greedy            the likeliest symbol at every step")
    print("  :q                 leave")
    print("  now: " + described(config))
    if _shows_colours(console):
        print(f"  Symbols less likely than {SURE:.0%} are yellow, than {UNSURE:.0%} red.")
    if config.n_best > 1:
        print("  Before each answer stand what ranks it and its log-probability.")


def _shows_colours(console: Console) -> bool:
    return console.color_system is not None and not console.no_color


def _answer(console: Console, translator: Translator, text: str, config: DecodeConfig) -> None:
    """Prints the answers to one sentence."""
    (found,) = translator.translate([text], dataclasses.replace(config, scores=True))
    for hypothesis in found.n_best:
        line = coloured(hypothesis, translator.run.target_vocabulary.tokenizer.joiner)
        if config.n_best > 1:
            score, _, ranked = score_columns(hypothesis, ranked=True)
            line = Text(f"{ranked:>9} {score:>9}  ").append_text(line)
        console.print(line)
        if not _shows_colours(console) and (unsure := unsure_symbols(hypothesis)):
            print(f"  unsure: {unsure}")
    for problem in problems_of(found, None, ":"):
        print(problem, file=sys.stderr)


def _probabilities(hypothesis: Hypothesis) -> list[tuple[str, float]]:
    """The symbols of an answer, without its end, and how likely each was."""
    symbols = zip(hypothesis.tokens, hypothesis.log_probs, strict=True)
    end = SPECIALS[Vocabulary.eos_id]
    return [(symbol, math.exp(log_prob)) for symbol, log_prob in symbols if symbol != end]


def coloured(hypothesis: Hypothesis, joiner: str = "") -> Text:
    """The answer, with the symbols that the model was not sure of in yellow and red.

    `joiner` is what stands between symbols, see `Tokenizer`. Unless scored, the answer is plain.
    """
    if not hypothesis.log_probs:
        return Text(hypothesis.text)
    line = Text(joiner).join(
        Text(symbol, "" if prob >= SURE else "yellow" if prob >= UNSURE else "red")
        for symbol, prob in _probabilities(hypothesis)
    )
    return line[len(line.plain) - len(hypothesis.text) :]  # Less what Tokenizer.join left out.


def unsure_symbols(hypothesis: Hypothesis) -> str:
    """The symbols that the model was least sure of, in their order, with their probabilities."""
    unsure = [(symbol, prob) for symbol, prob in _probabilities(hypothesis) if prob < SURE]
    bound = sorted(prob for _, prob in unsure)[:_NAMED][-1:]
    named = [f"{symbol.strip()!r} {prob:.0%}" for symbol, prob in unsure if prob <= bound[0]]
    more = len(unsure) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")
