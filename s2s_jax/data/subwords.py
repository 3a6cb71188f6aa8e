"""The subwords of SentencePiece, as exact texts.

By default the library normalizes, drops and escapes a lot. Here nothing is lost: whatever text is
made of characters that were learned comes back as it was.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from types import ModuleType
from typing import TYPE_CHECKING

from s2s_jax.errors import UserError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

STAND_INS = {reserved: chr(0xFDD0 + i) for i, reserved in enumerate("\0\t\n\r\x1f▁▅")}
"""SentencePiece keeps some characters for itself, `▁` for a space. In their place it is given
noncharacters of Unicode, which no text should hold."""
_TO_LIBRARY = str.maketrans(STAND_INS)
_FROM_LIBRARY = str.maketrans({"▁": " ", **{s: reserved for reserved, s in STAND_INS.items()}})
_SURROGATES = re.compile("[\ud800-\udfff]")  # Not in any UTF-8.
_ODD = re.compile(f"[{''.join(STAND_INS)}\ud800-\udfff]")
_SPECIAL_PIECES = {name: f"\ufddf{name}" for name in ("pad", "bos", "eos", "unk")}
"""In the order of `SPECIALS`; the library cuts their names out of texts, so no text has them."""


def _sentencepiece() -> ModuleType:
    try:
        import sentencepiece  # Here, since most runs do not need it.
    except ImportError:
        raise UserError(
            "subwords need sentencepiece; install it with: pip install sentencepiece"
        ) from None
    sentencepiece.set_min_log_level(2)
    return sentencepiece


def _to_library(text: str) -> str:
    odd = _ODD.search(text)  # Most texts have none, and this is quicker.
    return _SURROGATES.sub("\ufffd", text).translate(_TO_LIBRARY) if odd else text


def learn(texts: Sequence[str], size: int = 0) -> bytes:
    """Learns a unigram model, https://arxiv.org/abs/1804.10959.

    Every character of the texts is a subword too.

    Args:
      texts: of the training part.
      size: the number of subwords, the four special symbols included; 0 chooses it. There are
        fewer where the texts do not have as many.

    Returns:
      The model in the library's own format.

    Raises:
      UserError: when the size is too small for the characters, or the library is missing.
    """
    characters = {" ", *"".join(texts)}
    least = len(_SPECIAL_PIECES) + len(characters)
    if 0 < size < least:
        raise UserError(
            f"`vocab_size` must be at least {least}, with one for each character, not {size}."
        )
    # On fra.txt 1,500 suited 9,235 pairs and 3,000 suited 58,812: the cube root fits both, and
    # the 8,000 that https://aclanthology.org/2020.findings-emnlp.352 finds for a million.
    chosen = least + round(70 * len(texts) ** (1 / 3))
    model = io.BytesIO()
    _sentencepiece().SentencePieceTrainer.train(
        sentence_iterator=iter([_to_library(text) for text in texts if text] or [" "]),
        model_writer=model,
        model_type="unigram",
        vocab_size=size or chosen,
        hard_vocab_limit=False,
        required_chars=_to_library("".join(sorted(characters - {" "}))),
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=1 << 30,
        minloglevel=2,
        **{f"{name}_id": i for i, name in enumerate(_SPECIAL_PIECES)},
        **{f"{name}_piece": piece for name, piece in _SPECIAL_PIECES.items()},
    )
    return model.getvalue()


class SubwordModel:
    """Divides texts into subwords.

    A subword keeps the space before it, and a text is divided as if it began with a space.
    """

    def __init__(self, model: bytes) -> None:
        """Reads what `learn` has given.

        Raises:
          UserError: when the library cannot read it, or is missing.
        """
        try:
            self._processor: SentencePieceProcessor = _sentencepiece().SentencePieceProcessor(
                model_proto=model
            )
        except RuntimeError as error:
            raise UserError(f"sentencepiece cannot read the subwords: {error}.") from None

    @cached_property
    def _subword_of(self) -> dict[str, str]:
        """The subwords, in the library's order, each by the library's name for it."""
        ids = range(len(_SPECIAL_PIECES), self._processor.get_piece_size())
        return {piece: _from_library(piece) for piece in map(self._processor.id_to_piece, ids)}

    @cached_property
    def subwords(self) -> dict[str, None]:
        """All of them, in the library's order, as keys."""
        return dict.fromkeys(self._subword_of.values())

    def unseen(self, texts: Iterable[str]) -> set[str]:
        """The characters of some texts that are not in the model."""
        return set(_from_library(_to_library("".join(texts)))) - self.subwords.keys()

    def divide(self, text: str, sampling: tuple[float, int] | None) -> list[str]:
        """What `Tokenizer.divide` gives; unseen characters stand alone."""
        if sampling is None:
            pieces = self._processor.encode_as_pieces(_to_library(text))
        else:
            alpha, seed = sampling
            _sentencepiece().set_random_generator_seed(seed >> 1)  # 2^32 - 1 would set none.
            pieces = self._processor.sample_encode_as_pieces(_to_library(text), -1, alpha)
        texts = []
        for piece in pieces:
            if piece in self._subword_of:
                texts.append(self._subword_of[piece])
            else:  # Unseen characters that follow one another come as one.
                texts += _from_library(piece)
        return texts


def _from_library(piece: str) -> str:
    return piece.translate(_FROM_LIBRARY)
