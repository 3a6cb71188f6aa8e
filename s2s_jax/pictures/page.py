"""The page of answers: what `heatmap` draws, as HTML that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.pictures.answers import ExplainedAnswer, is_right_to_left, is_turned, label

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1f2328; --line: #d0d7de;
  --looked: #0969da; --unsure: #e5484d; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --line: #3d444d;
  --looked: #58a6ff; --unsure: #f85149; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
section { margin-bottom: 3rem; overflow-x: auto; }
h2 { font-size: 1.1rem; margin-bottom: 0; }
.answer { font-size: 1.25rem; margin-top: 0; overflow-wrap: anywhere; }
.answer span, td { background: color-mix(in srgb, var(--c) calc(var(--w) * 70%), var(--paper)); }
.answer span, .p { --c: var(--unsure); }
table { border-collapse: collapse; font-size: .8rem; --c: var(--looked); }
th { font-weight: normal; padding: .1rem .3rem; white-space: nowrap; }
thead th { vertical-align: bottom; }
thead .long { writing-mode: vertical-rl; }
tbody th { text-align: end; position: sticky; inset-inline-start: 0; background: var(--paper); }
td { width: 1.2rem; min-width: 1.2rem; height: 1.2rem; border: 1px solid var(--line); padding: 0; }
.p { padding: 0 .3rem; text-align: end; }
p.note { font-size: .8rem; opacity: .75; }
"""
_NOTE = (
    "The redder a unit of an answer, the less likely it was; the figure is its probability in per "
    "cent. The bluer a cell, the more the unit of its row looked at the unit of its column."
)


def page(answers: Iterable[ExplainedAnswer], title: str) -> str:
    """A whole page, readable in light and dark, with a section for each answer."""
    sections = "\n".join(map(_section, answers))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n{sections}\n<p class="note">{_NOTE}</p>\n</body>\n</html>'
    )


def _section(answer: ExplainedAnswer) -> str:
    units = zip(answer.target, answer.probabilities, strict=True)
    coloured = answer.joiner.join(
        f'<span style="--w:{1 - p:.2f}" title="{100 * p:.1f} %">{_shown(unit)}</span>'
        for unit, p in units
        if unit != SPECIALS[Vocabulary.eos_id]  # Which stands in the table.
    )
    # Which scrolls from where the source begins.
    direction = "rtl" if answer.source and is_right_to_left(answer.text) else "ltr"
    return (
        f'<section dir="{direction}">\n<h2 dir="auto">{_shown(answer.text)}</h2>\n'
        f'<p class="answer" dir="auto">{coloured}</p>\n{_table(answer)}\n</section>'
    )


def _table(answer: ExplainedAnswer) -> str:
    """A row for each unit of the answer: what it looked at, and how likely it was."""
    weights = answer.weights
    head = "".join(map(_head, map(label, answer.source)))
    rows = [f'<thead><tr><th></th>{head}<th scope="col">%</th></tr></thead>']
    for row, (unit, p) in enumerate(zip(answer.target, answer.probabilities, strict=True)):
        looked = () if weights is None else weights[row]
        cells = "".join(f'<td style="--w:{w:.2f}" title="{w:.2f}"></td>' for w in looked)
        rows.append(
            f'<tr><th scope="row"><bdi>{_shown(label(unit))}</bdi></th>{cells}'
            f'<td class="p" style="--w:{1 - p:.2f}">{100 * p:.0f}</td></tr>'
        )
    return "<table>" + "\n".join(rows) + "</table>"


def _head(name: str) -> str:
    turned = ' class="long"' if is_turned(name) else ""
    return f'<th scope="col"><bdi{turned}>{_shown(name)}</bdi></th>'


def _shown(text: str) -> str:
    """The text as HTML in UTF-8, which has no lone surrogates."""
    return escape(text.encode(errors="backslashreplace").decode())
