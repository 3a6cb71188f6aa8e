"""Clauses: a subject with its verb, as a statement, a negation or a question."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .lexicon import Subject
from .morphology import (
    ENGLISH_BE,
    agreeing_participle,
    capital,
    elide,
    present,
)
from .verbs import BE, CAN, GO, MUST, WANT, Verb

NARROW_SPACE = "\u202f"
"""What French typography puts before ? and !"""
QUESTION_SPACE = NARROW_SPACE + "?"

_HAVE = ("ai", "as", "a", "avons", "ont")
_BE = present(BE)
_GO = present(GO)

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Finite:
    """A verb with its subject, in the parts that statement, negation and question need.

    English has the affirmative form, the negated auxiliary, and auxiliary and rest for
    the question; French has what ne and pas go around, and what follows.
    """

    subject: Subject
    affirmative: str
    negated: str
    auxiliary: str
    remainder: str
    french: str
    french_rest: str = ""


def _third(subject: Subject) -> bool:
    return subject.person == 2


def english_be(subject: Subject) -> str:
    """Return am, are or is."""
    return ENGLISH_BE[subject.person]


def with_be(subject: Subject, remainder: str, french: str, french_rest: str = "") -> Finite:
    """Build a verb whose English side is a form of be and `remainder`."""
    be = english_be(subject)
    return Finite(subject, f"{be} {remainder}", f"{be} not", be, remainder, french, french_rest)


@cache
def present_tense(subject: Subject, verb: Verb) -> Finite:
    """Conjugate in the present: French présent, English simple or progressive."""
    base, third, _, progressive, *preposition = verb.en
    after = " ".join(["", *preposition])
    french = present(verb)[subject.person]
    if not verb.stative:
        return with_be(subject, progressive + after, french)
    do = "does" if _third(subject) else "do"
    finite = (third if _third(subject) else base) + after
    return Finite(subject, finite, f"{do} not", do, base + after, french)


@cache
def past_tense(subject: Subject, verb: Verb) -> Finite:
    """Conjugate in the past: French passé composé, English simple past."""
    base, _, past, _, *preposition = verb.en
    after = " ".join(["", *preposition])
    forms = _BE if verb.auxiliary == "être" else _HAVE
    participle = agreeing_participle(verb, subject)
    return Finite(
        subject, past + after, "did not", "did", base + after, forms[subject.person], participle
    )


def infinitive(verb: Verb) -> Pair:
    """Return the infinitive in both languages, the English one with its preposition."""
    return " ".join([verb.en[0], *verb.en[4:]]), verb.fr


def _can(subject: Subject, english: str) -> Finite:
    french = CAN[subject.person]
    return Finite(subject, f"can {english}", "cannot", "can", english, french)


def _must(subject: Subject, english: str) -> Finite:
    french = MUST[subject.person]
    return Finite(subject, f"must {english}", "must not", "must", english, french)


def _going_to(subject: Subject, english: str) -> Finite:
    return with_be(subject, f"going to {english}", _GO[subject.person])


def _want_to(subject: Subject, english: str) -> Finite:
    third = _third(subject)
    do, finite = ("does", "wants to") if third else ("do", "want to")
    french = WANT[subject.person]
    negated = f"{do} not"
    return Finite(subject, f"{finite} {english}", negated, do, f"want to {english}", french)


MODALS: tuple[Callable[[Subject, str], Finite], ...] = (_can, _want_to, _going_to, _must)
"""How an English infinitive follows can, want to, be going to and must."""


def words(*parts: str) -> str:
    """Join the parts that are not empty with spaces."""
    return " ".join([part for part in parts if part])


def statement(verb: Finite, english: str = "", french: str = "") -> Pair:
    """Return "I ate an apple." with "J'ai mangé une pomme."."""
    subject = verb.subject
    french = words(elide(subject.fr, verb.french), verb.french_rest, french)
    return capital(words(subject.en, verb.affirmative, english)) + ".", capital(french) + "."


def negation(verb: Finite, english: str = "", french: str = "") -> Pair:
    """Return "I did not eat the apple." with "Je n'ai pas mangé la pomme."."""
    subject = verb.subject
    english = words(subject.en, verb.negated, verb.remainder, english)
    french = words(subject.fr, elide("ne", verb.french), "pas", verb.french_rest, french)
    return capital(english) + ".", capital(french) + "."


def question(verb: Finite, english: str = "", french: str = "", opening: Pair = ("", "")) -> Pair:
    """Return "Did she eat?" with "Est-ce qu'elle a mangé ?"; `opening` is when, why..."""
    subject = verb.subject
    english = words(opening[0], verb.auxiliary, subject.en, verb.remainder, english)
    clause = elide("que", elide(subject.fr, verb.french))
    french = words(opening[1], "est-ce", clause, verb.french_rest, french)
    return capital(english) + "?", f"{capital(french)}{NARROW_SPACE}?"


def exclamation(english: str, french: str) -> Pair:
    """Return both sides with a capital and an exclamation mark."""
    return capital(english) + "!", f"{capital(french)}{NARROW_SPACE}!"
