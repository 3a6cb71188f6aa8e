"""Text in, text out, from a run folder alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack, overload

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int32, PyTree

from s2s_jax.data.vocabulary import SPECIALS, Vocabulary
from s2s_jax.decoding.batches import HypothesisIds, decode_rows, score_rows
from s2s_jax.decoding.config import DecodeConfig, DecodeOptions
from s2s_jax.decoding.members import combined, read_member
from s2s_jax.decoding.sources import read_sources, refuse_unseen, sources_and_targets
from s2s_jax.decoding.translation import Hypothesis, Translation, read_answer, warn_of_problems
from s2s_jax.model.ensemble import Ensemble
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run
from s2s_jax.runs.hub import local_folder
from s2s_jax.runtime.parallel import replicate


class Translator:
    """Decodes new texts with the parameters that were trained, by default as the run searches.

    translator = Translator.load("checkpoints/fra")
    translator("Go.")                        # an answer
    translator(["Go.", "I won!"], beam=5)    # a list of answers
    translator("Go.", beam=5, n_best=3)      # the three best answers
    """

    def __init__(
        self,
        run: Run,
        params: PyTree,
        mesh: Mesh | None = None,
        *,
        model: Seq2Seq | Ensemble | None = None,
        origins: Sequence[tuple[Path, int]] = (),
    ) -> None:
        """Prepares to decode; `load` does so from a run folder.

        Args:
          run: vocabularies and configuration.
          params: of the model.
          mesh: this process's devices, which share each batch; None for one device.
          model: the run's own by default.
          origins: the run folders and steps that the parameters are from; none if in memory.
        """
        self.run = run
        self.params = jax.device_put(params) if mesh is None else replicate(params, mesh)
        self.mesh = mesh
        self.model = model or Seq2Seq(run.config.model)
        self.origins = tuple(origins)

    @classmethod
    def load(
        cls,
        folder: str | Path | Sequence[str | Path],
        step: str | int = "best",
        mesh: Mesh | None = None,
    ) -> Translator:
        """Reads a run folder, or several that answer together as an `Ensemble`.

        Args:
          folder: a run folder, as train.py leaves it, or hf://user/name for one on the Hugging
            Face Hub; or a list of them.
          step: "best" (by what the run was to be chosen by), "latest", or a step's number.
          mesh: this process's devices, which share each batch; None for one device.

        If the "best" or "latest" step is damaged, the newest undamaged one takes its place, with
        a `RunWarning`.

        Raises:
          UserError: if a folder holds no run, or a damaged one; for several runs of other symbols.
        """
        folders = [folder] if isinstance(folder, (str, Path)) else folder
        members = [read_member(local_folder(folder), step) for folder in folders]
        run, model, params = combined(members)
        origins = [(member.folder, member.step) for member in members]
        return cls(run, params, mesh, model=model, origins=origins)

    @property
    def folder(self) -> Path | None:
        """The run folder; None for several, and for a run in memory."""
        return self.origins[0][0] if len(self.origins) == 1 else None

    @property
    def origin(self) -> str:
        """The run folders and their steps, for messages; empty if the run is in memory."""
        return " and ".join(f"{folder}, step {step}" for folder, step in self.origins)

    def __repr__(self) -> str:
        source, target = (
            len(vocabulary) - len(SPECIALS)
            for vocabulary in (self.run.source_vocabulary, self.run.target_vocabulary)
        )
        units = self.run.config.model.latent_dim
        return (
            f"<Translator {self.origin or 'in memory'}: {source} source and {target} target "
            f"symbols, {units} units>"
        )

    # A str is a sequence of them, too, hence the overlaps.
    @overload
    def __call__(self, texts: str, **options: Unpack[DecodeOptions]) -> str: ...  # pyright: ignore
    @overload
    def __call__(self, texts: Sequence[str], **options: Unpack[DecodeOptions]) -> list[str]: ...
    @overload
    def __call__(  # pyright: ignore
        self, texts: str, *, n_best: int, **options: Unpack[DecodeOptions]
    ) -> list[str]: ...
    @overload
    def __call__(
        self, texts: Sequence[str], *, n_best: int, **options: Unpack[DecodeOptions]
    ) -> list[list[str]]: ...
    def __call__(
        self,
        texts: str | Sequence[str],
        *,
        n_best: int | None = None,
        **options: Unpack[DecodeOptions],
    ) -> str | list[str] | list[list[str]]:
        """The answer to a text, or the answers to several, in their order.

        Args:
          texts: one text or a sequence of them.
          n_best: if given, each answer is a list of at most this many, best first.
          **options: the other options of `DecodeConfig`.

        Warns:
          TextWarning: for symbols that training never saw, an answer that was cut off and the
            like; `translate` gives these for each text.
        """
        many = [texts] if isinstance(texts, str) else texts
        best = {} if n_best is None else {"n_best": n_best}
        found = self.translate(many, self.searching(**best, **options))
        warn_of_problems(found)
        if n_best is None:
            answers = [translation.text for translation in found]
        else:
            answers = [[h.text for h in translation.n_best] for translation in found]
        return answers[0] if isinstance(texts, str) else answers

    def searching(self, **options: Any) -> DecodeConfig:
        """The options of a `DecodeConfig` given, and the run's own search where they say nothing.

        Raises:
          UserError: for a value out of its range, and for values that contradict each other.
        """
        beam = {"beam": 1} if options.get("sample") else {}
        return DecodeConfig(**{**self.run.config.decode.to_dict(), **beam, **options})

    def translate(
        self, texts: Sequence[str], config: DecodeConfig | None = None, *, first: int = 1
    ) -> list[Translation]:
        """All that is known of the answers to `texts`, in their order.

        Args:
          texts: the texts.
          config: how to decode; None for the way that is the run's.
          first: the number of the first text, for messages.

        Raises:
          UserError: with `strict`, for a symbol that training never saw; for a `str` in place
            of a sequence of them.
        """
        config = config or self.searching()
        sources = read_sources(self.run, texts, config.strict, first)
        rows = [source.ids for source in sources]
        limit = config.max_length or self.run.config.max_length
        decoded = decode_rows(self.model, self.params, rows, config, limit, mesh=self.mesh)
        return [
            Translation(source.text, source.unseen, n_best, source.doubts)
            for source, n_best in zip(sources, self._hypotheses(rows, decoded, config), strict=True)
        ]

    def warm_up(self, texts: Sequence[str], config: DecodeConfig | None = None) -> None:
        """Compiles what `translate` needs for `texts`, by writing a single token for each."""
        config = config or self.searching()
        rows = [source.ids for source in read_sources(self.run, texts, strict=False, first=1)]
        capacity = config.max_length or self.run.config.max_length
        decode_rows(self.model, self.params, rows, config, 1, capacity, self.mesh)

    def score(
        self, pairs: Sequence[tuple[str, str]], *, batch_size: int = 512, strict: bool = False,
        first: int = 1,
    ) -> list[Translation]:  # fmt: skip
        """The log-probabilities of given targets, each token given the source and what is before.

        Args:
          pairs: sources and targets.
          batch_size: the most pairs at a time.
          strict: refuse unseen symbols; else those of a source are left out or `<unk>`, as in
            `translate`, and those of a target count as `<unk>`.
          first: the number of the first pair, for messages.

        Returns:
          For each pair a translation whose only hypothesis is the target.
        """
        given, targets = sources_and_targets(pairs, first)
        sources = read_sources(self.run, given, strict, first)
        vocabulary = self.run.target_vocabulary
        divided = [vocabulary.tokenizer.divide(target) for target in targets]
        unseen = [tuple(vocabulary.unseen_among(symbols)) for symbols in divided]
        if strict:
            refuse_unseen(unseen, first)
        eos = np.array([Vocabulary.eos_id], np.int32)
        written = [np.concatenate((vocabulary.ids_of(symbols), eos)) for symbols in divided]
        rows = [source.ids for source in sources]
        log_probs = score_rows(self.model, self.params, rows, written, batch_size, self.mesh)
        return [
            Translation(
                source.text,
                tuple(dict.fromkeys(source.unseen + more)),
                (read_answer(vocabulary, HypothesisIds(ids), scores)._replace(text=target),),
                source.doubts,
            )
            for source, target, more, ids, scores in zip(
                sources, targets, unseen, written, log_probs, strict=True
            )
        ]

    def _hypotheses(
        self,
        rows: list[Int32[np.ndarray, " _"]],
        decoded: list[list[HypothesisIds]],
        config: DecodeConfig,
    ) -> list[tuple[Hypothesis, ...]]:
        """Ids of answers -> text; with `scores`, the answers are read once more to score them."""
        flat = [(row, answer) for row, found in zip(rows, decoded, strict=True) for answer in found]
        log_probs = [None] * len(flat)
        if config.scores:
            written = [answer.written for _, answer in flat]
            sources = [row for row, _ in flat]
            log_probs = score_rows(
                self.model, self.params, sources, written, config.batch_size, self.mesh
            )
        vocabulary = self.run.target_vocabulary
        each = iter(
            read_answer(vocabulary, answer, scores)
            for (_, answer), scores in zip(flat, log_probs, strict=True)
        )
        nothing = (Hypothesis(""),)
        return [tuple(itertools.islice(each, len(found))) or nothing for found in decoded]
