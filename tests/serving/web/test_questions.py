"""What a request may ask, and what it is told when it may not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.errors import UserError
from s2s_jax.serving.web.questions import MOST_ANSWERS, MOST_BEAM, MOST_TEXTS, read_question

RUNS = ["fra", "cmn"]


def question(**values):
    return read_question(json.dumps(values).encode(), RUNS)


def test_a_text_alone_is_answered_by_the_first_run_with_a_beam():
    found = question(text="Go.")
    assert found.run == 0 and found.texts == ["Go."] and not found.attention
    assert found.config.beam == 4 and found.n_best == 4


def test_the_run_and_the_search_are_chosen():
    found = question(
        texts=["a", "b"], run="cmn", beam=8, n_best=2, length_penalty=1, attention=True
    )
    assert found.run == 1 and found.texts == ["a", "b"] and found.attention
    assert found.n_best == 2
    # The search is that for the most answers: fewer are no other program.
    assert found.config == DecodeConfig(beam=8, n_best=MOST_ANSWERS, length_penalty=1)


def test_a_beam_alone_gives_as_many_answers_as_it_has():
    assert question(text="a", beam=2).n_best == 2
    assert question(text="a", beam=1).config == DecodeConfig()


def test_drawing_needs_no_beam():
    found = question(text="a", sample=True, temperature=0.5, seed=3)
    assert found.config == DecodeConfig(sample=True, temperature=0.5, seed=3)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "either text or texts"),
        ({"text": "a", "texts": ["b"]}, "either text or texts"),
        ({"text": 1}, "must be a string"),
        ({"texts": "a"}, "a list of strings"),
        ({"texts": []}, "1 to 64"),
        ({"texts": ["a"] * (MOST_TEXTS + 1)}, "1 to 64, not 65"),
        ({"text": "\ud800"}, "surrogate"),
        ({"text": "a", "txt": "b"}, "unknown key txt"),
        ({"text": "a", "run": "deu"}, "one of fra, cmn"),
        ({"text": "a", "run": ["fra"]}, "one of fra, cmn"),
        ({"text": "a", "attention": 1}, "true or false"),
        ({"text": "a", "beam": MOST_BEAM + 1}, "at most 8"),
        ({"text": "a", "beam": True}, "a whole number"),
        ({"text": "a", "beam": 2.5}, "a whole number"),
        ({"text": "a", "beam": "4"}, "a whole number"),
        ({"text": "a", "n_best": 0}, "at least 1"),
        ({"text": "a", "beam": 8, "n_best": 5}, "at most 4"),
        ({"text": "a", "beam": 1, "n_best": 2}, "needs a beam of at least"),
        ({"text": "a", "length_penalty": -1}, "at least 0"),
        ({"text": "a", "temperature": 0.5}, "give `sample`"),
        ({"text": "a", "sample": True, "temperature": 0}, "above 0"),
        ({"text": "a", "sample": True, "beam": 4}, "give one"),
        ({"text": "a", "sample": True, "seed": -1}, "at least 0"),
        ({"text": "a", "max_length": 9}, "unknown key max_length"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_answered_is_refused(values, problem):
    with pytest.raises(UserError, match=problem):
        question(**values)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"\xff\xfe", b"{", b'{"text": "a", "length_penalty": NaN}',
        b'{"text": "a", "length_penalty": Infinity}', b"[" * 60_000, b'{"a":' * 10_000,
        b'{"text": "a", "beam": ' + b"9" * 60_000 + b"}",
        b'{"text": "a", "length_penalty": ' + b"9" * 400 + b"}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_object_in_json_is_refused(body):
    with pytest.raises(UserError, match="must be a JSON object"):
        read_question(body, RUNS)


def test_a_number_beyond_floats_is_refused():
    with pytest.raises(UserError, match="a number"):
        read_question(b'{"text": "a", "length_penalty": 1e999}', RUNS)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ANY_JSON = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.text(max_size=2), PLAIN)
KEYS = st.sampled_from(
    ["text", "texts", "run", "attention", "beam", "n_best", "length_penalty", "sample", "seed",
     "temperature", "top_k"]
)  # fmt: skip


@given(st.dictionaries(KEYS, ANY_JSON))
def test_a_question_is_read_or_refused(values):
    try:
        found = question(**values)
    except UserError:
        return
    assert found.n_best <= found.config.beam <= MOST_BEAM
    assert 0 < len(found.texts) <= MOST_TEXTS


@given(st.binary(max_size=100))
def test_random_bytes_are_refused(body):
    with pytest.raises(UserError):
        read_question(body, RUNS)
