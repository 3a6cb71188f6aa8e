"""How a text is divided into symbols, and how symbols are joined to a text again.

Each side of a run has a tokenizer, saved with its vocabulary. It alone knows what kind of symbols
a run is made of: everything else asks it.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from s2s_jax.data import subwords
from s2s_jax.errors import UserError

if TYPE_CHECKING:
    import regex


@dataclasses.dataclass(frozen=True)
class Tokenizer:
    """Divides texts at the matches of a regular expression.

    Attributes:
      kind: its name, as in `--tokens`.
      unit: what messages call its symbols, in the plural.
      pattern: what one symbol matches.
      version: of the pattern; a run keeps the one that it began with.
      decomposed: whether texts, which are in Unicode's form NFC, are divided in form NFD.
      unicode: whether the pattern is written for the package `regex`, which knows the boundaries
        of Unicode's Annex 29, rather than for the standard library's `re`.
      joiner: what stands between the symbols of an answer.
      strip: whether an answer loses the white space that its first symbol begins with.
      least: symbols that are rarer in the training part stay out of the vocabulary.
      is_text: whether answers are text as people write it, which BLEU and chrF are made for.
      reads_unseen: whether an unseen symbol of a source is read as `<unk>`; otherwise it is left
        out, because nothing has trained `<unk>`.
      model: what the tokenizer learned, as the library that learned it writes it; empty where
        there is nothing to learn.
    """

    kind: str
    unit: str
    pattern: str
    version: int = 1
    decomposed: bool = False
    unicode: bool = False
    joiner: str = ""
    strip: bool = False
    least: int = 1
    is_text: bool = True
    reads_unseen: bool = False
    model: bytes = dataclasses.field(default=b"", repr=False)

    def learn(self, texts: Sequence[str], size: int = 0) -> Self:
        """The tokenizer for these texts; only subwords learn something, see `subwords.learn`."""
        return self

    def load(self, model: bytes) -> Self:
        """The tokenizer with what an earlier one had learned."""
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str] | regex.Pattern[str]:
        if not self.unicode:
            return re.compile(self.pattern)
        import regex  # Here, since most runs do not need it.

        return regex.compile(self.pattern)

    def divide(self, text: str, sampling: tuple[float, int] | None = None) -> list[str]:
        """The symbols of a text, in order.

        Only subwords have more than one way to divide it. They take the likeliest or, by an alpha
        and a seed below 2^32, draw one of probability p in proportion to p^alpha.
        """
        text = unicodedata.normalize("NFD", text) if self.decomposed else text
        return self._pattern.findall(text)

    def is_symbol(self, text: str) -> bool:
        """Whether some text may hold `text` as one symbol."""
        return self._pattern.fullmatch(text) is not None

    def join(self, symbols: Iterable[str]) -> str:
        """The text of some symbols; undoes `divide`, white space around the text aside."""
        text = self.joiner.join(symbols)
        text = unicodedata.normalize("NFC", text) if self.decomposed else text
        return text.lstrip() if self.strip else text

    def symbols(self, texts: Iterable[str]) -> list[str]:
        """What a vocabulary for these texts should hold, sorted."""
        counts = Counter(symbol for text in texts for symbol in self.divide(text))
        return sorted(symbol for symbol, count in counts.items() if count >= self.least)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON, by which `read_tokenizer` finds this tokenizer again."""
        version = {} if self.version == 1 else {"version": self.version}
        return {"tokens": self.kind, **version}

    def to_manifest(self) -> dict[str, Any]:
        """What a program without this package needs to divide a text and to join an answer."""
        fields = ("kind", "pattern", "decomposed", "unicode", "joiner", "strip")
        return {field: getattr(self, field) for field in fields}


@dataclasses.dataclass(frozen=True)
class KerasWords(Tokenizer):
    """Divides texts as a `Tokenizer` of Keras does, for models that were trained with one.

    Attributes:
      lower: whether texts are read in lower case.
      filters: characters that are read as spaces.
    """

    lower: bool = True
    filters: str = ""

    def divide(self, text: str, sampling: tuple[float, int] | None = None) -> list[str]:
        text = text.lower() if self.lower else text
        return super().divide(text.translate(dict.fromkeys(map(ord, self.filters), " ")))

    def is_symbol(self, text: str) -> bool:
        # Its vocabulary may hold what no text of its training held.
        return dataclasses.replace(self, filters="", lower=False).divide(text) == [text]

    def to_dict(self) -> dict[str, Any]:
        own = {key: getattr(self, key) for key in ("lower", "filters", "reads_unseen")}
        return {**super().to_dict(), **own}

    def to_manifest(self) -> dict[str, Any]:
        return {**super().to_manifest(), "lower": self.lower, "filters": self.filters}


