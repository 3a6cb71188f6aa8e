"""Which characters a model was trained on: those of its data, or of a JSON.

The tutorial saves no vocabulary. It rebuilds it from the data whenever it starts, so the same lines
of the same file give the same vocabulary.
"""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_jax.data.reading.files import open_chunks
from s2s_jax.errors import UserError
from s2s_jax.keras.characters import PLACES, Characters
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.symbols import Saved, read_vocabularies, start_and_end

_LENGTHS = ("max_encoder_seq_length", "max_decoder_seq_length")
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


def find_characters(
    request: ImportRequest,
    sizes: tuple[int, int],
    data: Path | None,
    pairs: Sequence[tuple[str, str]],
) -> Characters:
    """The characters of the JSON, if one is given, or of the data; missing lengths are the data's.

    The sizes are the model's numbers of source and target symbols.

    Raises:
      UserError: if neither is given, or the model has other numbers of symbols.
    """
    if request.vocabulary:
        where = " and ".join(map(str, request.vocabulary))
        saved = read_vocabularies(request.vocabulary, sizes)
        try:
            characters = _from_saved(saved, request, pairs)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    elif pairs:
        where = f"the first {len(pairs)} lines of {data}"
        characters = tutorial_characters(pairs)
    else:
        raise UserError(
            "a Keras model does not hold its characters; give the data that it was trained on "
            "(--data fra.txt) or a JSON with both lists of characters (--vocabulary)."
        )
    counts = (len(characters.input_characters), len(characters.target_characters))
    if counts != sizes:
        raise UserError(
            f"the model has {sizes[0]} source and {sizes[1]} target symbols, but {where} "
            f"{counts[0]} and {counts[1]}; {_remedy(request, sizes, counts, data)}"
        )
    given = {key: getattr(request, key) for key in _LENGTHS if getattr(request, key)}
    return dataclasses.replace(characters, **given)


def _from_saved(
    saved: Saved, request: ImportRequest, pairs: Sequence[tuple[str, str]]
) -> Characters:
    """The characters of a JSON, completed by what the request and the data say."""
    sides = (saved.source, saved.target)
    values = {**saved.about}
    for i, key in enumerate(("start", "end")):
        if given := getattr(request, key):
            values[key] = given
        elif key not in values:
            values[key] = start_and_end(saved.target.symbols)[i]
    kinds = _tokens(saved, values)
    values["source_tokens"], values["target_tokens"] = (
        side.tokens(kind) for side, kind in zip(sides, kinds, strict=True)
    )
    values["input_characters"], values["target_characters"] = (side.symbols for side in sides)
    tokens = values["target_tokens"]
    if isinstance(tokens, Mapping) and tokens.get("reads_unseen"):
        values.setdefault("unseen_target", saved.target.unseen)
    characters = Characters.from_values(values)
    lengths = {}
    tokenizers = (characters.source_tokenizer, characters.target_tokenizer)
    for column, (key, tokenizer) in enumerate(zip(_LENGTHS, tokenizers, strict=True)):
        if pairs and not getattr(characters, key):
            longest = max(len(tokenizer.divide(pair[column])) for pair in pairs)
            lengths[key] = longest + 2 * column  # Targets have a start and an end.
    return dataclasses.replace(characters, **lengths)


def _tokens(saved: Saved, values: Mapping[str, Any]) -> tuple[Any, Any]:
    """The units of both sides: those that the JSON names, or what the symbols look like."""
    sides = (saved.source.symbols, saved.target.symbols)
    named = [values.get(key, values.get("tokens")) for key in ("source_tokens", "target_tokens")]
    words = [str(symbol) for symbols in sides for symbol in symbols]
    if named == ["word", "word"] and not any(word[:1].isspace() for word in words):
        # Our words include the space before them, so these were split at spaces.
        return "space", "space"
    if "input_characters" in values:
        named = [unit or "char" for unit in named]
    around = {*PLACES, str(values["start"]), str(values["end"])}
    looks = [
        "space" if any(len(str(s)) > 1 and s not in around for s in symbols) else "char"
        for symbols in sides
    ]
    return named[0] or looks[0], named[1] or looks[1]


def _remedy(
    request: ImportRequest, sizes: tuple[int, int], counts: tuple[int, int], data: Path | None
) -> str:
    """What to do if the numbers of symbols, `counts`, are not the model's, `sizes`."""
    if not request.vocabulary and data is not None and (n := numbers_of_lines(data, sizes)):
        span = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
        return (
            f"its first {span} lines have as many: add --num-samples {roundest(n)}, or the number "
            "used in training."
        )
    remedy = "give the data and --num-samples of its training, or its lists with --vocabulary"
    if {size - count for size, count in zip(sizes, counts, strict=True)} in ({1}, {0, 1}):
        remedy += ', with "" first where the number 0 is padding'
    return f"{remedy}."


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
