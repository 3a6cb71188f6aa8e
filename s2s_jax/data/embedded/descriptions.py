"""Sentence patterns that describe: how, where and how many things and people are."""

from .clauses import QUESTION_SPACE, Pair, english_be, exclamation, negation, question, statement
from .clauses import with_be as _with_be
from .lexicon import NOUNS, STATES, SUBJECTS, Adjective, Noun, Subject
from .morphology import adjective_form, capital, elide, english_plural, noun_form, present
from .numerals import english_number, french_number
from .patterns import LONGEST_ENGLISH, Pattern
from .phrases import NounPhrase, described, find_adjective, find_noun, noun_phrases
from .verbs import BE

_BE = present(BE)
_HAVE = ("ai", "as", "a", "avons", "ont")
_SHAPES = {"statement": statement, "negation": negation, "question": question}

Place = tuple[str, str]


def _is(shape: str):
    finish = _SHAPES[shape]

    def build(described_as: tuple[Subject, Adjective]) -> Pair:
        """Such as "Paul is tall."."""
        subject, adjective = described_as
        french = adjective_form(adjective, subject.gender, subject.plural)
        return finish(_with_be(subject, adjective.en, _BE[subject.person], french))

    return build


def _is_very(described_as: tuple[Subject, Adjective]) -> Pair:
    subject, adjective = described_as
    french = adjective_form(adjective, subject.gender, subject.plural)
    verb = _with_be(subject, f"very {adjective.en}", _BE[subject.person], f"très {french}")
    return statement(verb)


def _quality_patterns() -> list[Pattern]:
    states = [find_adjective(name) for name in STATES]
    people = [(subject, adjective) for subject in SUBJECTS for adjective in states]
    # "nouveau" hardly follows être, so "new" stays before its noun.
    things = [
        (phrase.as_subject(), find_adjective(name))
        for phrase in noun_phrases()
        if phrase.definite and phrase.adjective is None
        for name in phrase.noun.adjectives
        if name != "new"
    ]
    asked = [pair for pair in people if pair[0].en != "I"]
    gradable = [pair for pair in people + things if pair[1].en != "ready"]
    return [
        Pattern("quality", 1, _is("statement"), (people,)),
        Pattern("quality", 1, _is("negation"), (people,)),
        Pattern("quality", 1, _is("question"), (asked,)),
        Pattern("quality", 2.5, _is("statement"), (things,)),
        Pattern("quality", 1.5, _is("negation"), (things,)),
        Pattern("quality", 1.5, _is("question"), (things,)),
        Pattern("quality", 1, _is_very, (gradable,)),
    ]


_ROOMS: tuple[Place, ...] = (
    ("in the kitchen", "dans la cuisine"),
    ("in the garden", "dans le jardin"),
    ("in the house", "dans la maison"),
    ("in the car", "dans la voiture"),
    ("behind the house", "derrière la maison"),
    ("in front of the hotel", "devant l'hôtel"),
    ("at the station", "à la gare"),
)
_SPOTS: tuple[Place, ...] = (
    ("in the kitchen", "dans la cuisine"),
    ("in the house", "dans la maison"),
    ("in the car", "dans la voiture"),
    ("on the table", "sur la table"),
    ("under the table", "sous la table"),
    ("in the garden", "dans le jardin"),
)


def _is_in(shape: str):
    finish = _SHAPES[shape]

    def build(located: tuple[Subject, Place]) -> Pair:
        """Such as "Paul is in the garden."."""
        subject, (english, french) = located
        return finish(_with_be(subject, english, _BE[subject.person], french))

    return build


def _where(subject: Subject) -> Pair:
    french = f"où {_BE[subject.person]} {subject.fr}{QUESTION_SPACE}"
    return f"Where {english_be(subject)} {subject.en}?", capital(french)


def _there_is(phrase: NounPhrase, place: Place) -> Pair:
    be = "are" if phrase.plural else "is"
    return f"There {be} {phrase.en} {place[0]}.", f"Il y a {phrase.fr} {place[1]}."


def _there_is_no(phrase: NounPhrase, place: Place) -> Pair:
    be = "are" if phrase.plural else "is"
    english, _ = described(phrase.noun, phrase.adjective, phrase.plural)
    return f"There {be} no {english} {place[0]}.", f"Il n'y a pas {phrase.denied} {place[1]}."


