import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.evaluation.metrics import bleu_tokenizer, edit_errors, translation_metrics

TEXT = st.text("abcé ", max_size=12)


def distance_by_table(a, b):
    """Levenshtein's table, as it is defined."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def edit_distance(a, b):
    return edit_errors(a, [b])[0]


@given(TEXT, TEXT)
def test_the_edit_distance_is_the_one_of_the_table(a, b):
    assert edit_distance(a, b) == distance_by_table(a, b) == edit_distance(b, a)


def test_long_texts_have_an_edit_distance():
    a, b = "abc" * 100, "abd" * 90
    assert edit_distance(a, b) == distance_by_table(a, b)


def test_characters_are_code_points_of_any_plane_and_other_units_count_too():
    assert edit_errors("日本\U0001f600", ["日木\U0001f601"]) == (2, 3)
    assert edit_errors("e\u0301", ["é"]) == (2, 1)  # Whoever compares has composed them before.
    assert edit_errors(["b", "ɔ̃", "ʒ", "u"], [["b", "ɔ", "ʒ", "u", "ʁ"]]) == (2, 5)


def test_the_closest_reference_counts():
    assert edit_errors("Va !", ["Marche !", "Vas !", "Vo !"]) == (1, 5)
    assert edit_errors("Va !", ["Marche !", "Va !"]) == (0, 4)
    assert edit_errors("", ["ab"]) == (2, 2)


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


def test_without_sacrebleu_there_is_neither(uninstall):
    uninstall("sacrebleu")
    assert translation_metrics(["a"], [["a"]]) == {}


@pytest.mark.parametrize(
    ("references", "wanted"),
    [
        (["Va !", "Cours !"], "13a"),
        (["Я знаю.", "안녕하세요.", "12:30 ?!", ""], "13a"),
        (["我不知道。", "他在哪兒？", "Tom 走了。"], "zh"),
        (["我爱吃の一个。", *["我不知道。"] * 20], "zh"),  # A stray kana.
        (["私は知りません。", "トムは行った。"], "ja"),
        (["Tom said 你好 to Mary."], "13a"),
    ],
)
def test_bleu_divides_targets_as_their_script_needs(references, wanted, monkeypatch):
    assert bleu_tokenizer(references) in ({"ja-mecab", "char"} if wanted == "ja" else {wanted})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    assert bleu_tokenizer(references) == ("ja-mecab" if wanted == "ja" else wanted)


def test_bleu_of_chinese_is_about_characters_and_says_so():
    pytest.importorskip("sacrebleu")
    found = translation_metrics(["我不知道你在哪里。"], [["我不知道他在哪里。"]])
    assert "tok:zh" in found["bleu"].signature
    assert 30 < found["bleu"].score < 90  # By spaces it is one word, which is wrong.
