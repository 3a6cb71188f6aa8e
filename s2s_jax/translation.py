"""Text in, text out, from a run folder alone."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from s2s_jax.batching import pad
from s2s_jax.checkpointing import find_step, open_steps, restore_params
from s2s_jax.corpus import normalize
from s2s_jax.decoding import greedy_decode
from s2s_jax.errors import UserError
from s2s_jax.models import Seq2Seq
from s2s_jax.run_folder import Run, read_run
from s2s_jax.vocabulary import Vocabulary

_SHORTEST = 16  # Sources are padded to 16, 32, 64, ... tokens: few shapes to compile.
_MAX_TOKENS = 2**16  # Padded source tokens of a batch, which bounds the memory it takes.


class Translation(NamedTuple):
    """One answer.

    Attributes:
      source: the text as it was read: in Unicode NFC, without outer white space.
      text: the answer; empty when no symbol of the source is known.
      unseen: symbols of the source that training never saw, each once.
      complete: false when the answer was cut off at the length limit.
    """

    source: str
    text: str
    unseen: tuple[str, ...]
    complete: bool


class Translator:
    """Decodes new texts with the very parameters that were trained.

    translator = Translator.load("checkpoints/fra")
    translator(["Go.", "I won!"])
    """

    def __init__(self, run: Run, params: Any) -> None:
        self.run = run
        self.params = jax.device_put(params)
        self.model = Seq2Seq(run.config.model)

    @classmethod
    def load(cls, folder: str | Path, step: str | int = "best") -> Self:
        """Reads a run folder.

        Args:
          folder: a run folder, as train.py leaves it.
          step: "best" (by validation loss), "latest", or a step's number.

        Raises:
          UserError: when the folder holds no run, or a damaged one.
        """
        folder = Path(folder)
        run = read_run(folder)
        with open_steps(folder) as manager:
            found = find_step(manager, step)
            params = restore_params(manager, found, param_shapes(Seq2Seq(run.config.model)))
        return cls(run, params)

    def __call__(self, texts: Sequence[str], **options: Any) -> list[str]:
        """The answers to `texts`, in their order; for the options see `translate`."""
        return [translation.text for translation in self.translate(texts, **options)]

    def translate(
        self,
        texts: Sequence[str],
        *,
        max_length: int = 0,
        batch_size: int = 512,
        strict: bool = False,
        first: int = 1,
    ) -> list[Translation]:
        """Greedy answers to `texts`, in their order.

        Args:
          texts: the sentences.
          max_length: at most so many tokens an answer; 0 takes the longest of training.
          batch_size: at most so many sentences at a time.
          strict: refuse unseen symbols instead of leaving them out.
          first: the number of the first text, for messages.

        Raises:
          UserError: with `strict`, for a symbol that training never saw; for a `str` in place
            of a sequence of them; for a negative `max_length` or a `batch_size` below 1.
        """
        if isinstance(texts, str):
            raise UserError("texts must be a list of sentences, not one; write [text].")
        if batch_size < 1 or max_length < 0:
            raise UserError("batch_size must be at least 1 and max_length at least 0.")
        vocabulary = self.run.source_vocabulary
        sources = [normalize(text) for text in texts]
        unseen = [tuple(vocabulary.unseen(source)) for source in sources]
        if strict and any(unseen):
            which = next(i for i, symbols in enumerate(unseen) if symbols)
            raise UserError(
                f"line {first + which} has symbols that training never saw: "
                f"{' '.join(map(repr, unseen[which]))}; leave out --strict to skip them."
            )
        rows = [vocabulary.encode_source(source) for source in sources]
        limit = max_length or self.run.config.max_length
        answers = self._decode(rows, limit, batch_size)
        decode, eos = self.run.target_vocabulary.decode, Vocabulary.eos_id
        return [
            Translation(source, decode(answer), symbols, len(row) == 0 or eos in answer)
            for source, row, symbols, answer in zip(sources, rows, unseen, answers, strict=True)
        ]

    def _decode(self, rows: list[np.ndarray], limit: int, batch_size: int) -> list[list[int]]:
        """Ids of the answers; sorted by length, so that batches pad little and end together."""
        answers: list[list[int]] = [[]] * len(rows)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
        while order:
            length = _power_of_two(max(len(rows[order[0]]), _SHORTEST))
            size = min(batch_size, max(1, _MAX_TOKENS // length))
            chosen, order = order[:size], order[size:]
            size = min(size, _power_of_two(len(chosen)))
            source, mask = pad([rows[i] for i in chosen], size, length)
            decoded = np.asarray(
                decode_batch(self.model, _power_of_two(limit), self.params, source, mask, limit)
            )
            # Lists: Python goes through these several times as fast as through arrays.
            for i, answer in zip(chosen, decoded.tolist(), strict=False):
                answers[i] = answer
        return answers


def _power_of_two(n: int) -> int:
    """The least power of two that is at least n."""
    return 1 << (n - 1).bit_length()


@functools.lru_cache(maxsize=8)
def param_shapes(model: Seq2Seq) -> Any:
    """The parameters of a model as shapes, without computing any."""
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    mask = jax.ShapeDtypeStruct((1, 1), bool)
    return jax.eval_shape(model.init, jax.random.key(0), tokens, mask, tokens)["params"]


@functools.partial(jax.jit, static_argnums=(0, 1))
def decode_batch(
    model: Seq2Seq,
    capacity: int,
    params: Any,
    source: jax.Array,
    mask: jax.Array,
    limit: jax.Array,
) -> jax.Array:
    """Source ids and mask `[batch, time]` -> ids of the answers `[batch, capacity]`."""
    variables = {"params": params}
    never = jnp.array([Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id])
    # Added, not assigned: XLA fuses a sum with the step, and scatters an assignment.
    allowed = jnp.zeros(model.config.target_vocab_size).at[never].set(-jnp.inf)

    def step_fn(carry: Any, tokens: jax.Array) -> tuple[Any, jax.Array]:
        carry, logits = model.apply(variables, carry, tokens, method="decode_step")
        return carry, logits + allowed

    return greedy_decode(
        step_fn,
        model.apply(variables, source, mask, method="encode"),
        jnp.full(source.shape[0], Vocabulary.bos_id, jnp.int32),
        eos_id=Vocabulary.eos_id,
        pad_id=Vocabulary.pad_id,
        max_length=limit,
        capacity=capacity,
        ended=~mask.any(axis=1),  # Nothing was said: nothing is answered.
    )
