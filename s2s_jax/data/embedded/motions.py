"""Sentence patterns with à and de: going somewhere, giving to someone, talking about it."""

from .actions import ASKED, SHAPES, TENSES
from .clauses import Pair, past_tense, present_tense, statement
from .lexicon import SUBJECTS, Subject
from .morphology import capital, contract
from .patterns import Pattern
from .phrases import NounPhrase, noun_phrases
from .verbs import ARRIVE, GIVE, GO, RETURN, STAY, TALK, Verb

Move = tuple[Verb, str, str]


def _moves(shape: str, tense: str):
    finish, conjugate = SHAPES[shape], TENSES[tense]

    def build(subject: Subject, move: Move, place: NounPhrase) -> Pair:
        """Such as "Paul went to the market."."""
        verb, english, french = move
        return finish(conjugate(subject, verb), f"{english} {place.en}", contract(french, place.fr))

    return build


def _give(subject: Subject, conjugate, gift: NounPhrase, receiver: Pair) -> Pair | None:
    if receiver[0] == subject.en:
        return None
    given = f"{gift.fr} {contract('à', receiver[1])}"
    return statement(conjugate(subject, GIVE), f"{gift.en} to {receiver[0]}", given)


def _talk(shape: str):
    finish = SHAPES[shape]

    def build(subject: Subject, conjugate, topic: tuple[str, str, Pair]) -> Pair | None:
        """Such as "Paul talked to the children."; None where people would talk to themselves."""
        english, french, (name, french_name) = topic
        if name == subject.en:
            return None
        verb = conjugate(subject, TALK)
        return finish(verb, f"{english} {name}", contract(french, french_name))

    return build


def _motion_patterns() -> list[Pattern]:
    moves: list[Move] = [
        (GO, "to", "à"),
        (RETURN, "from", "de"),
        (ARRIVE, "at", "à"),
        (STAY, "at", "à"),
    ]
    places = [
        phrase
        for phrase in noun_phrases("place")
        if phrase.article in ("the", "this") and phrase.noun.en != "garden"
    ]
    return [
        Pattern("motion", 3, _moves("statement", "past"), (SUBJECTS, moves, places)),
        Pattern("motion", 2, _moves("statement", "present"), (SUBJECTS, moves, places)),
        Pattern("motion", 1.5, _moves("negation", "past"), (SUBJECTS, moves, places)),
        Pattern("motion", 1.5, _moves("question", "past"), (ASKED, moves, places)),
    ]


def _sharing_patterns() -> list[Pattern]:
    plain = [
        phrase
        for phrase in noun_phrases("kin", "person")
        if phrase.definite and phrase.adjective is None
    ]
    people = [(phrase.en, phrase.fr) for phrase in plain]
    receivers = [(phrase.en, phrase.fr) for phrase in plain if phrase.article in ("the", "my")]
    people += [
        (subject.en, subject.fr)
        for subject in SUBJECTS
        if subject.en == capital(subject.en) and subject.en != "I"
    ]
    things = [
        (phrase.en, phrase.fr)
        for phrase in noun_phrases("show", "text", "animal", "ride", "home")
        if phrase.definite
    ]
    topics = [("to", "à", person) for person in people]
    topics += [("about", "de", topic) for topic in people + things]
    tenses = (present_tense, past_tense)
    gifts = [phrase for phrase in noun_phrases("portable") if phrase.adjective is None]
    return [
        Pattern("sharing", 2.5, _give, (SUBJECTS, tenses, gifts, receivers)),
        Pattern("sharing", 2, _talk("statement"), (SUBJECTS, tenses, topics)),
        Pattern("sharing", 1, _talk("negation"), (SUBJECTS, tenses, topics)),
        Pattern("sharing", 1, _talk("question"), (ASKED, tenses, topics)),
    ]


def motion_patterns() -> list[Pattern]:
    """Return the patterns of this module."""
    return [*_motion_patterns(), *_sharing_patterns()]
