"""Which characters a model was trained on: those of its data, or of a JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from s2s_jax.errors import UserError
from s2s_jax.keras.characters import PLACES, Characters
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.symbols import Saved, read_vocabularies, start_and_end
from s2s_jax.keras.tutorial import numbers_of_lines, roundest, tutorial_characters

_LENGTHS = ("max_encoder_seq_length", "max_decoder_seq_length")


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
