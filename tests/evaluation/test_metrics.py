import builtins

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.evaluation.metrics import character_errors, edit_distance, translation_metrics

TEXT = st.text("abcé ", max_size=12)


def distance_by_table(a, b):
    """Levenshtein's table, as it is defined."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
    return row[-1]


@given(TEXT, TEXT)
def test_the_edit_distance_is_the_one_of_the_table(a, b):
    assert edit_distance(a, b) == distance_by_table(a, b) == edit_distance(b, a)


def test_long_texts_have_an_edit_distance():
    a, b = "abc" * 100, "abd" * 90
    assert edit_distance(a, b) == distance_by_table(a, b)


def test_the_closest_reference_counts():
    assert character_errors("Va !", ["Marche !", "Vas !", "Vo !"]) == (1, 5)
    assert character_errors("Va !", ["Marche !", "Va !"]) == (0, 4)
    assert character_errors("", ["ab"]) == (2, 2)


def test_any_reference_will_do_for_bleu_and_chrf():
    pytest.importorskip("sacrebleu")
    decoded = ["the cat sat on the mat", "a dog barked at the moon"]
    references = [["nothing", "the cat sat on the mat"], ["a dog barked at the moon"]]
    found = translation_metrics(decoded, references)
    assert found["bleu"].score == pytest.approx(100)
    assert found["chrf"].score == pytest.approx(100)
    assert all("nrefs:var" in metric.signature for metric in found.values())
    one = translation_metrics(decoded, [row[:1] for row in references])
    assert one["bleu"].score < 100 and one["chrf"].score < 100
    assert "nrefs:1" in one["bleu"].signature


def test_without_sacrebleu_there_is_neither(monkeypatch):
    original = builtins.__import__

    def without(name, *rest):
        if name.startswith("sacrebleu"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert translation_metrics(["a"], [["a"]]) == {}
