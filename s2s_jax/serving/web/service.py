"""The runs that can be asked, and what a question is answered with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from s2s_jax.decoding.batches import power_of_two
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.fixed_shapes import Answered, answer_batch, batch_sizes, forget
from s2s_jax.decoding.sources import Source, read_sources
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.serving.output import problems_of
from s2s_jax.serving.web.batcher import Batcher
from s2s_jax.serving.web.questions import DEFAULTS, Question

MOST_UNITS = 256
"""Of a text."""

_SHORTEST = 16  # Sources are padded to 16, 32, 64, ... units.
_DECIMALS, _WEIGHT_DECIMALS = 4, 3


class Kind(NamedTuple):
    """What the texts of a batch have in common: the run, the search and the padded length."""

    run: int
    config: DecodeConfig
    length: int

    @property
    def shape(self) -> tuple[int, int, bool, int]:
        """What a program is compiled for: run, beam, whether it draws, and length."""
        return self.run, self.config.beam, self.config.sample, self.length


class Service:
    """Answers the questions of many people with some runs.

    Args:
      translators: of the runs, each on one device; the first is the default.
    """

    def __init__(self, translators: Sequence[Translator]) -> None:
        self.translators = translators
        self.names = _names(translators)
        self.batcher = Batcher(self._compute, self._compile, self._sizes, forget)

    def prepare(self) -> None:
        """Compiles what the page needs as it opens, for sources as long as those of training."""
        config = DecodeConfig(**DEFAULTS)
        for run, translator in enumerate(self.translators):
            longest = min(translator.run.config.longest_source, MOST_UNITS)
            self.batcher.prepare(Kind(run, config, _padded(longest)))

    async def answer(self, question: Question) -> list[dict[str, Any]]:
        """The answers to a question, ready for JSON.

        Raises:
          UserError: for a text that is too long.
          Busy: when too many are waiting.
        """
        run = self.translators[question.run].run
        sources = read_sources(run, question.texts, strict=False, first=1)
        for number, source in enumerate(sources, 1):
            if len(source.ids) > MOST_UNITS:
                unit = run.source_vocabulary.tokenizer.unit
                raise UserError(
                    f"text {number} has {len(source.ids):,} {unit}; at most {MOST_UNITS} are "
                    "answered here."
                )
        length = _padded(max(len(source.ids) for source in sources))
        kind = self._ready_kind(Kind(question.run, question.config, length))
        found = await self.batcher.ask(kind, sources)
        return [_values(each, question) for each in found]

    def _ready_kind(self, kind: Kind) -> Kind:
        """The kind, or while it is being compiled, one with room for longer sources."""
        self.batcher.prepare_aside(kind)
        longer = kind
        while longer.length <= MOST_UNITS:
            if self.batcher.is_ready(longer):
                return longer
            longer = longer._replace(length=2 * longer.length)
        return kind

    def _sizes(self, kind: Kind) -> list[int]:
        return batch_sizes(self.translators[kind.run], kind.length)

    def _compute(self, kind: Kind, sources: Sequence[Source], rows: int) -> list[Answered]:
        translator = self.translators[kind.run]
        return answer_batch(translator, sources, kind.config, rows, kind.length)

    def _compile(self, kind: Kind, rows: int) -> None:
        translator = self.translators[kind.run]
        nothing = read_sources(translator.run, [""], strict=False, first=1)
        self._compute(kind, nothing, rows)


def _names(translators: Sequence[Translator]) -> list[str]:
    """A name for each run: that of its folder, or its whole path where two have the same."""
    short = [translator.folder.resolve().name if translator.folder else "run"
             for translator in translators]  # fmt: skip
    count = Counter(short)
    return [
        name if count[name] == 1 else f"{translator.folder or name} ({number})"
        for number, (name, translator) in enumerate(zip(short, translators, strict=True), 1)
    ]


def _padded(length: int) -> int:
    return power_of_two(max(length, _SHORTEST))


def _values(answered: Answered, question: Question) -> dict[str, Any]:
    """What a client sees of an answer: mostly what decode.py --json prints."""
    translation, scores, alignment = answered
    best = translation.n_best[0]
    values = {
        "source": translation.source,
        "text": best.text,
        "complete": best.complete,
        "score": round(scores[0], _DECIMALS),
        "tokens": best.tokens,
        "log_probs": [round(x, _DECIMALS) for x in best.log_probs],
        "n_best": [
            {
                "text": hypothesis.text,
                "complete": hypothesis.complete,
                "score": round(score, _DECIMALS),
                "ranked": None
                if hypothesis.ranked is None
                else round(hypothesis.ranked, _DECIMALS),
            }
            for hypothesis, score in zip(translation.n_best, scores, strict=True)
        ][: question.n_best],
        "warnings": problems_of(translation, None, "decode.py --"),
    }
    if question.attention:
        values["attention"] = None if alignment is None else {
            "source": alignment.source,
            "weights": [[round(x, _WEIGHT_DECIMALS) for x in row]
                        for row in alignment.weights.tolist()],
        }  # fmt: skip
    return values
