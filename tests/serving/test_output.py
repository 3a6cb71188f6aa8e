import json

from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.serving.output import json_line, plain_line, problems_of, score_line

FIRST = Hypothesis("Va !", True, ("V", "a", " !", "<eos>"), (-0.5, -0.25, -1.0, -0.25), -1.5)
SECOND = Hypothesis("Vas", False, ("V", "as"), (-0.5, -3.0), -3.25)
FOUND = Translation("Go.", ("ß", "\ud800"), (FIRST, SECOND))
NOTHING = Translation("", (), (Hypothesis(""),))


def test_every_plain_line_has_as_many_columns():
    assert plain_line(FOUND, 1, False) == "Va !"
    assert plain_line(FOUND, 2, False) == "Va !\tVas"
    assert plain_line(FOUND, 3, False) == "Va !\tVas\t"
    assert plain_line(FOUND, 1, True) == "Va !\t-2.0000\t-0.5000"
    # Of several answers also what they are ranked by.
    assert plain_line(FOUND, 2, True) == (
        "Va !\t-2.0000\t-0.5000\t-1.5000\tVas\t-3.5000\t-1.7500\t-3.2500"
    )
    assert plain_line(NOTHING, 1, False) == ""
    assert plain_line(NOTHING, 2, True) == "\t" * 7


def test_a_score_is_a_sum_and_a_mean():
    assert score_line(FOUND) == "-2.0000\t-0.5000"
    assert score_line(NOTHING) == "\t"


def test_json_says_all():
    values = json.loads(json_line(FOUND, ["careful"]))
    assert values == {
        "source": "Go.", "text": "Va !", "complete": True, "score": -2.0, "mean_score": -0.5,
        "tokens": ["V", "a", " !", "<eos>"], "log_probs": [-0.5, -0.25, -1.0, -0.25],
        "ranked": -1.5, "n_best": values["n_best"], "warnings": ["careful"],
    }  # fmt: skip
    assert [h["text"] for h in values["n_best"]] == ["Va !", "Vas"]
    assert values["n_best"][1]["score"] == -3.5
    empty = json.loads(json_line(NOTHING, []))
    assert empty["text"] == "" and empty["score"] is None and empty["tokens"] == []


def test_warnings_are_words():
    assert problems_of(FOUND, "bad byte") == ["bad byte", "training never saw 'ß' '\\ud800'"]
    cut = Translation("Go.", (), (SECOND,))
    assert "--max-length" in problems_of(cut, None)[0]
    assert ":max-length" in problems_of(cut, None, ":")[0]
    assert problems_of(NOTHING, None) == []
