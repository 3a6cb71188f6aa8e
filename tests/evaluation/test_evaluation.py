import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.data.corpus import Pair
from s2s_jax.data.tokenizers import make_tokenizer
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translation import Hypothesis, Translation
from s2s_jax.evaluation.evaluation import answers_of, decoded_lines, evaluate, evaluation_lines
from s2s_jax.evaluation.figures import Answer, figures_of, sequence_error_rate
from s2s_jax.evaluation.fingerprint import write_training_sources
from s2s_jax.runtime.progress_bar import progress_bar

PAIRS = [Pair("a", "A"), Pair("b", "xy"), Pair("a", "z"), Pair("b", "Bz"), Pair("c", "C!")]


class Shouting:
    """A translator that answers in capitals, at half a nat a token of any target."""

    def __init__(self, tokens="char", origins=()):
        self.asked, self.origins = [], origins
        vocabulary = Vocabulary.from_texts([target for _, target in PAIRS], tokens)
        self.run = SimpleNamespace(target_vocabulary=vocabulary)

    def warm_up(self, texts, config):
        pass

    def translate(self, texts, config):
        self.asked.append((list(texts), config))
        return [Translation(text, (), (Hypothesis(text.upper()),)) for text in texts]

    def score(self, pairs, *, batch_size):
        return [
            Translation(s, (), (Hypothesis(t, log_probs=(-0.5,) * (len(t) + 1)),))
            for s, t in pairs
        ]  # fmt: skip


def run(folder=None, trained_on=(), **options):
    translator = Shouting(origins=[(folder, 1)] if folder else [])
    if folder:
        write_training_sources(folder, trained_on)
    return translator, evaluate(translator, PAIRS, DecodeConfig(**options), progress_bar())


def test_each_source_is_decoded_once_and_every_target_is_a_reference():
    translator, found = run(beam=3, n_best=3, scores=True)
    # The best answer is all that counts.
    assert translator.asked == [(["a", "b", "c"], DecodeConfig(beam=3))]
    assert found.answers == [
        Answer("a", ("A", "z"), "A"),
        Answer("b", ("xy", "Bz"), "B"),
        Answer("c", ("C!",), "C"),
    ]
    assert [answer.exact for answer in found.answers] == [True, False, False]


def test_the_figures_are_those_of_the_answers():
    _, found = run()
    figures = found.figures
    assert (figures.sentences, figures.references, figures.exact) == (3, 5, 1)
    # "A" is right; "B" lacks a letter of "Bz", and "C" one of "C!".
    assert figures.cer == figures.symbol_error_rate == pytest.approx(2 / (1 + 2 + 2))
    assert figures.sequence_error_rate == pytest.approx(2 / 3)
    assert figures.loss == pytest.approx(0.5)
    assert figures.perplexity == pytest.approx(math.exp(0.5))
    assert found.in_training is None and found.not_in_training is None
    assert any("unknown" in line for line in evaluation_lines(found))


def test_references_count_as_an_answer_would_spell_them():
    pairs = [Pair("a b", "A  B"), Pair("c", "C")]
    found = evaluate(Shouting("space"), pairs, DecodeConfig(), progress_bar())
    assert found.answers[0] == Answer("a b", ("A B",), "A B")
    assert (found.figures.exact, found.figures.cer) == (2, 0)
    assert evaluate(Shouting("char"), pairs, DecodeConfig(), progress_bar()).figures.exact == 1


def test_errors_are_counted_in_the_symbols_of_the_target():
    pairs = [Pair("b ɔ̃ ʒ", "B ɔ ʒ U"), Pair("ʁ", "ʁ ʁ"), Pair("ʁ", "ʁ"), Pair("a", "A")]
    found = evaluate(Shouting("space"), pairs, DecodeConfig(), progress_bar())
    # "B Ɔ̃ Ʒ" is 3 edits away from its 4 symbols; "ʁ", which has no capital, meets a reference.
    assert found.figures.symbol_error_rate == pytest.approx((3 + 0 + 0) / (4 + 1 + 1))
    assert found.figures.sequence_error_rate == pytest.approx(1 / 3)
    lines = evaluation_lines(found)
    assert "Sequence error rate: 33.3%" in lines and "Symbol error rate: 50.0%" in lines
    assert found.to_dict()["unit"] == "symbols"


def test_symbols_are_no_text_for_chrf_and_bleu():
    found = evaluate(Shouting("space"), PAIRS, DecodeConfig(), progress_bar())
    assert found.figures.chrf is None and found.figures.bleu is None
    assert not any("chrF" in line for line in evaluation_lines(found))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text("abAB ", min_size=1)), min_size=1))
def test_an_error_rate_is_nought_where_all_is_right_and_never_below(pairs):
    answers = answers_of(Shouting(), [Pair(*pair) for pair in pairs], DecodeConfig())
    rate = sequence_error_rate(answers)
    assert rate == 1 - sum(answer.exact for answer in answers) / len(answers)
    figures = figures_of(answers, np.ones((len(answers), 2)), make_tokenizer("char"))
    assert (figures.symbol_error_rate == 0) == (rate == 0)


def test_sources_trained_on_are_counted_and_left_out(tmp_path):
    _, found = run(tmp_path, ["a", "elsewhere"])
    assert found.in_training == 1
    assert found.figures == run()[1].figures
    assert found.not_in_training.sentences == 2
    assert found.not_in_training.exact == 0
    assert found.not_in_training.cer == pytest.approx(2 / 4)
    lines = evaluation_lines(found)
    assert any(line.startswith("Warning: 1 of 3 sentences was trained on") for line in lines)
    assert sum(line.startswith("Exactly right") for line in lines) == 2
    assert found.to_dict()["not_in_training"]["sentences"] == 2


def test_without_others_there_is_one_set_of_figures(tmp_path):
    _, none = run(tmp_path)
    assert none.in_training == 0 and none.not_in_training is None
    assert not any("Warning" in line for line in evaluation_lines(none))
    _, all_of_them = run(tmp_path, ["a", "b", "c"])
    assert all_of_them.in_training == 3 and all_of_them.not_in_training is None
    assert any("Warning: 3 of 3" in line for line in evaluation_lines(all_of_them))


def test_chrf_and_bleu_carry_their_signatures_or_say_how_to_get_them(monkeypatch):
    pytest.importorskip("sacrebleu")
    _, found = run()
    assert "nrefs:var" in found.figures.chrf_signature
    assert any(found.figures.bleu_signature in line for line in evaluation_lines(found))
    monkeypatch.setattr("s2s_jax.evaluation.figures.translation_metrics", lambda *_: {})
    _, found = run()
    assert found.figures.chrf is None and found.figures.bleu is None
    assert evaluation_lines(found)[-1].endswith("pip install sacrebleu")


def test_japanese_without_mecab_says_how_to_get_it(monkeypatch):
    pytest.importorskip("sacrebleu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = evaluate(Shouting(), [Pair("a", "私は知りません。")], DecodeConfig(), progress_bar())
    assert "tok:char" in found.figures.bleu_signature
    assert "sacrebleu[ja]" in evaluation_lines(found)[-1]


def test_decoded_lines_are_source_reference_and_answer():
    _, found = run()
    assert decoded_lines(found.answers)[:3] == ["a\tA\tA", "a\tz\tA", "b\txy\tB"]