def _is_there(phrase: NounPhrase, place: Place) -> Pair:
    be = "Are" if phrase.plural else "Is"
    french = f"Est-ce qu'il y a {phrase.fr} {place[1]}{QUESTION_SPACE}"
    return f"{be} there {phrase.asked} {place[0]}?", french


def _place_patterns() -> list[Pattern]:
    definite = [phrase for phrase in noun_phrases() if phrase.definite]
    things = [phrase for phrase in definite if "portable" in phrase.noun.kinds]
    # Inverting a pronoun takes a hyphen: "où sont-ils".
    named = [subject for subject in SUBJECTS if " " in subject.fr or subject.fr[0].isupper()]
    located = [(subject, place) for subject in SUBJECTS for place in _ROOMS]
    located += [(phrase.as_subject(), place) for phrase in things for place in _SPOTS]
    asked = [pair for pair in located if pair[0].en != "I"]
    sought = named + [phrase.as_subject() for phrase in definite]
    present_things = [phrase for phrase in noun_phrases("portable") if not phrase.definite]
    return [
        Pattern("place", 2, _is_in("statement"), (located,)),
        Pattern("place", 1, _is_in("negation"), (located,)),
        Pattern("place", 1, _is_in("question"), (asked,)),
        Pattern("place", 1, _there_is, (present_things, _SPOTS)),
        Pattern("place", 0.8, _there_is_no, (present_things, _SPOTS)),
        Pattern("place", 0.8, _is_there, (present_things, _SPOTS)),
        Pattern("wh-question", 0.7, _where, (sought,)),
    ]


def _age(subject: Subject, number: int) -> Pair:
    french = elide(subject.fr, _HAVE[subject.person])
    return (
        capital(f"{subject.en} {english_be(subject)} {english_number(number)} years old."),
        capital(f"{french} {french_number(number)} ans."),
    )


def _count(subject: Subject, number: int, noun: Noun) -> Pair:
    have = "has" if subject.person == 2 else "have"
    counted = f"{french_number(number, noun.gender == 'f')} {noun_form(noun, True)}"
    return (
        capital(f"{subject.en} {have} {english_number(number)} {english_plural(noun)}."),
        capital(f"{elide(subject.fr, _HAVE[subject.person])} {counted}."),
    )


def _price(phrase: NounPhrase, number: int) -> Pair:
    verbs = ("cost", "coûtent") if phrase.plural else ("costs", "coûte")
    return (
        capital(f"{phrase.en} {verbs[0]} {english_number(number)} euros."),
        capital(f"{phrase.fr} {verbs[1]} {french_number(number)} euros."),
    )


def _amount(number: int) -> Pair:
    return (
        capital(f"{english_number(number)} euros."),
        capital(f"{french_number(number)} euros."),
    )


def _number_patterns() -> list[Pattern]:
    counted = [
        find_noun(name)
        for name in ("book", "car", "cake", "egg", "apple", "orange", "letter", "friend", "cat")
    ]
    priced = [
        phrase
        for phrase in noun_phrases("ware", "animal", "snack")
        if phrase.article in ("the", "this") and phrase.adjective is None
    ]
    aged = [s for s in SUBJECTS if s.en not in ("the girls", "the children")]
    return [
        Pattern("number", 2, _age, (aged, range(2, 100))),
        Pattern("number", 2.5, _count, (SUBJECTS, range(2, 100), counted)),
        Pattern("number", 2, _price, (priced, range(2, 100))),
        Pattern("number", 1.5, _amount, (range(2, 10_000),), LONGEST_ENGLISH),
    ]


def _what_a(adjective_noun: tuple[Noun, Adjective, bool]) -> Pair:
    noun, adjective, plural = adjective_noun
    english, french = described(noun, adjective, plural)
    what = "quel" if noun.gender == "m" else "quelle"
    if not plural and noun.use != "mass":
        english = f"an {english}" if english[0] in "aeiou" else f"a {english}"
    return exclamation(f"what {english}", f"{what}{'s' if plural else ''} {french}")


def _exclamation_patterns() -> list[Pattern]:
    admired = [
        (noun, find_adjective(name), plural)
        for noun in NOUNS
        for name in noun.adjectives
        if name in ("beautiful", "good", "big", "small", "old", "sad")
        for plural in ((False, True) if noun.plural else (False,))
    ]
    return [Pattern("exclamation", 0.5, _what_a, (admired,))]


def description_patterns() -> list[Pattern]:
    """Return the patterns of this module."""
    return [
        *_quality_patterns(),
        *_place_patterns(),
        *_number_patterns(),
        *_exclamation_patterns(),
    ]
