"""Sentence patterns with an action: who does what, with or without a modal verb."""

from .clauses import (
    MODALS,
    QUESTION_SPACE,
    Finite,
    Pair,
    exclamation,
    infinitive,
    negation,
    past_tense,
    present_tense,
    question,
    statement,
)
from .lexicon import PRONOUNS, SUBJECTS, Noun, Subject
from .morphology import elide, english_plural, imperative, noun_form
from .patterns import SHORT, Pattern
from .phrases import NounPhrase, noun_phrases
from .verbs import LOVE, VERBS, Verb

ASKED = tuple(subject for subject in SUBJECTS if subject.en != "I")
"""The subjects of questions: one hardly asks about oneself."""

Action = tuple[Verb, NounPhrase]
TENSES = {"present": present_tense, "past": past_tense}
SHAPES = {"statement": statement, "negation": negation, "question": question}


def object_pair(shape: str, phrase: NounPhrase) -> Pair:
    """Return an object as it stands in this shape: some, any, des or de."""
    if shape == "statement":
        return phrase.en, phrase.fr
    return phrase.asked, phrase.denied if shape == "negation" else phrase.fr


_SHORTEST = {"present": 0, "past": 2, "infinitive": 0}


def _actions(tense: str) -> list[Action]:
    """Return every verb used in `tense` with each object that makes sense for it."""
    return [
        (verb, phrase)
        for verb in VERBS
        if tense in verb.tenses
        for phrase in noun_phrases(*verb.objects)
        if not verb.articles or phrase.definite == (verb.articles == "definite")
        # What is too long even after "I" would be drawn only to be rejected.
        if len(f"I {verb.en[_SHORTEST[tense]]} {phrase.en}.") <= SHORT
    ]


def _acts(shape: str, tense: str):
    finish, conjugate = SHAPES[shape], TENSES[tense]

    def build(subject: Subject, action: Action) -> Pair | None:
        """Such as "Paul is eating an apple."; None where people would meet themselves."""
        verb, phrase = action
        # Nobody sees "my sister" when my sister is the one who sees.
        if phrase.en == subject.en:
            return None
        return finish(conjugate(subject, verb), *object_pair(shape, phrase))

    return build


def _modal(shape: str):
    finish = SHAPES[shape]

    def build(subject: Subject, modal, action: Action) -> Pair | None:
        """Such as "Paul wants to eat an apple."; None where people would meet themselves."""
        verb, phrase = action
        if phrase.en == subject.en:
            return None
        base, french_base = infinitive(verb)
        english, french = object_pair(shape, phrase)
        return finish(modal(subject, base), english, f"{french_base} {french}")

    return build


def _who(tense: str):
    conjugate, third = TENSES[tense], SUBJECTS[2]

    def build(action: Action) -> Pair:
        """Such as "Who is eating an apple?"."""
        verb, phrase = action
        finite = conjugate(third, verb)
        rest = f" {finite.french_rest}" if finite.french_rest else ""
        return (
            f"Who {finite.affirmative} {phrase.en}?",
            f"Qui {finite.french}{rest} {phrase.fr}{QUESTION_SPACE}",
        )

    return build


def _why(subject: Subject, action: Action) -> Pair | None:
    verb, phrase = action
    if phrase.en == subject.en:
        return None
    return question(past_tense(subject, verb), phrase.en, phrase.fr, ("why", "pourquoi"))


def _how_many(subject: Subject, counted: tuple[Verb, Noun]) -> Pair:
    verb, noun = counted
    things = (f"how many {english_plural(noun)}", f"combien {elide('de', noun_form(noun, True))}")
    return question(present_tense(subject, verb), opening=things)


