"""Sentence patterns of everyday talk: greetings, commands, I won, I'm hungry, he's asleep."""

import re
from collections.abc import Callable
from functools import cache

from .actions import ASKED, SHAPES, TENSES
from .clauses import NARROW_SPACE, Finite, Pair, past_tense, statement, with_be
from .lexicon import STATES, SUBJECTS, Adjective, Subject
from .morphology import adjective_form, present
from .patterns import Pattern
from .phrasebook import CALLED, COMMANDS, GREETINGS, SENTENCES
from .phrases import find_adjective
from .verbs import BE, EVERYDAY_VERBS, Verb

_HAVE = ("ai", "as", "a", "avons", "ont")
_FEELINGS = (
    ("hungry", "faim"),
    ("thirsty", "soif"),
    ("sleepy", "sommeil"),
    ("cold", "froid"),
    ("hot", "chaud"),
    ("afraid", "peur"),
    ("right", "raison"),
    ("wrong", "tort"),
)
"""What one is in English and has in French."""

_CONTRACTIONS = (
    (r"^I am\b", "I'm"),
    (r"^(You|We|They) are\b", r"\1're"),
    (r"^(He|She|It|That) is\b", r"\1's"),
    (r"\b([Dd]o|does|did) not\b", r"\1n't"),
)
_NEGATIONS = ((r"\b(is|are) not\b", r"\1n't"),)
_NOBODY = ("", "")


def _said(english: str, french: str, called: Pair, mark: str) -> Pair:
    names = [f", {name}" if name else "" for name in called]
    space = "" if mark == "." else NARROW_SPACE
    return f"{english}{names[0]}{mark}", f"{french}{names[1]}{space}{mark}"


def _call(call: Pair, called: Pair, mark: str) -> Pair:
    """Return "Hello, Tom!" with "Bonjour, Tom !", or without the name."""
    return _said(*call, called, mark)


def _sentence(sentence: Pair, called: Pair) -> Pair:
    english, french = sentence
    return _said(english[:-1], french[:-1].rstrip(), called, english[-1])


def _my_name(name: Pair) -> Pair:
    return f"My name is {name[0]}.", f"Je m'appelle {name[1]}."


def _contracted(build: Callable[..., Pair | None], contractions=_CONTRACTIONS):
    """Build what `build` does as one says it: "I'm" for "I am"; None without such words."""

    def contract(*parts) -> Pair | None:
        """The pair as one says it; None without such words."""
        pair = build(*parts)
        if pair is None:
            return None
        english, french = pair
        for written, spoken in contractions:
            english = re.sub(written, spoken, english)
        return None if english == pair[0] else (english, french)

    return contract


def _feels(shape: str):
    finish = SHAPES[shape]

    def build(subject: Subject, feeling: Pair) -> Pair:
        """Such as "I'm hungry."; it is "avoir" in French."""
        english, french = feeling
        return finish(with_be(subject, english, _HAVE[subject.person], french))

    return build


def _is(shape: str):
    finish = SHAPES[shape]

    def build(subject: Subject, state: Adjective) -> Pair:
        """Such as "I'm tired."."""
        french = adjective_form(state, subject.gender, subject.plural)
        return finish(with_be(subject, state.en, present(BE)[subject.person], french))

    return build


def _does(shape: str, tense: str):
    finish, conjugate = SHAPES[shape], TENSES[tense]

    def build(subject: Subject, verb: Verb) -> Pair:
        """Such as "Paul slept."."""
        return finish(conjugate(subject, verb))

    return build


def _exclaimed(subject: Subject, verb: Verb) -> Pair:
    finite: Finite = past_tense(subject, verb)
    english, french = statement(finite)
    return f"{english[:-1]}!", f"{french[:-1]}{NARROW_SPACE}!"


def _phrasebook_patterns() -> list[Pattern]:
    calls, marks = (*GREETINGS, *COMMANDS), (".", "!")
    patterns = []
    # A phrase that stood only once would not be learnt, and its words would count as unknown.
    for weight, called in ((2, (_NOBODY,)), (3, CALLED)):
        patterns += [
            Pattern("everyday", weight, _call, (calls, called, marks)),
            Pattern("everyday", weight, _sentence, (SENTENCES, called)),
            Pattern("everyday", weight / 2, _contracted(_call), (calls, called, marks)),
            Pattern("everyday", weight / 2, _contracted(_sentence), (SENTENCES, called)),
        ]
    names = [name for name in CALLED if name[0] == name[1]]
    return [*patterns, Pattern("everyday", 0.1, _my_name, (names,))]


def _short_patterns() -> list[Pattern]:
    states = [find_adjective(name) for name in STATES]
    told = ("statement", "negation")
    feelings = [(shape, _feels(shape), _FEELINGS) for shape in (*told, "question")]
    spoken = [(shape, _contracted(_feels(shape)), _FEELINGS) for shape in told]
    spoken += [(shape, _contracted(_is(shape)), states) for shape in told]
    spoken += [("negation", _contracted(_feels("negation"), _NEGATIONS), _FEELINGS)]
    spoken += [("negation", _contracted(_is("negation"), _NEGATIONS), states)]
    doing = [(shape, _does(shape, tense)) for shape in SHAPES for tense in TENSES]
    doing += [(shape, _contracted(_does(shape, tense))) for shape in told for tense in TENSES]
    doing.append(("statement", _exclaimed))
    return [
        *(
            Pattern("short", 0.25, build, (ASKED if shape == "question" else SUBJECTS, axis))
            for shape, build, axis in feelings + spoken
        ),
        *(
            Pattern(
                "short", 0.4, build, (ASKED if shape == "question" else SUBJECTS, EVERYDAY_VERBS)
            )
            for shape, build in doing
        ),
    ]


def everyday_patterns() -> list[Pattern]:
    """Return the patterns of this module."""
    return [*_phrasebook_patterns(), *_short_patterns()]


@cache
def set_phrases() -> frozenset[Pair]:
    """Return every sentence that follows no rule and has to be learnt by heart."""
    return frozenset(
        pair
        for pattern in _phrasebook_patterns()
        for pair in map(pattern.sentence, range(pattern.size))
        if pair is not None
    )
