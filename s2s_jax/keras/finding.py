"""Which characters a model was trained on: those of its data, or of a JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from s2s_jax.errors import UserError
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.tutorial import numbers_of_lines, roundest, tutorial_characters


def find_characters(
    sizes: tuple[int, int],
    vocabulary: Path | None,
    data: Path | None,
    pairs: list[tuple[str, str]],
) -> Characters:
    """The characters of the JSON or else of the data; lengths that the JSON lacks, of the data.

    Args:
      sizes: source and target symbols of the model.
      vocabulary: the JSON, if there is one.
      data: the file of the pairs, if there is one.
      pairs: what was read of it.

    Raises:
      UserError: when neither is given, or the characters are not as many as the model's.
    """
    found = tutorial_characters(pairs) if pairs else None
    if vocabulary is not None:
        characters = Characters.from_json(vocabulary)
        for key in ("max_encoder_seq_length", "max_decoder_seq_length"):
            if not getattr(characters, key) and found is not None:
                characters = dataclasses.replace(characters, **{key: getattr(found, key)})
    elif found is not None:
        characters = found
    else:
        raise UserError(
            "a Keras model does not hold its characters; give the data that it was trained on "
            "(--data fra.txt) or a JSON with both lists of characters (--vocabulary)."
        )
    counts = (len(characters.input_characters), len(characters.target_characters))
    if counts != sizes:
        where = vocabulary or f"the first {len(pairs)} lines of {data}"
        raise UserError(
            f"the model has {sizes[0]} source and {sizes[1]} target characters, but {where} "
            f"{counts[0]} and {counts[1]}; {_remedy(sizes, vocabulary, data)}"
        )
    return characters


def _remedy(sizes: tuple[int, int], vocabulary: Path | None, data: Path | None) -> str:
    """What to do about numbers of characters that are not the model's."""
    if vocabulary is None and data is not None and (numbers := numbers_of_lines(data, sizes)):
        return (
            f"its first {numbers[0]} to {numbers[-1]} lines have as many: add --num-samples "
            f"{roundest(numbers)}, or the number of the training."
        )
    return "give the data and --num-samples of its training, or its lists with --vocabulary."