def _action_patterns() -> list[Pattern]:
    present, past = _actions("present"), _actions("past")
    base = [
        (verb, phrase)
        for verb, phrase in _actions("infinitive")
        if phrase.adjective is None and len(f"I can {infinitive(verb)[0]} {phrase.en}.") <= SHORT
    ]
    counted = sorted(
        {
            (verb.en[0], phrase.noun.en): (verb, phrase.noun)
            for verb, phrase in present
            if verb.en[0] in ("have", "want") and phrase.plural
        }.items()
    )
    some_modals = {"statement": MODALS, "negation": MODALS, "question": MODALS[:-1]}
    asking = {"statement": SUBJECTS, "negation": SUBJECTS, "question": ASKED}
    return [
        Pattern("present", 11, _acts("statement", "present"), (SUBJECTS, present), SHORT),
        Pattern("past", 11, _acts("statement", "past"), (SUBJECTS, past), SHORT),
        Pattern("negation", 5, _acts("negation", "present"), (SUBJECTS, present), SHORT),
        Pattern("negation", 5, _acts("negation", "past"), (SUBJECTS, past), SHORT),
        Pattern("question", 4, _acts("question", "present"), (ASKED, present), SHORT),
        Pattern("question", 4, _acts("question", "past"), (ASKED, past), SHORT),
        *(
            Pattern(
                "modal", weight, _modal(shape), (asking[shape], some_modals[shape], base), SHORT
            )
            for shape, weight in (("statement", 5), ("negation", 2), ("question", 2))
        ),
        Pattern("wh-question", 1, _who("present"), (present,), SHORT),
        Pattern("wh-question", 1.5, _who("past"), (past,), SHORT),
        Pattern("wh-question", 1, _why, (ASKED, past)),
        Pattern("wh-question", 0.5, _how_many, (ASKED, [entry for _, entry in counted])),
    ]


def _clitic_verb(subject: Subject, verb: Verb, clitic: str) -> Finite:
    plain = present_tense(subject, verb)
    return Finite(
        subject,
        plain.affirmative,
        plain.negated,
        plain.auxiliary,
        plain.remainder,
        elide(clitic, plain.french),
    )


def _clitic(shape: str):
    finish = SHAPES[shape]

    def build(meeting: tuple[Subject, Pair], verb: Verb) -> Pair:
        """Such as "Paul sees me."; the pronoun precedes the verb in French."""
        subject, (english, french) = meeting
        return finish(_clitic_verb(subject, verb, french), english)

    return build


def _modal_clitic(shape: str):
    finish = SHAPES[shape]

    def build(meeting: tuple[Subject, Pair], modal, verb: Verb) -> Pair:
        """Such as "Paul wants to see me."; the pronoun precedes the infinitive in French."""
        subject, (english, french) = meeting
        base, french_base = infinitive(verb)
        return finish(modal(subject, base), english, elide(french, french_base))

    return build


def _pronoun_patterns() -> list[Pattern]:
    french = ("voir", "chercher", "attendre", "aider", "connaître")
    verbs = [verb for verb in VERBS if verb.fr in french] + [LOVE]
    bases = [verb for verb in verbs if "infinitive" in verb.tenses and verb is not LOVE]
    # "I ... me" would be reflexive, and a form of another kind.
    reflexive = {"I": ("me", "us"), "you": ("you",), "we": ("us", "me")}
    meetings = [
        (subject, pronoun)
        for subject in SUBJECTS
        for pronoun in PRONOUNS
        if pronoun[0] not in reflexive.get(subject.en, ())
    ]
    asked = [meeting for meeting in meetings if meeting[0].en != "I"]
    return [
        Pattern("pronoun", 2, _clitic("statement"), (meetings, verbs)),
        Pattern("pronoun", 1, _clitic("negation"), (meetings, verbs)),
        Pattern("pronoun", 1, _clitic("question"), (asked, verbs)),
        Pattern("pronoun", 1, _modal_clitic("statement"), (meetings, MODALS, bases)),
        Pattern("pronoun", 1, _modal_clitic("negation"), (meetings, MODALS, bases)),
    ]


def _imperative(action: Action) -> Pair:
    verb, phrase = action
    base, _ = infinitive(verb)
    return exclamation(f"{base} {phrase.en}", f"{imperative(verb)} {phrase.fr}")


def _prohibition(action: Action) -> Pair:
    verb, phrase = action
    base, _ = infinitive(verb)
    french = elide("ne", imperative(verb))
    return exclamation(f"do not {base} {phrase.asked}", f"{french} pas {phrase.denied}")


def _command_patterns() -> list[Pattern]:
    commands = [
        (verb, phrase)
        for verb, phrase in _actions("infinitive")
        if not verb.stative and "present" in verb.tenses
    ]
    return [
        Pattern("exclamation", 2.5, _imperative, (commands,)),
        Pattern("exclamation", 2, _prohibition, (commands,)),
    ]


def action_patterns() -> list[Pattern]:
    """Return the patterns of this module."""
    return [
        *_action_patterns(),
        *_pronoun_patterns(),
        *_command_patterns(),
    ]
