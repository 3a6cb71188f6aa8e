import pytest

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam": 0}, "`beam` must be a whole number of at least 1, not 0"),
        ({"beam": 2.0}, "`beam`"),
        ({"beam": 10**9}, "`beam` must be at most 1000"),
        ({"n_best": 0}, "`n_best`"),
        ({"n_best": 3}, "`n_best` 3 .* `beam` is 1"),
        ({"beam": 4, "n_best": 5}, "`n_best` 5 .* `beam` is 4"),
        ({"beam": 4, "length_penalty": -0.1}, "`length_penalty`"),
        ({"beam": 4, "length_penalty": 50}, "`length_penalty` must be at most 5"),
        ({"sample": True, "temperature": 0}, "`temperature` must be a number above 0"),
        ({"sample": True, "temperature": -1.0}, "`temperature`"),
        ({"sample": True, "temperature": NAN}, "`temperature`"),
        ({"sample": True, "top_p": 0.0}, "`top_p` must be a number above 0"),
        ({"sample": True, "top_p": 1.5}, "`top_p` must be at most 1"),
        ({"sample": True, "top_p": NAN}, "`top_p`"),
        ({"sample": True, "top_k": -1}, "`top_k`"),
        ({"seed": -1}, "`seed`"),
        ({"seed": 2**32}, "`seed`"),
        ({"sample": True, "beam": 2}, "`sample` .* `beam`"),
        ({"temperature": 0.5}, "`sample`"),
        ({"top_k": 5}, "`sample`"),
        ({"top_p": 0.5}, "`sample`"),
        ({"max_length": -1}, "`max_length`"),
        ({"max_length": 10**9}, "`max_length`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"strict": 1}, "`strict`"),
    ],
)
def test_what_is_out_of_range_is_named(options, words):
    with pytest.raises(UserError, match=words):
        DecodeConfig(**options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam": 5, "n_best": 5, "length_penalty": 0},
        {"sample": True, "temperature": 2, "top_k": 3, "top_p": 1, "seed": 2**32 - 1},
    ],
)
def test_what_is_in_range_is_taken(options):
    config = DecodeConfig(**options)
    assert {name: getattr(config, name) for name in options} == options
