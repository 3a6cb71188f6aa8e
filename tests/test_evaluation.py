from s2s_jax.corpus import Pair
from s2s_jax.evaluation import Answer, answer


def test_each_source_is_decoded_once_and_every_target_is_a_reference():
    asked = []

    def translator(texts):
        asked.extend(texts)
        return [text.upper() for text in texts]

    pairs = [Pair("a", "A"), Pair("b", "x"), Pair("a", "y"), Pair("b", "B"), Pair("c", "C!")]
    found = answer(translator, pairs)
    assert asked == ["a", "b", "c"]
    assert found == [
        Answer("a", ("A", "y"), "A"),
        Answer("b", ("x", "B"), "B"),
        Answer("c", ("C!",), "C"),
    ]
    assert [a.exact for a in found] == [True, True, False]
