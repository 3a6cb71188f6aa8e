"""Word-level rules: French elision, contraction, agreement and conjugation; English a/an."""

from .lexicon import Adjective, Noun, Subject
from .verbs import Verb

_VOWELS = frozenset("aàâeéèêiîoôuùûœh")
_NO_ELISION = frozenset({"huit", "onze"})
"""Words that look as if they started with a vowel or mute h, but allow no elision.

A noun with an aspirated h would be listed here too; the lexicon has none.
"""
_ELIDED = {
    "je": "j'",
    "ne": "n'",
    "de": "d'",
    "que": "qu'",
    "le": "l'",
    "la": "l'",
    "me": "m'",
    "te": "t'",
}
_CONTRACTED = {
    ("à", "le"): "au",
    ("à", "les"): "aux",
    ("de", "le"): "du",
    ("de", "les"): "des",
}
ENGLISH_BE = ("am", "are", "is", "are", "are")


def starts_with_vowel(text: str) -> bool:
    """Tell whether a word before `text` is elided or takes its form before a vowel."""
    if text[:1].lower() not in _VOWELS:
        return False
    return text.split(" ", 1)[0] not in _NO_ELISION


def elide(word: str, following: str) -> str:
    """Put `word` before `following`: "je" + "ai" is "j'ai", "je" + "vois" is "je vois"."""
    if word in _ELIDED and starts_with_vowel(following):
        return _ELIDED[word] + following
    return f"{word} {following}"


def contract(preposition: str, phrase: str) -> str:
    """Put "à" or "de" before a noun phrase: "de" + "le film" is "du film"."""
    first, _, rest = phrase.partition(" ")
    contracted = _CONTRACTED.get((preposition, first))
    return f"{contracted} {rest}" if contracted else elide(preposition, phrase)


def capital(text: str) -> str:
    """Return `text` with its first letter in upper case and the others as they were."""
    return text[0].upper() + text[1:]


def article_a(phrase: str) -> str:
    """Put "a" or "an" before an English phrase; spelling decides for every word we have."""
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def english_plural(noun: Noun) -> str:
    """Return the English plural: the one stored, or the singular with s."""
    return noun.en_plural or noun.en + "s"


def french_plural(word: str) -> str:
    """Return the regular plural of a French noun or adjective."""
    if word[-1] in "sxz":
        return word
    return word + ("x" if word.endswith(("eau", "eu")) and word != "bleu" else "s")


def noun_form(noun: Noun, plural: bool) -> str:
    """Return the French noun in the number asked for."""
    if not plural:
        return noun.fr
    return noun.fr_plural or french_plural(noun.fr)


def feminine(word: str) -> str:
    """Return the regular feminine singular of an adjective or participle."""
    if word.endswith("e"):
        return word
    if word.endswith("er"):
        return word[:-2] + "ère"
    if word.endswith("eux"):
        return word[:-1] + "se"
    return word + "e"


def adjective_form(adjective: Adjective, gender: str, plural: bool, following: str = "") -> str:
    """Return the adjective in agreement; `following` is the noun when it comes after."""
    if gender == "f":
        word = adjective.feminine or feminine(adjective.masculine)
    elif not plural and adjective.liaison and starts_with_vowel(following):
        return adjective.liaison
    else:
        word = adjective.masculine
    return french_plural(word) if plural else word


def participle(verb: Verb) -> str:
    """Return the past participle, masculine singular."""
    return verb.participle or verb.fr[:-2] + "é"


def agreeing_participle(verb: Verb, subject: Subject) -> str:
    """Return the past participle; only with être does it agree with the subject."""
    word = participle(verb)
    if verb.auxiliary == "avoir":
        return word
    if subject.gender == "f":
        word = feminine(word)
    return french_plural(word) if subject.plural else word


def present(verb: Verb) -> tuple[str, ...]:
    """Return the present of je, tu, il, nous, ils: stored, or that of a verb in -er."""
    if verb.present:
        return verb.present
    stem = verb.fr[:-2]
    # The e keeps the g soft: nous mangeons.
    nous = stem + ("eons" if stem.endswith("g") else "ons")
    return (stem + "e", stem + "es", stem + "e", nous, stem + "ent")


def imperative(verb: Verb) -> str:
    """Return the tu imperative: the present, without s for a verb in -er."""
    word = present(verb)[1]
    return word[:-1] if verb.fr.endswith("er") else word
