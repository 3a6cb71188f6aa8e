import pytest

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translation import Hypothesis
from s2s_jax.errors import UserError
from s2s_jax.serving.conversation import (
    changed,
    coloured,
    described,
    is_setting,
    settings_help,
    unsure_symbols,
)


def after(*lines):
    config = DecodeConfig(max_length=30)
    for line in lines:
        assert is_setting(line)
        config = changed(config, line)
    return config


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ([":beam 5"], {"beam": 5}),
        (
            [":beam 5", ":n-best 3", ":length-penalty 1"],
            {"beam": 5, "n_best": 3, "length_penalty": 1.0},
        ),
        ([":beam 5", ":n-best 5", ":beam 2"], {"beam": 2, "n_best": 2}),
        ([":beam 5", ":nbest 3", ":max_length 9"], {"beam": 5, "n_best": 3, "max_length": 9}),
        ([":temperature 0.8"], {"sample": True, "temperature": 0.8}),
        ([":top-k 3", ":top-p 0.9"], {"sample": True, "top_k": 3, "top_p": 0.9}),
        ([":seed 4", ":seed 5"], {"sample": True, "seed": 5}),
        # The last thing said is meant.
        ([":beam 5", ":nbest 2", ":temperature 0.8"], {"sample": True, "temperature": 0.8}),
        ([":temperature 0.8", ":top-k 2", ":beam 5"], {"beam": 5}),
        ([":temperature 0.8", ":greedy"], {}),
        ([":beam 5", ":nbest 2", ":greedy"], {}),
    ],
)
def test_settings_are_as_said(lines, wanted):
    assert after(*lines) == DecodeConfig(**{"max_length": 30, **wanted})


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (":nonsense 1", ":nonsense is no setting"),
        (":beam many", "`beam` needs a whole number, as in `beam` 1, not 'many'"),
        (":beam 0", "`beam`"),
        (":n-best 3", "`n_best` 3"),
        (":temperature -1", "`temperature`"),
        (":top-p 2", "`top_p`"),
    ],
)
def test_mistakes_are_named(line, words):
    with pytest.raises(UserError, match=words):
        after(line)


def test_sentences_may_begin_with_a_colon():
    assert not any(map(is_setting, [":)", ": x", ":", "Go :beam 5", ""]))


def test_settings_are_described():
    assert described(after(":max-length 9")) == "greedy, max-length 9"
    searching = after(":beam 5", ":n-best 2", ":max-length 0")
    assert described(searching) == "beam 5, length penalty 0.6, n-best 2"
    assert "temperature 0.8" in described(after(":temperature 0.8"))


@pytest.mark.parametrize("width", [79, 60])
def test_the_help_fits_the_terminal(width):
    lines = settings_help(width)
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("  :") for line in lines) == 8


def test_what_the_model_is_not_sure_of_is_coloured():
    tokens, log_probs = ("V", "a", "!", "<eos>"), (-0.01, -0.5, -2.0, -9.0)
    line = coloured(Hypothesis("Va!", True, tokens, log_probs))
    assert line.plain == "Va!"
    assert [(span.start, span.style) for span in line.spans if span.style] == [
        (1, "yellow"), (2, "red"),
    ]  # fmt: skip
    # A word that stood behind a space in training stands without it at the beginning.
    words = coloured(Hypothesis("il va", True, (" il", " va", "<eos>"), (-0.1, -2.0, -0.1)))
    assert words.plain == "il va"
    # Of a subword only the space that every text is divided with goes.
    subwords = (" ", " i", "l", "<eos>")
    assert coloured(Hypothesis("  il", True, (" ", *subwords), (-2.0,) * 5)).plain == "  il"
    assert coloured(Hypothesis("", True, ("<eos>",), (-0.1,))).plain == ""
    assert coloured(Hypothesis("Va")).plain == "Va"
    # Symbols that something stands between stand apart here, too.
    apart = coloured(Hypothesis("b u", True, ("b", "u", "<eos>"), (-0.1, -2.0, -0.1)), " ")
    assert apart.plain == "b u"


def test_without_colours_the_least_sure_symbols_are_named():
    tokens = ("V", "a", " !", "<eos>")
    assert unsure_symbols(Hypothesis("Va !", True, tokens, (-0.01, -0.5, -2.0, -9.0))) == (
        "'a' 61%, '!' 14%"
    )
    assert unsure_symbols(Hypothesis("Va !", True, tokens, (-0.01, -0.02, -0.03, -9.0))) == ""
    many = Hypothesis("abcdefgh", False, tuple("abcdefgh"), (-1.0, -3.0, *[-2.0] * 3, -0.5, -4, -5))
    assert unsure_symbols(many).startswith("'b' 5%, 'c' 14%")
    assert unsure_symbols(many).endswith("'h' 1% and 2 more")
