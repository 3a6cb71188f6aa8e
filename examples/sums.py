"""Writes sums of two numbers of up to three digits and their results, divided by a tab.

python examples/sums.py 50000 > sums.tsv
"""

import argparse
import random

MOST = 1_000_000


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many different sums, of the million that there are."""
    drawn = random.Random(seed).sample(range(MOST), count)
    return [(f"{n // 1000}+{n % 1000}", str(n // 1000 + n % 1000)) for n in drawn]


def count(text: str) -> int:
    """The number asked for; ArgumentTypeError when there are not so many."""
    if not text.isdecimal() or not 0 < int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"must be 1 to {MOST:,}, not {text}")
    return int(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Writes sums of two numbers, and their results.")
    parser.add_argument("count", type=count, metavar="COUNT")
    for source, target in pairs(parser.parse_args().count):
        print(source, target, sep="\t")
