"""Writes dates as people write them, and as ISO 8601 does, divided by a tab.

python examples/dates.py 10000 > dates.tsv
"""

import argparse
import datetime
import random

FIRST, DAYS = datetime.date(1950, 1, 1), 36_525  # A century.
FORMS = (
    "{d:%d.%m.%Y}",
    "{d:%d-%b-%Y}",
    "{d:%B} {d.day}, {d.year}",
    "{d.day} {d:%b} {d.year}",
    "{d:%b} {d.day} {d.year}",
    "{d:%A} {d.day} {d:%B} {d.year}",
)
MOST = 100_000


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many different dates in one of the forms each, in any case of letters."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        date = FIRST + datetime.timedelta(draw.randrange(DAYS))
        text = draw.choice(FORMS).format(d=date)
        found[draw.choice((str, str.lower))(text)] = date.isoformat()
    return list(found.items())


def count(text: str) -> int:
    """The number asked for; ArgumentTypeError when there are not so many."""
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST:,}, not {text}")
    return int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes dates as people do, and in ISO 8601.")
    parser.add_argument("count", type=count, metavar="COUNT")
    for source, target in pairs(parser.parse_args().count):
        print(source, target, sep="\t")
