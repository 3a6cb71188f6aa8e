"""Numbers, dates and times of day in English and French words.

French numbers follow the traditional orthography: hyphens only below one hundred and not
around "et" (vingt et un, deux cent trois, mille neuf cent quatre-vingts).
"""

from ...errors import UserError
from .lexicon import DAYS, MONTHS
from .morphology import elide

LARGEST = 9_999

_ENGLISH = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_ENGLISH_TENS = [
    ".",
    ".",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
    "twenty": "twentieth",
    "thirty": "thirtieth",
}
_FRENCH = [
    "zéro",
    "un",
    "deux",
    "trois",
    "quatre",
    "cinq",
    "six",
    "sept",
    "huit",
    "neuf",
    "dix",
    "onze",
    "douze",
    "treize",
    "quatorze",
    "quinze",
    "seize",
    "dix-sept",
    "dix-huit",
    "dix-neuf",
]
_FRENCH_TENS = [
    ".",
    ".",
    "vingt",
    "trente",
    "quarante",
    "cinquante",
    "soixante",
    "soixante",
    "quatre-vingt",
]


def _check(number: int) -> None:
    if not 0 <= number <= LARGEST:
        raise UserError(
            f"a number from 0 to {LARGEST} is required, got {number}: take one in that range"
        )


def english_number(number: int) -> str:
    """Write a number from 0 to 9,999 in English words, with "and" before the last part."""
    _check(number)
    if number < 20:
        return _ENGLISH[number]
    if number < 100:
        tens = _ENGLISH_TENS[number // 10]
        return f"{tens}-{_ENGLISH[number % 10]}" if number % 10 else tens
    unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head = f"{english_number(number // unit)} {name}"
    rest = number % unit
    if not rest:
        return head
    return f"{head} {english_number(rest)}" if rest >= 100 else f"{head} and {english_number(rest)}"


def english_ordinal(number: int) -> str:
    """Write an ordinal from first to thirty-first in English words."""
    words = english_number(number)
    head, hyphen, last = words.rpartition("-")
    return head + hyphen + _ORDINALS.get(last, last + "th")


def _french_below_hundred(number: int) -> str:
    if number < 20:
        return _FRENCH[number]
    tens = min(number // 10, 8)
    if tens == 7:
        tens = 6
    rest = number - 10 * tens
    if number == 80:
        return "quatre-vingts"
    if not rest:
        return _FRENCH_TENS[tens]
    # vingt et un, soixante et onze; but quatre-vingt-un, quatre-vingt-onze.
    joint = " et " if rest in (1, 11) and tens < 8 else "-"
    return _FRENCH_TENS[tens] + joint + _FRENCH[rest]


def french_number(number: int, feminine: bool = False) -> str:
    """Write a number from 0 to 9,999 in French words; un becomes une before a feminine."""
    _check(number)
    parts = []
    thousands, rest = divmod(number, 1000)
    if thousands:
        parts += ["mille"] if thousands == 1 else [_FRENCH[thousands], "mille"]
    hundreds, rest = divmod(rest, 100)
    if hundreds:
        # cent takes its s only when multiplied and last.
        name = "cents" if hundreds > 1 and not rest else "cent"
        parts += [name] if hundreds == 1 else [_FRENCH[hundreds], name]
    if rest or not parts:
        parts.append(_french_below_hundred(rest))
    words = " ".join(parts)
    ends_in_un = words == "un" or words.endswith((" un", "-un"))
    return words + "e" if feminine and ends_in_un else words


def date(day: int, month: int) -> tuple[str, str]:
    """Return ("the third of May", "le trois mai") for day 3 and month 4 (May)."""
    english, french, _ = MONTHS[month]
    ordinal = "premier" if day == 1 else french_number(day)
    return f"the {english_ordinal(day)} of {english}", elide("le", f"{ordinal} {french}")


def all_dates() -> list[tuple[str, str]]:
    """Return every day of the year, the twenty-ninth of February included."""
    return [date(day + 1, month) for month in range(12) for day in range(MONTHS[month][2])]


def weekday_date(day: tuple[str, str], when: tuple[str, str]) -> tuple[str, str]:
    """Return ("Monday, the third of May", "le lundi trois mai")."""
    return f"{day[0]}, {when[0]}", f"le {day[1]} {when[1].removeprefix('le ')}"


def _hour(hour: int) -> tuple[str, str]:
    """Return an hour as it stands after "past" or "to"; 0 is midnight and 12 is noon."""
    if hour % 12 == 0:
        return ("noon", "midi") if hour == 12 else ("midnight", "minuit")
    return english_number(hour), french_number(hour, feminine=True) + (
        " heure" if hour == 1 else " heures"
    )


def time_of_day(hour: int, minute: int) -> tuple[str, str]:
    """Return ("a quarter past three", "trois heures et quart") for 3:15.

    `hour` runs from 0 (midnight) to 12 (noon), `minute` from 0 to 55 in steps of five;
    after the half hour both languages count from the next hour.
    """
    english, french = _hour(hour if minute <= 30 else (hour + 1) % 13)
    if minute == 0:
        return english if hour % 12 == 0 else f"{english} o'clock", french
    if minute == 15:
        return f"a quarter past {english}", f"{french} et quart"
    if minute == 30:
        # demi agrees with heure, and is masculine after midi and minuit.
        return f"half past {english}", f"{french} et demi" + ("e" if hour % 12 else "")
    if minute < 30:
        return f"{english_number(minute)} past {english}", f"{french} {french_number(minute)}"
    if minute == 45:
        return f"a quarter to {english}", f"{french} moins le quart"
    left = 60 - minute
    return f"{english_number(left)} to {english}", f"{french} moins {french_number(left)}"


def all_times() -> list[tuple[str, str]]:
    """Return every time of day in steps of five minutes on a twelve-hour clock."""
    times = [time_of_day(hour, minute) for hour in range(12) for minute in range(0, 60, 5)]
    return times + [time_of_day(12, minute) for minute in range(0, 35, 5)]


def times_with_part() -> list[tuple[str, str]]:
    """Return the hours and half hours with the part of the day: three in the morning."""
    parts = (
        ("in the morning", "du matin", range(1, 12)),
        ("in the afternoon", "de l'après-midi", range(1, 6)),
        ("in the evening", "du soir", range(6, 12)),
    )
    found = []
    for english, french, hours in parts:
        for hour in hours:
            for minute in (0, 15, 30):
                when = time_of_day(hour, minute)
                found.append((f"{when[0]} {english}", f"{when[1]} {french}"))
    return found


def weekdays() -> list[tuple[str, str]]:
    """Return ("on Monday", "lundi") and so on: a single day takes no article in French."""
    return [(f"on {english}", french) for english, french in DAYS]
