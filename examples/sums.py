"""Writes sums of two numbers of up to three digits and their results, divided by a tab.

python examples/sums.py 50000 > sums.tsv
"""

import random
import sys


def pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """So many different sums, of the million that there are."""
    drawn = random.Random(seed).sample(range(1_000_000), count)
    return [(f"{n // 1000}+{n % 1000}", str(n // 1000 + n % 1000)) for n in drawn]


if __name__ == "__main__":
    for source, target in pairs(int(sys.argv[1])):
        print(source, target, sep="\t")
