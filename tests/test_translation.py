import jax
import numpy as np
import pytest
from conftest import PAIRS
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.corpus import normalize
from s2s_jax.errors import UserError
from s2s_jax.models import Seq2Seq
from s2s_jax.run_folder import Run
from s2s_jax.translation import Translator
from s2s_jax.vocabulary import Vocabulary

SOURCE = Vocabulary.from_texts(["abcdefgh "])
TARGET = Vocabulary.from_texts(["uvwxyz"])


@pytest.fixture(scope="module")
def translator():
    """Random parameters: what matters is that text goes in and out right."""
    config = RunConfig(
        DataConfig(), ModelConfig(len(SOURCE), len(TARGET), 16), TrainConfig(), 12, ""
    )
    tokens = np.zeros((1, 1), np.int32)
    params = Seq2Seq(config.model).init(jax.random.key(3), tokens, tokens == 0, tokens)["params"]
    params = jax.tree.map(lambda x: x * 3, params)  # Livelier answers.
    return Translator(Run(config, SOURCE, TARGET), params)


TEXTS = st.lists(st.text("abcdefgh", max_size=40), max_size=20)


@settings(deadline=None, max_examples=25)
@given(TEXTS, st.integers(1, 9))
def test_answers_keep_their_place_whatever_the_batches(translator, texts, batch_size):
    alone = {text: translator([text])[0] for text in set(texts)}
    assert translator(texts, batch_size=batch_size) == [alone[text] for text in texts]


# Surrogates, combining marks, right to left, emoji with joiners, nothing wide: all of Unicode.
ANY_TEXT = st.text(st.characters(), max_size=40) | st.text(
    "ab\ud800\udfff\u0301\u0323\u202e\u05d0\u200b\u200d\ufeff\U0001f468\0\x85\u2028\r\t\n ",
    max_size=40,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(ANY_TEXT, max_size=4))
def test_any_unicode_is_answered_and_its_strange_symbols_named(translator, texts):
    found = translator.translate(texts)
    assert len(found) == len(texts)
    for text, translation in zip(texts, found, strict=True):
        known = "".join(c for c in normalize(text) if c in SOURCE.symbols)
        if known == known.strip():  # Else it means something else on its own.
            assert translation.text == translator([known])[0]
        assert set(translation.unseen) == set(translation.source) - set(SOURCE.symbols)


def test_a_sentence_of_100_000_characters_is_answered(translator):
    (long,) = translator.translate(["abcdefgh" * 12_500])
    assert 0 < len(long.text) <= 12
    assert long.unseen == ()


def test_it_follows_the_step_by_step_definition(translator):
    text = "abcabc"
    ids = SOURCE.encode(text)[None]
    model, variables = translator.model, {"params": translator.params}
    carry = model.apply(variables, ids, ids > 0, method="encode")
    token, written = np.array([Vocabulary.bos_id]), []
    for _ in range(12):
        carry, logits = model.apply(variables, carry, token, method="decode_step")
        allowed = np.asarray(logits[0]).copy()
        allowed[[Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id]] = -np.inf
        token = allowed.argmax()[None]
        if token[0] == Vocabulary.eos_id:
            break
        written.append(token[0])
    assert translator([text]) == [TARGET.decode(written)]


def test_unseen_characters_are_named_and_left_out(translator):
    (clean,) = translator(["abc"])
    (found,) = translator.translate(["aßb日c"])
    assert found.text == clean
    assert found.unseen == ("ß", "日")
    with pytest.raises(UserError, match=r"line 8 .*'ß' '日'.*--strict"):
        translator.translate(["abc", "aßb日c"], strict=True, first=7)


def test_texts_are_normalized_as_the_data_were(translator):
    assert translator.translate(["  abc\t"])[0].source == "abc"
    assert translator.translate(["e\u0301"])[0].source == "é"


def test_nothing_said_is_nothing_answered(translator):
    found = translator.translate(["", "   ", "日本", "abc"])
    assert [t.text for t in found[:3]] == ["", "", ""]
    assert all(t.complete for t in found[:3])
    assert found[2].unseen == ("日", "本")


def test_the_length_limit_cuts_and_says_so(translator):
    full = translator.translate(["abcdef"], max_length=30)[0]
    cut = translator.translate(["abcdef"], max_length=2)[0]
    assert cut.text == full.text[:2]
    assert not cut.complete
    for limit in (3, 5, 12, 30):
        assert len(translator(["abcdef"], max_length=limit)[0]) <= limit


def test_a_long_text_among_short_ones_changes_nothing(translator):
    long = "abcdefgh" * 400
    assert translator(["ab", long, "c"])[::2] == translator(["ab", "c"])


def test_mistakes_are_named(translator):
    with pytest.raises(UserError, match="a list of sentences"):
        translator("abc")
    with pytest.raises(UserError, match="batch_size"):
        translator(["abc"], batch_size=0)
    with pytest.raises(UserError, match="max_length"):
        translator(["abc"], max_length=-1)
    assert translator([]) == []


def test_a_trained_run_answers_from_its_folder_alone(trained, tmp_path, monkeypatch):
    _, folder = trained
    copy = tmp_path / "elsewhere"
    folder.rename(copy)
    try:
        monkeypatch.chdir(tmp_path)
        known = Translator.load("elsewhere")([source for source, _ in PAIRS])
    finally:
        copy.rename(folder)
    right = sum(text == target for text, (_, target) in zip(known, PAIRS, strict=True))
    assert right >= 12  # Of 20, 16 of which were trained on.
