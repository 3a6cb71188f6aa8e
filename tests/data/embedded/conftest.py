"""A large draw from the embedded corpus, which several modules look at."""

from itertools import islice

import pytest

from s2s_jax.data.embedded import embedded_pairs


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """The first fifty thousand."""
    return list(islice(embedded_pairs(0), 50_000))


@pytest.fixture(scope="session")
def french(pairs) -> str:
    """Every French sentence in lower case, one a line."""
    return "\n".join(target for _, target in pairs).lower()
