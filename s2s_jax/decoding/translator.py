"""Text in, text out, from a run folder alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from s2s_jax.data.corpus import normalize
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.batches import HypothesisIds, decode_rows, score_rows
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq, param_shapes
from s2s_jax.runs.checkpointing import restore_params
from s2s_jax.runs.folder import Run, read_run
from s2s_jax.runs.steps import open_steps, restore_newest
from s2s_jax.runtime.parallel import replicate

_GREEDY = DecodeConfig()


class Hypothesis(NamedTuple):
    """One possible answer to a text.

    Attributes:
      text: the answer.
      complete: false when it was cut off at the length limit.
      tokens: its symbols, `<eos>` included; only with `scores`.
      log_probs: their log-probabilities in nats, each given all before; only with `scores`.
      ranked: what beam search ranks by: log-probability over length penalty; else None.
    """

    text: str
    complete: bool = True
    tokens: tuple[str, ...] = ()
    log_probs: tuple[float, ...] = ()
    ranked: float | None = None

    @property
    def score(self) -> float | None:
        """Log-probability of the whole answer in nats; None where nothing was scored."""
        return sum(self.log_probs) if self.log_probs else None


class Translation(NamedTuple):
    """A text and the answers to it.

    Attributes:
      source: the text as it was read: in Unicode NFC, without outer white space.
      unseen: its symbols that training never saw, each once.
      n_best: the answers, best first; never empty.
    """

    source: str
    unseen: tuple[str, ...]
    n_best: tuple[Hypothesis, ...]

    @property
    def text(self) -> str:
        """The best answer; empty when no symbol of the source is known."""
        return self.n_best[0].text

    @property
    def complete(self) -> bool:
        """False when the best answer was cut off at the length limit."""
        return self.n_best[0].complete


class Translator:
    """Decodes new texts with the very parameters that were trained.

    translator = Translator.load("checkpoints/fra")
    translator(["Go.", "I won!"])
    """

    def __init__(self, run: Run, params: Any, mesh: Mesh | None = None) -> None:
        self.run = run
        self.params = jax.device_put(params) if mesh is None else replicate(params, mesh)
        self.mesh = mesh
        self.model = Seq2Seq(run.config.model)

    @classmethod
    def load(
        cls, folder: str | Path, step: str | int = "best", mesh: Mesh | None = None
    ) -> Translator:
        """Reads a run folder.

        Args:
          folder: a run folder, as train.py leaves it.
          step: "best" (by validation loss), "latest", or a step's number.
          mesh: this process's devices, which share each batch; None for one device.

        Of "best" and "latest", one that is damaged is replaced by the newest whole one, with a
        `RunWarning`.

        Raises:
          UserError: when the folder holds no run, or a damaged one.
        """
        folder = Path(folder)
        run = read_run(folder)
        with open_steps(folder) as manager:
            shapes = param_shapes(run.config.model)
            _, params = restore_newest(manager, step, lambda n: restore_params(manager, n, shapes))
        return cls(run, params, mesh)

    def __call__(self, texts: Sequence[str], **options: Any) -> list[str]:
        """The best answers to `texts`, in their order; the options are those of `DecodeConfig`."""
        return [found.text for found in self.translate(texts, DecodeConfig(**options))]

    def translate(
        self, texts: Sequence[str], config: DecodeConfig = _GREEDY, *, first: int = 1
    ) -> list[Translation]:
        """Answers to `texts`, in their order.

        Args:
          texts: the sentences.
          config: how to decode.
          first: the number of the first text, for messages.

        Raises:
          UserError: with `strict`, for a symbol that training never saw; for a `str` in place
            of a sequence of them.
        """
        sources, unseen, rows = self._read(texts, config.strict, first)
        limit = config.max_length or self.run.config.max_length
        decoded = decode_rows(self.model, self.params, rows, config, limit, mesh=self.mesh)
        n_best = self._hypotheses(rows, decoded, config)
        return list(map(Translation, sources, unseen, n_best))

    def warm_up(self, texts: Sequence[str], config: DecodeConfig = _GREEDY) -> None:
        """Compiles what `translate` needs for `texts`, by writing a single token for each."""
        _, _, rows = self._read(texts, strict=False, first=1)
        capacity = config.max_length or self.run.config.max_length
        decode_rows(self.model, self.params, rows, config, 1, capacity, self.mesh)

    def score(
        self, pairs: Sequence[tuple[str, str]], *, batch_size: int = 512, strict: bool = False,
        first: int = 1,
    ) -> list[Translation]:  # fmt: skip
        """The log-probabilities of given targets, each token given the source and what is before.

        Args:
          pairs: sources and targets.
          batch_size: at most so many at a time.
          strict: refuse unseen symbols; else those of a source are left out or `<unk>`, as in
            `translate`, and those of a target count as `<unk>`.
          first: the number of the first pair, for messages.

        Returns:
          For each pair a translation whose only hypothesis is the target.
        """
        sources, unseen, rows = self._read([source for source, _ in pairs], strict, first)
        targets = [normalize(target) for _, target in pairs]
        vocabulary = self.run.target_vocabulary
        unseen_in_targets = [tuple(vocabulary.unseen(target)) for target in targets]
        if strict:
            _refuse(unseen_in_targets, first)
        eos = np.array([Vocabulary.eos_id], np.int32)
        ids = [np.concatenate((vocabulary.encode(target), eos)) for target in targets]
        scores = score_rows(self.model, self.params, rows, ids, batch_size, self.mesh)
        return [
            Translation(
                source,
                tuple(dict.fromkeys(symbols + more)),
                (Hypothesis(target, True, self._symbols(written), tuple(map(float, log_probs))),),
            )
            for source, symbols, target, more, written, log_probs in zip(
                sources, unseen, targets, unseen_in_targets, ids, scores, strict=True
            )
        ]

    def _read(
        self, texts: Sequence[str], strict: bool, first: int
    ) -> tuple[list[str], list[tuple[str, ...]], list[np.ndarray]]:
        """The texts normalized, their unseen symbols, and their ids."""
        if isinstance(texts, str):
            raise UserError("texts must be a list of sentences, not one; write [text].")
        vocabulary = self.run.source_vocabulary
        sources = [normalize(text) for text in texts]
        unseen = [tuple(vocabulary.unseen(source)) for source in sources]
        if strict:
            _refuse(unseen, first)
        encode = self.run.source_encoder.encode
        return sources, unseen, [encode(source) for source in sources]

    def _hypotheses(
        self, rows: list[np.ndarray], decoded: list[list[HypothesisIds]], config: DecodeConfig
    ) -> list[tuple[Hypothesis, ...]]:
        """Ids of answers -> text; with `scores`, the answers are read once more to score them."""
        flat = [(row, answer) for row, found in zip(rows, decoded, strict=True) for answer in found]
        decode, eos = self.run.target_vocabulary.decode, Vocabulary.eos_id
        if config.scores:
            written = [answer.ids[answer.ids != Vocabulary.pad_id] for _, answer in flat]
            sources = [row for row, _ in flat]
            given = (sources, written, config.batch_size, self.mesh)
            scores = score_rows(self.model, self.params, *given)
            details = [
                (self._symbols(ids), tuple(map(float, log_probs)))
                for ids, log_probs in zip(written, scores, strict=True)
            ]
        else:
            details = [((), ())] * len(flat)
        each = iter(
            Hypothesis(decode(answer.ids.tolist()), eos in answer.ids, *detail, answer.ranked)
            for (_, answer), detail in zip(flat, details, strict=True)
        )
        nothing = (Hypothesis(""),)
        return [tuple(itertools.islice(each, len(found))) or nothing for found in decoded]

    def _symbols(self, ids: np.ndarray) -> tuple[str, ...]:
        symbols = self.run.target_vocabulary.symbols
        return tuple(symbols[i] for i in ids)


def _refuse(unseen: list[tuple[str, ...]], first: int) -> None:
    """Raises for the first text with an unseen symbol, if there is one."""
    for number, symbols in enumerate(unseen, first):
        if symbols:
            raise UserError(
                f"line {number} has symbols that training never saw: "
                f"{' '.join(map(repr, symbols))}; leave out `strict` to skip them."
            )
