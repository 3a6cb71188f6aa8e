"""Noun phrases: determiner, adjective and noun in both languages."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .lexicon import ADJECTIVES, NOUNS, Adjective, Noun, Subject
from .morphology import (
    adjective_form,
    article_a,
    elide,
    english_plural,
    noun_form,
    starts_with_vowel,
)

THIRD, THIRD_PLURAL = 2, 4
"""Where the forms of il and ils stand among those of je, tu, il, nous, ils."""


@dataclass(frozen=True, eq=False)
class NounPhrase:
    """A noun phrase in both languages.

    `asked` and `denied` are the English and French forms in a question or negation: "any
    apples", "de pommes". Definite phrases and possessives keep one form everywhere.
    """

    en: str
    asked: str
    fr: str
    denied: str
    noun: Noun
    article: str
    adjective: Adjective | None = None
    plural: bool = False

    @property
    def definite(self) -> bool:
        """Tell a definite, possessive or demonstrative phrase from an indefinite one."""
        return self.article != "a"

    def as_subject(self) -> Subject:
        """Return the phrase as the subject of a sentence."""
        person = THIRD_PLURAL if self.plural else THIRD
        return Subject(self.en, self.fr, person, self.noun.gender, self.plural)


# English, French masculine, feminine, plural, masculine and feminine before a vowel.
_POSSESSIVES = {
    "my": ("mon", "ma", "mes", "mon", "mon"),
    "your": ("ton", "ta", "tes", "ton", "ton"),
    "his": ("son", "sa", "ses", "son", "son"),
    "her": ("son", "sa", "ses", "son", "son"),
}
_DETERMINERS = {
    "a": ("un", "une", "des", "un", "une"),
    "the": ("le", "la", "les", "le", "la"),
    "this": ("ce", "cette", "ces", "cet", "cette"),
    **_POSSESSIVES,
}
_USES = {
    "any": tuple(_DETERMINERS),
    "kin": tuple(_POSSESSIVES),
    "open": ("a", "the", "this"),
    "mass": ("a", "the"),
}
_WITH_ADJECTIVE = ("a", "the")


def find_adjective(english: str) -> Adjective:
    """Return the adjective of the lexicon with this English form."""
    return next(adjective for adjective in ADJECTIVES if adjective.en == english)


def find_noun(english: str) -> Noun:
    """Return the noun of the lexicon with this English singular."""
    return next(noun for noun in NOUNS if noun.en == english)


def described(noun: Noun, adjective: Adjective | None, plural: bool) -> tuple[str, str]:
    """Return noun and adjective, in the order of each language."""
    english = english_plural(noun) if plural else noun.en
    french = noun_form(noun, plural)
    if adjective is None:
        return english, french
    word = adjective_form(adjective, noun.gender, plural, french)
    french = f"{word} {french}" if adjective.before else f"{french} {word}"
    return f"{adjective.en} {english}", french


def _determined(article: str, french: str, gender: str, plural: bool) -> str:
    masculine, feminine, many, *before_vowel = _DETERMINERS[article]
    if plural:
        return f"{many} {french}"
    if starts_with_vowel(french):
        masculine, feminine = before_vowel
    return elide(masculine if gender == "m" else feminine, french)


def _indefinite(french: str, noun: Noun, plural: bool, preposed: bool) -> str:
    """Put un, une, des, or the partitive before a French noun with its adjective."""
    if noun.use == "mass":
        if starts_with_vowel(french):
            return f"de l'{french}"
        return f"du {french}" if noun.gender == "m" else f"de la {french}"
    if plural and preposed:
        # des becomes de before an adjective: de petites maisons.
        return elide("de", french)
    return _determined("a", french, noun.gender, plural)


def noun_phrase(
    noun: Noun, article: str, adjective: Adjective | None = None, plural: bool = False
) -> NounPhrase:
    """Build one noun phrase; `article` is the English determiner in the singular."""
    english, french = described(noun, adjective, plural)
    if article == "a":
        many = plural or noun.use == "mass"
        preposed = adjective is not None and adjective.before
        return NounPhrase(
            f"some {english}" if many else article_a(english),
            f"any {english}" if many else article_a(english),
            _indefinite(french, noun, plural, preposed),
            elide("de", french),
            noun,
            article,
            adjective,
            plural,
        )
    word = "these" if article == "this" and plural else article
    both = f"{word} {english}"
    french = _determined(article, french, noun.gender, plural)
    return NounPhrase(both, both, french, french, noun, article, adjective, plural)


def _phrases_of(noun: Noun) -> Iterator[NounPhrase]:
    plurals = (False, True) if noun.plural else (False,)
    for article in _USES[noun.use]:
        adjectives = noun.adjectives if article in _WITH_ADJECTIVE else ()
        for plural in plurals:
            yield noun_phrase(noun, article, None, plural)
            for english in adjectives:
                yield noun_phrase(noun, article, find_adjective(english), plural)


@cache
def noun_phrases(*kinds: str) -> tuple[NounPhrase, ...]:
    """Return every noun phrase whose noun is of one of these kinds, or all without any."""
    chosen = [noun for noun in NOUNS if not kinds or set(kinds) & set(noun.kinds)]
    return tuple(phrase for noun in chosen for phrase in _phrases_of(noun))
