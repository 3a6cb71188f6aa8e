import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.config import TOKENS
from s2s_jax.data.tokenizers import make_tokenizer, read_tokenizer
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder, Vocabulary
from s2s_jax.errors import UserError

PATTERNS = [kind for kind in TOKENS if kind != "subword"]  # Those are in test_subwords.py.
OLD_WORDS = {"tokens": "word"}
# Letters, marks that combine, apostrophes, digits, white space of several kinds, flags, joiners.
ALPHABET = "aeé'’.,1_ \u00a0\u202f\u3000\t中\u0301\u093fहन\u094d🇫🇷👩\u200d\u00ad"
ODD = st.text(ALPHABET, max_size=30)
TEXTS = st.text() | ODD


@pytest.mark.parametrize("kind", PATTERNS)
@given(text=TEXTS)
def test_joining_the_symbols_of_a_text_gives_the_text_back(kind, text):
    tokenizer = make_tokenizer(kind)
    symbols = tokenizer.divide(text)
    assert all(map(tokenizer.is_symbol, symbols))
    joined = tokenizer.join(symbols)
    if kind == "decomposed":
        assert joined == unicodedata.normalize("NFC", text)
    elif kind == "space":  # Answers have one space wherever the text has any white space.
        assert symbols == text.split()
        assert joined == " ".join(text.split())
    else:
        wanted = text.strip() if kind == "word" else text
        assert joined == wanted


@pytest.mark.parametrize("kind", PATTERNS)
@given(texts=st.lists(TEXTS, max_size=5))
def test_a_tokenizer_is_found_again_by_what_was_saved_of_it(kind, texts):
    vocabulary = Vocabulary.from_texts(texts + texts, kind)
    again = Vocabulary.from_dict(vocabulary.to_dict())
    assert again == vocabulary
    for text in texts:
        assert again.tokenizer.divide(text) == vocabulary.tokenizer.divide(text)
        assert again.decode(again.encode(text)) == vocabulary.tokenizer.join(
            vocabulary.tokenizer.divide(text)
        )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("मैं खुश हूँ।", ["मैं", " खुश", " हूँ", "।"]),
        ("वह हिन्दी बोलता है।", ["वह", " हिन्दी", " बोलता", " है", "।"]),
        ("العَرَبِيَّةُ لُغَةٌ", ["العَرَبِيَّةُ", " لُغَةٌ"]),
        ("I can't pay $3.50, Tom.", ["I", " can't", " pay", " $", "3.50", ",", " Tom", "."]),
        ("J'ai vu l’été\u202f!", ["J'", "ai", " vu", " l’", "été", "\u202f!"]),
        ("L'homme dit « non ».", ["L'", "homme", " dit", " «", " non", " »", "."]),
        ("我们走。", ["我", "们", "走", "。"]),
        ("アイスが好き", ["アイス", "が", "好", "き"]),
        ("👩\u200d👩\u200d👧🇫🇷", ["👩\u200d👩\u200d👧", "🇫🇷"]),
    ],
)
def test_words_are_unicode_s(text, words):
    assert make_tokenizer("word").divide(text) == words


def test_graphemes_are_what_a_reader_takes_for_one_character():
    divide = make_tokenizer("grapheme").divide
    assert divide("हिन्दी 👩\u200d👩\u200d👧🇫🇷e\u0301") == [
        "हि", "न्दी", " ", "👩\u200d👩\u200d👧", "🇫🇷", "e\u0301",
    ]  # fmt: skip


def test_decomposed_symbols_make_up_syllables_that_training_never_saw():
    vocabulary = Vocabulary.from_texts(["한국", "mañana é"], "decomposed")
    assert vocabulary.tokenizer.divide("é한") == ["e", "\u0301", "\u1112", "\u1161", "\u11ab"]
    for unseen in ("학", "á"):
        assert vocabulary.decode(vocabulary.encode(unseen)) == unseen


def test_a_word_of_white_space_only_is_divided_in_no_time():
    assert make_tokenizer("word").divide("a" + " " * 100_000 + "b")[0] == "a"


def test_the_words_of_an_older_run_stay_as_they_were():
    vocabulary = Vocabulary.from_dict({**OLD_WORDS, "symbols": [*SPECIALS, "J'", "ai", "न"]})
    # Its file, and so the hash of it, is the same when the run is resumed.
    assert vocabulary.to_dict() == {**OLD_WORDS, "symbols": [*SPECIALS, "J'", "ai", "न"]}
    divide = vocabulary.tokenizer.divide
    assert divide("J'ai can't 3.5") == ["J'", "ai", " can'", "t", " 3", ".", "5"]
    assert divide("हिन्दी") == ["ह", "ि", "न", "्", "द", "ी"]
    assert make_tokenizer("word") != vocabulary.tokenizer


@pytest.mark.parametrize("values", [{}, {"tokens": "word", "version": 3}, {"tokens": ["char"]}])
def test_an_unknown_tokenizer_is_refused(values):
    with pytest.raises(UserError, match="must be one of char, decomposed, grapheme, word"):
        read_tokenizer(values)


@pytest.mark.parametrize("kind", PATTERNS)
def test_unseen_symbols_are_left_out_unless_training_gave_unk_a_meaning(kind):
    texts = ["b a c", "b a c d"]
    vocabulary = Vocabulary.from_texts(texts, kind)
    known, unk = SourceEncoder(vocabulary).encode("b"), vocabulary.unk_id
    found = SourceEncoder(vocabulary).encode("b é" if kind in ("word", "space") else "bé")
    if kind == "word":
        assert " d" not in vocabulary.symbols and vocabulary.tokenizer.divide(" d") == [" d"]
        assert found.tolist() == [*known, unk]
    else:
        assert "d" in vocabulary.symbols
        assert found.tolist() == known.tolist()


def test_characters_and_older_words_need_no_further_package():
    code = (
        "import sys; sys.modules['regex'] = None\n"
        "from s2s_jax.data.tokenizers import make_tokenizer, read_tokenizer\n"
        "older = read_tokenizer({'tokens': 'word'})\n"
        "print(make_tokenizer('char').divide('ab'), older.divide('a b'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['a', 'b'] ['a', ' b']\n"


KERAS = {"tokens": "space", "lower": True, "filters": ".,!?", "reads_unseen": False}


@given(text=st.text("aBÉ.,!- ß", max_size=30), lower=st.booleans(), filters=st.text(".,!-"))
def test_words_are_those_of_a_tokenizer_of_keras(text, lower, filters):
    tokenizer = read_tokenizer({**KERAS, "lower": lower, "filters": filters})
    # As Keras's text_to_word_sequence does it.
    read = text.lower() if lower else text
    read = read.translate(str.maketrans({c: " " for c in filters}))
    assert tokenizer.divide(text) == [word for word in read.split(" ") if word]
    assert read_tokenizer(tokenizer.to_dict()) == tokenizer


@pytest.mark.parametrize(
    "changes", [{"lower": 1}, {"filters": ["."]}, {"tokens": "word"}, {"more": 1}, {"tokens": 3}]
)
def test_what_a_tokenizer_of_keras_does_must_be_said_in_full(changes):
    with pytest.raises(UserError, match="lower, filters, reads_unseen"):
        read_tokenizer({**KERAS, **changes})
