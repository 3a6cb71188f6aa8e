"""Sentence patterns about time: dates and times of day."""

from .actions import ASKED
from .clauses import Pair, negation, past_tense, present_tense, question, statement
from .lexicon import DAYS, MONTHS, SUBJECTS, Subject
from .morphology import agreeing_participle, capital, elide, present
from .numerals import all_dates, all_times, times_with_part, weekday_date, weekdays
from .patterns import LONGEST_ENGLISH, Pattern
from .verbs import ARRIVE, LEAVE, RETURN, Verb
from .verbs import BE as _TO_BE

_BE = present(_TO_BE)
_BORN = Verb(("", "", "", ""), "naître", participle="né", auxiliary="être")


def _today(when: Pair) -> Pair:
    return f"It is {when[0]}.", f"C'est {when[1]}."


def _weekday(day: Pair, when: Pair) -> Pair:
    english, french = weekday_date(day, when)
    return f"It is {english}.", f"Nous sommes {french}."


def _birth(subject: Subject, when: Pair) -> Pair:
    was = "was" if subject.person in (0, 2) else "were"
    born = f"{elide(subject.fr, _BE[subject.person])} {agreeing_participle(_BORN, subject)}"
    return capital(f"{subject.en} {was} born {when[0]}."), capital(f"{born} {when[1]}.")


def _does_when(shape, conjugate):
    def build(subject: Subject, verb: Verb, when: Pair) -> Pair:
        """Such as "Paul left on Monday."."""
        return shape(conjugate(subject, verb), *when)

    return build


def _it_is(when: Pair) -> Pair:
    return f"It is {when[0]}.", f"Il est {when[1]}."


def _date_patterns() -> list[Pattern]:
    dates = all_dates()
    on_dates = [(f"on {english}", french) for english, french in dates]
    in_months = [(f"in {english}", elide("en", french)) for english, french, _ in MONTHS]
    days = weekdays()
    verbs = (LEAVE, ARRIVE, RETURN)
    return [
        Pattern("date", 1, _today, (dates,)),
        Pattern("date", 2.5, _weekday, (DAYS, dates), LONGEST_ENGLISH),
        Pattern("date", 1.5, _birth, (SUBJECTS, on_dates + in_months + days)),
        Pattern("date", 1, _does_when(statement, past_tense), (SUBJECTS, verbs, on_dates + days)),
        Pattern("date", 1, _does_when(statement, present_tense), (SUBJECTS, verbs, days)),
    ]


def _time_patterns() -> list[Pattern]:
    times = all_times()
    at_times = [(f"at {english}", elide("à", french)) for english, french in times]
    verbs = (LEAVE, ARRIVE, RETURN)
    return [
        Pattern("time", 1, _it_is, (times + times_with_part(),)),
        Pattern("time", 2.5, _does_when(statement, past_tense), (SUBJECTS, verbs, at_times)),
        Pattern("time", 1.5, _does_when(statement, present_tense), (SUBJECTS, verbs, at_times)),
        Pattern("time", 1, _does_when(negation, past_tense), (SUBJECTS, verbs, at_times)),
        Pattern("time", 1, _does_when(question, past_tense), (ASKED, verbs, at_times)),
    ]


def moment_patterns() -> list[Pattern]:
    """Return the patterns of this module."""
    return [*_date_patterns(), *_time_patterns()]
