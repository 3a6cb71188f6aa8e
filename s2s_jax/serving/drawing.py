"""decode.py --attention: pictures of the answers beside the answers themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from s2s_jax.decoding.translation import Translation
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError, spell_options
from s2s_jax.pictures.answers import ExplainedAnswer, explain
from s2s_jax.pictures.drawing import FORMATS, check_suffix, write_figure
from s2s_jax.pictures.heatmap import draw
from s2s_jax.pictures.page import page
from s2s_jax.runtime.files import write_lines

MOST_PICTURES = 100
"""Answers that are drawn at once."""

_PAGE = ".html"


def check_drawing(path: Path, other: Path | None) -> None:
    """Raises `UserError` unless answers can be drawn to a file of this name.

    `other` is the file of `--evaluate` or `--export`, which answer no texts.
    """
    if other is not None:
        raise UserError("`attention` draws answers; leave out `evaluate` and `export`, or it.")
    check_suffix("attention", path, (*FORMATS, _PAGE))
    if not path.absolute().parent.is_dir():
        raise UserError(f"`attention` {path} needs a folder that exists; make {path.parent} first.")


def keep(kept: list[Translation], found: Sequence[Translation]) -> None:
    """Adds answers to those that will be drawn, which are not many."""
    kept += found
    if len(kept) > MOST_PICTURES:
        raise UserError(f"`attention` draws the answers to {MOST_PICTURES} texts; give fewer.")


def draw_answers(translator: Translator, found: Sequence[Translation], path: Path) -> None:
    """Draws the best answer to each text, which was decoded with `scores`.

    An HTML page holds all of them; of other formats each answer has a file of its own, with the
    number of its line in the name where there are several.

    Raises:
      UserError: when no answer can be drawn, or a file cannot be written.
    """
    explained = dict(_explained(translator, found))
    if not explained:
        raise UserError("none of these texts can be drawn.")
    if translator.run.config.model.attention == "none":
        said = "this model has no attention; the picture shows how likely each unit was"
        print(said, file=sys.stderr)
    if path.suffix.lower() == _PAGE:
        write_lines(path, [page(explained.values(), f"Answers of {translator.origin}")])
        paths = [path]
    else:
        paths = []
        for number, answer in explained.items():
            name = path.name if len(found) == 1 else f"{path.stem}-{number}{path.suffix}"
            paths.append(path.with_name(name))
            write_figure(draw(answer), paths[-1])
    if sys.stderr.isatty():
        print(f"drawn: {', '.join(map(str, paths))}", file=sys.stderr)


def _explained(
    translator: Translator, found: Sequence[Translation]
) -> Iterator[tuple[int, ExplainedAnswer]]:
    """The answers that can be drawn, by the number of their line; says why others cannot."""
    for number, translation in enumerate(found, 1):
        try:
            yield number, explain(translator, translation)
        except UserError as error:
            if len(found) == 1:
                raise
            print(f"line {number}: not drawn: {spell_options(str(error))}", file=sys.stderr)
