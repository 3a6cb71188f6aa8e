"""The characters of a model from the tutorial's data.

The tutorial saves no vocabulary. It rebuilds it from the data whenever it starts, so the same lines
of the same file give the same vocabulary.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from s2s_jax.data.reading.files import open_chunks
from s2s_jax.errors import UserError
from s2s_jax.keras.characters import Characters

_MAX_LINE = 1 << 20  # Characters.


def tutorial_pairs(path: Path, num_samples: int) -> list[tuple[str, str]]:
    """The first lines of a data file as the tutorial reads them, not normalized.

    Raises:
      UserError: if the file cannot be read, or a line has no tab (Keras's program stops there).
    """
    pairs = list(itertools.islice(_pairs(path), num_samples))
    if not pairs:
        raise UserError(f"{path} has no line that ends in a line feed; give the tutorial's file.")
    return pairs


def tutorial_characters(pairs: Sequence[tuple[str, str]]) -> Characters:
    """The sorted characters and the greatest lengths, tab and newline around each target."""
    targets = [f"\t{target}\n" for _, target in pairs]
    return Characters(
        tuple(sorted({c for source, _ in pairs for c in source})),
        tuple(sorted({c for target in targets for c in target})),
        max_encoder_seq_length=max(len(source) for source, _ in pairs),
        max_decoder_seq_length=max(map(len, targets)),
    )


def numbers_of_lines(path: Path, sizes: tuple[int, int]) -> range:
    """How many of a file's first lines have this many source and target characters.

    More lines never have fewer characters, so the numbers are consecutive. None may fit.
    """
    source: set[str] = set()
    target = set("\t\n")
    first = last = 0
    with contextlib.suppress(UserError):  # The tutorial cannot have read on from there.
        for number, pair in enumerate(_pairs(path), 1):
            source.update(pair[0])
            target.update(pair[1])
            found = (len(source), len(target))
            if found == sizes:
                first, last = first or number, number
            elif found[0] > sizes[0] or found[1] > sizes[1]:
                break
    return range(first, last + 1) if first else range(0)


def roundest(numbers: range) -> int:
    """The roundest of some consecutive numbers: the one that someone is likely to have typed."""
    steps = (10**power for power in range(len(str(numbers[-1])), -1, -1))
    multiples = (-(-numbers[0] // step) * step for step in steps)
    return next(number for number in multiples if number in numbers)


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The first two columns of each line."""
    with open_chunks(path) as (_, chunks):
        for number, line in enumerate(_lines(path, chunks), 1):
            columns = line.split("\t")
            if len(columns) < 2:
                raise UserError(
                    f"line {number} of {path} has no tab, so the tutorial cannot have read it; "
                    "give the file that the model was trained with."
                )
            yield columns[0], columns[1]


def _lines(path: Path, chunks: Iterator[bytes]) -> Iterator[str]:
    """Lines as Python's text files have them; what follows the last line feed is not read."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
    rest = ""
    for chunk in chunks:
        try:
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        except UnicodeDecodeError:
            raise UserError(f"{path} is not UTF-8; give the tutorial's file.") from None
        if len(rest) > _MAX_LINE:
            raise UserError(f"{path} has a line of over {_MAX_LINE} characters; it is no text.")
        yield from lines
