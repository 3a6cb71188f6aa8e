"""What the user of `import` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PADDINGS = ("mask", "zeros", "space", "zeros-before")
"""What a source is padded with: nothing (it is masked), all-zero vectors or spaces after it, or
all-zero vectors before it, as `pad_sequences` does unless told otherwise.

An `Embedding` has no all-zero vectors; "zeros" then means the id 0.
"""


class ImportRequest(NamedTuple):
    """The flags of `import`; those that were not given are empty or 0."""

    models: Sequence[Path]
    data: str | None = None
    num_samples: int = 10_000
    vocabulary: Sequence[Path] = ()
    start: str = ""
    end: str = ""
    max_encoder_seq_length: int = 0
    max_decoder_seq_length: int = 0
    padding: str | None = None
    source_order: str = ""
    recurrent_activation: str = ""
    latent_dim: int = 0
    out: Path | None = None
    overwrite: bool = False
