"""How far a run has come."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from s2s_jax.model.losses import Sums


@dataclasses.dataclass(frozen=True)
class TrainingProgress:
    """How far a run has come; with the seed, all that the order of the batches depends on.

    Attributes:
      step: optimizer steps done.
      epoch: epochs completed.
      batch: batches done of the epoch after that (0 at an epoch's end).
      sums: loss, right answers and tokens of those batches.
      skipped: those batches whose loss or gradient was not finite, and which changed nothing.
      skipped_in_row: the last so many batches were skipped, those of earlier epochs included.
      seconds: training time of those batches.
      history: the metrics of each completed epoch, as in `metrics.jsonl`.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    sums: Sums = Sums(0.0, 0.0, 0.0)
    skipped: int = 0
    skipped_in_row: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self) | {"sums": [float(x) for x in self.sums]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of `to_record`."""
        values = {"sums": Sums(*record["sums"]), "history": tuple(record["history"])}
        return cls(**{**record, **values})