@dataclasses.dataclass(frozen=True)
class Subwords(Tokenizer):
    """Divides texts into subwords, which it learns from the training part; see `subwords`."""

    def learn(self, texts: Sequence[str], size: int = 0) -> Self:
        return self.load(subwords.learn(texts, size))

    def load(self, model: bytes) -> Self:
        return dataclasses.replace(self, model=model)

    @cached_property
    def _model(self) -> subwords.SubwordModel:
        return subwords.SubwordModel(self.model)

    def divide(self, text: str, sampling: tuple[float, int] | None = None) -> list[str]:
        return self._model.divide(text, sampling)

    def is_symbol(self, text: str) -> bool:
        return len(text) == 1 or text in self._model.subwords

    def join(self, symbols: Iterable[str]) -> str:
        return "".join(symbols).removeprefix(" ")

    def symbols(self, texts: Iterable[str]) -> list[str]:
        # Symbols the model has not learned, as in the new data of a fine-tuned run, stand alone.
        return [*self._model.subwords, *sorted(self._model.unseen(texts))]

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "model": hashlib.sha256(self.model).hexdigest()}

    def to_manifest(self) -> dict[str, Any]:
        model = base64.b64encode(self.model).decode()
        return {**super().to_manifest(), "model": model, "stand_ins": subwords.STAND_INS}


_SPACE = r"\s\x1c-\x1f"  # What `str.strip` takes for white space.
_WORDS = Tokenizer(
    "word",
    "words",
    # Words of Unicode's Annex 29, divided at white space in any case (the annex keeps a narrow
    # no-break space in the word) and, as it proposes for French and Italian, after an apostrophe
    # before a vowel. A word keeps the white space before it, so that joining the symbols of a
    # text gives the text back. An answer may begin with a word that training saw only after a
    # space, hence `strip`.
    rf"(?wV1)[{_SPACE}]*[^{_SPACE}]+?"
    rf"(?:\b|(?=[{_SPACE}])|(?<=['’])(?=(?i:[aeiouhyàâäæéèêëíìîïóòôöœúùûü])))",
    version=2,
    unicode=True,
    strip=True,
    least=2,
    reads_unseen=True,
)
_TOKENIZERS = (
    Tokenizer("char", "characters", r"(?s:.)"),
    # A Korean syllable becomes its two or three letters, and an accent a symbol of its own, so that
    # a syllable or an accented letter that training never saw is made of symbols that it did see.
    Tokenizer("decomposed", "letters and marks", r"(?s:.)", decomposed=True),
    Tokenizer("grapheme", "graphemes", r"\X", unicode=True),
    # Cuts words at combining marks.
    dataclasses.replace(_WORDS, pattern=r"\s*(?:\w+['’]?|[^\w\s])", version=1, unicode=False),
    _WORDS,
    Tokenizer("space", "symbols", r"\S+", joiner=" ", is_text=False),
    Subwords("subword", "subwords", pattern=""),
)
"""Every kind in every version; of each the newest comes last."""


def make_tokenizer(kind: str) -> Tokenizer:
    """The newest tokenizer of a kind."""
    return {tokenizer.kind: tokenizer for tokenizer in _TOKENIZERS}[kind]


def read_tokenizer(values: Mapping[str, Any], model: bytes = b"") -> Tokenizer:
    """The tokenizer that `Tokenizer.to_dict` describes; `model` is what it learned, if it did.

    Raises:
      UserError: when this version of s2s_jax has none like it, or the model is another.
    """
    if "filters" in values:
        return _read_keras_words(values)
    for tokenizer in (tokenizer.load(model) for tokenizer in _TOKENIZERS):
        if tokenizer.to_dict() == values:
            tokenizer.divide("")  # What a package that is missing would let fail later.
            return tokenizer
    if values.get("tokens") == "subword":
        raise UserError("its model is missing, damaged or of another run; take a copy of the run.")
    kinds = ", ".join(dict.fromkeys(tokenizer.kind for tokenizer in _TOKENIZERS))
    raise UserError(
        f"tokens must be one of {kinds}, not {values.get('tokens')!r} (written by a newer version "
        "of s2s_jax?)."
    )


def _read_keras_words(values: Mapping[str, Any]) -> KerasWords:
    """The tokenizer that `KerasWords.to_dict` describes."""
    kinds = {"tokens": str, "lower": bool, "filters": str, "reads_unseen": bool}
    found = {key: type(value) for key, value in values.items()}
    if found != kinds or values["tokens"] not in ("char", "space"):
        raise UserError(f"what a Tokenizer of Keras does must be said by {', '.join(kinds)}.")
    base = make_tokenizer(values["tokens"])
    fields = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    return KerasWords(**(fields | {key: values[key] for key in list(kinds)[1:]}))
