import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.data.tokenizers import make_tokenizer
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder, Vocabulary
from s2s_jax.errors import UserError

TEXTS = st.lists(st.text(), max_size=8)
WORDS = st.text(alphabet="aé' ’.?-1\u00a0\u202f\u3000中\u0301\u093f", max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["tokens", "symbols", "a"]), x),
    max_leaves=6,
)


@given(TEXTS)
def test_any_text_of_the_training_part_comes_back(texts):
    vocabulary = Vocabulary.from_texts(texts)
    for text in texts:
        ids = vocabulary.encode(text)
        assert ids.dtype == np.int32
        assert ids.shape == (len(text),)
        assert vocabulary.decode(ids) == text
        np.testing.assert_array_equal(SourceEncoder(vocabulary).encode(text), ids)
        assert vocabulary.unseen(text) == []


@given(st.lists(st.text() | WORDS, max_size=8))
def test_any_text_comes_back_from_its_words_without_outer_white_space(texts):
    vocabulary = Vocabulary.from_texts(texts + texts, "word")
    for text in texts:
        assert vocabulary.decode(vocabulary.encode(text)) == text.strip()


@given(st.text() | WORDS)
def test_tokens_joined_are_the_text(text):
    assert "".join(make_tokenizer("char").divide(text)) == text
    assert "".join(make_tokenizer("word").divide(text)) == text.rstrip()


@given(TEXTS, st.sampled_from(["char", "word"]))
def test_a_vocabulary_survives_json(texts, tokens):
    vocabulary = Vocabulary.from_texts(texts, tokens)
    written = json.dumps(vocabulary.to_dict(), ensure_ascii=False)
    assert Vocabulary.from_dict(json.loads(written)) == vocabulary


@given(TEXTS, st.randoms(use_true_random=False), st.sampled_from(["char", "word"]))
def test_the_order_of_the_texts_does_not_matter(texts, random, tokens):
    shuffled = random.sample(texts, len(texts))
    assert Vocabulary.from_texts(shuffled, tokens) == Vocabulary.from_texts(texts, tokens)


@given(TEXTS)
def test_specials_come_first_and_the_symbols_are_those_seen(texts):
    vocabulary = Vocabulary.from_texts(texts)
    assert vocabulary.symbols[:4] == SPECIALS
    assert vocabulary.symbols[4:] == tuple(sorted(set("".join(texts))))
    assert len(vocabulary) == len(vocabulary.symbols)
    ids = (vocabulary.pad_id, vocabulary.bos_id, vocabulary.eos_id, vocabulary.unk_id)
    assert tuple(vocabulary.symbols[i] for i in ids) == SPECIALS


@given(TEXTS, st.text(), st.sampled_from(["char", "word"]))
def test_new_texts_never_get_ids_with_another_meaning(texts, text, tokens):
    vocabulary = Vocabulary.from_texts(texts, tokens)
    ids = vocabulary.encode(text)
    # Padding and the ends of sentences are for batching to add; no text can spell them.
    assert not np.isin(ids, [vocabulary.pad_id, vocabulary.bos_id, vocabulary.eos_id]).any()
    unseen = vocabulary.unseen(text)
    assert len(set(unseen)) == len(unseen)
    for token, i in zip(make_tokenizer(tokens).divide(text), ids, strict=True):
        if token in unseen:
            assert i == vocabulary.unk_id
        else:
            assert vocabulary.symbols[i] == token


@given(st.text("abc"), st.text("abcdé \U0001f600"))
def test_unseen_characters_of_a_source_are_left_out(seen, text):
    vocabulary = Vocabulary.from_texts([seen])
    kept = "".join(c for c in text if c in seen)
    np.testing.assert_array_equal(SourceEncoder(vocabulary).encode(text), vocabulary.encode(kept))
    assert vocabulary.unseen(text) == list(dict.fromkeys(c for c in text if c not in seen))


def test_text_that_spells_a_special_is_only_text():
    vocabulary = Vocabulary.from_texts(["<pad><eos>"])
    assert vocabulary.decode(vocabulary.encode("<pad><eos>")) == "<pad><eos>"


def test_words_seen_once_are_rare_and_train_unk():
    vocabulary = Vocabulary.from_texts(["Tom runs.", "Tom sleeps."], "word")
    assert vocabulary.symbols[4:] == (".", "Tom")
    tom, runs, _ = ids = vocabulary.encode("Tom runs.").tolist()
    assert (vocabulary.symbols[tom], runs) == ("Tom", vocabulary.unk_id)
    assert SourceEncoder(vocabulary).encode("Tom eats.").tolist() == ids
    assert vocabulary.unseen("Tom eats.") == [" eats"]


def test_decoding_stops_at_eos_and_skips_padding():
    v = Vocabulary.from_texts(["ab"])
    a, b = v.encode("ab")
    assert v.decode([v.bos_id, a, v.pad_id, b, v.eos_id, a, 999]) == "ab"
    assert v.decode(np.array([a, b], np.int64)) == "ab"
    assert v.decode([]) == v.decode([v.eos_id]) == ""


@pytest.mark.parametrize("bad", [-1, 6, 10**12])
def test_decoding_an_id_outside_the_vocabulary_is_an_error(bad):
    with pytest.raises(UserError, match=f"0 to 5; {bad} is not"):
        Vocabulary.from_texts(["ab"]).decode([4, bad])


@given(JSON)
def test_a_file_that_is_no_vocabulary_raises_nothing_but_user_errors(values):
    with pytest.raises(UserError) as error:
        Vocabulary.from_dict(values)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("symbols", "tokens", "reason"),
    [
        ([*SPECIALS, "a", "a"], "char", "once"),
        ([*SPECIALS, "a", 7], "char", "strings"),
        ([*SPECIALS, ["a"]], "char", "strings"),
        (["<pad>", "<eos>", "<bos>", "<unk>"], "char", "begins"),
        ([], "char", "begins"),
        ([*SPECIALS], "byte", "byte"),
        ([*SPECIALS], ["char"], "char"),
        ("abc", "char", "list"),
        ({"a": 1}, "char", "list"),
    ],
)
def test_what_makes_no_vocabulary_is_refused(symbols, tokens, reason):
    with pytest.raises(UserError, match=reason):
        Vocabulary.from_dict({"symbols": symbols, "tokens": tokens})


def test_short_sources_are_filled_up_and_empty_ones_are_not():
    vocabulary = Vocabulary.from_texts(["ab "])
    a, b, space = vocabulary.encode("ab ")
    assert SourceEncoder(vocabulary, 4).encode("ab").tolist() == [a, b, 0, 0]
    assert SourceEncoder(vocabulary, 4, " ").encode("ab").tolist() == [a, b, space, space]
    assert SourceEncoder(vocabulary, 4, " ").encode("ab").dtype == np.int32
    assert SourceEncoder(vocabulary, 3, " ").encode("abab").tolist() == [a, b, a, b]
    assert SourceEncoder(vocabulary, 3, " ").encode("é").tolist() == []
