"""Writes dates as people write them, and as ISO 8601 does, divided by a tab.

python examples/dates.py 10000 > dates.tsv
"""

import datetime
import random
import sys

FIRST, DAYS = datetime.date(1950, 1, 1), 36_525  # A century.
FORMS = (
    "{d:%d.%m.%Y}",
    "{d:%d-%b-%Y}",
    "{d:%B} {d.day}, {d.year}",
    "{d.day} {d:%b} {d.year}",
    "{d:%b} {d.day} {d.year}",
    "{d:%A} {d.day} {d:%B} {d.year}",
)


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many different dates in one of the forms each, in any case of letters."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        date = FIRST + datetime.timedelta(draw.randrange(DAYS))
        text = draw.choice(FORMS).format(d=date)
        found[draw.choice((str, str.lower))(text)] = date.isoformat()
    return list(found.items())


if __name__ == "__main__":
    for source, target in pairs(int(sys.argv[1])):
        print(source, target, sep="\t")
