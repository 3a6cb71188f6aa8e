"""Vocabularies in every form that people save; the models are of Keras, see make_layouts.py."""

import json
import pickle
import shlex
import subprocess
import sys

import numpy as np
import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.characters import Characters
from s2s_jax.keras.importing import convert, import_model
from s2s_jax.keras.request import ImportRequest
from s2s_jax.runs.folder import KERAS

MADE = json.loads((FIXTURE / "layouts.json").read_text(encoding="utf-8"))
SIDES = ("input", "target")
INDEX = [json.loads((FIXTURE / f"{side}_token_index.json").read_text("utf-8")) for side in SIDES]
REVERSED = [{number: symbol for symbol, number in index.items()} for index in INDEX]
WORDS = ImportRequest([FIXTURE / "words.h5"], data=str(FIXTURE / "words.txt"))


def saved(folder, *values):
    """JSON files of these values."""
    paths = [folder / f"{i}.json" for i in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return paths


def answers(found, sources):
    translator = Translator(found.run, found.params)
    return dict(zip(sources, translator(list(sources)), strict=True))


@pytest.mark.parametrize(
    "values",
    [
        INDEX,
        REVERSED,
        [list(index) for index in INDEX],
        [INDEX[0], REVERSED[1]],
        [dict(zip(("input_token_index", "target_token_index"), INDEX, strict=True))],
        [dict(zip(("reverse_input_char_index", "reverse_target_char_index"), REVERSED,
                  strict=True))],
        [INDEX],
        [json.dumps(INDEX)],  # A text that is JSON itself.
        # What someone writes who calls the units words, without the spaces that ours carry.
        [{"input_characters": list(INDEX[0]), "target_characters": list(INDEX[1]),
          "tokens": "word"}],
    ],
    ids=["indices", "reversed", "lists", "mixed", "object", "reversed object", "list of two",
         "text", "words"],
)  # fmt: skip
def test_words_split_at_spaces_are_answered_as_by_keras(tmp_path, values):
    found = convert(WORDS._replace(vocabulary=saved(tmp_path, *values)))
    expected = MADE["words"]["decoded"]
    assert answers(found, expected) == expected
    assert (found.characters.start, found.characters.end) == ("START", "END")
    assert (found.config.data.source_tokens, found.config.data.target_tokens) == ("space", "space")
    assert found.characters.max_encoder_seq_length == 4
    assert found.characters.max_decoder_seq_length == 7


def test_lengths_may_be_given(tmp_path):
    asked = WORDS._replace(vocabulary=saved(tmp_path, *INDEX), data=None)
    with pytest.raises(UserError, match="max_encoder_seq_length"):
        convert(asked)
    found = convert(asked._replace(max_encoder_seq_length=4, max_decoder_seq_length=7))
    expected = MADE["words"]["decoded"]
    assert answers(found, expected) == expected


@pytest.fixture
def tokenized():
    vocabulary = [FIXTURE / f"tokenizer_{side}.json" for side in ("source", "target")]
    return ImportRequest([FIXTURE / "tokenizer.h5"], vocabulary=vocabulary)


def test_a_tokenizer_of_keras(tokenized):
    found = convert(tokenized._replace(max_decoder_seq_length=6))
    expected = MADE["tokenizer"]["decoded"]
    assert answers(found, expected) == expected
    assert (found.characters.start, found.characters.end) == ("startseq", "endseq")
    # It reads texts as people write them: in lower case and without punctuation.
    written = {"How are you?": "how are you", "THANK YOU.": "thank you", "Bye!": "bye"}
    assert list(answers(found, written).values()) == [expected[text] for text in written.values()]
    # "Thank you." and "How are you?" are two and three words to it.
    with_data = convert(tokenized._replace(data=str(FIXTURE / "words.txt")))
    assert with_data.characters.max_encoder_seq_length == 3
    assert with_data.characters.max_decoder_seq_length == 6


def test_what_a_tokenizer_does_is_saved_with_the_run_and_its_characters(tokenized, tmp_path):
    import_model(tokenized._replace(max_decoder_seq_length=6, out=tmp_path / "run"))
    translator = Translator.load(tmp_path / "run")
    assert translator(["Thank you!"]) == [MADE["tokenizer"]["decoded"]["thank you"]]
    again = Characters.from_json(tmp_path / "run" / KERAS)
    assert again.vocabularies()[0] == translator.run.source_vocabulary


def test_a_symbol_for_unseen_words_stands_for_them(tokenized):
    found = convert(tokenized._replace(max_decoder_seq_length=6))
    assert "<unk>" in found.characters.input_characters  # Its oov_token was UNK.
    ids = found.run.source_encoder.encode("how zzz you")
    assert list(ids).count(found.run.source_vocabulary.unk_id) == 1 and len(ids) == 3
    assert not found.characters.target_tokenizer.reads_unseen


def test_words_of_ours_keep_their_space(tmp_path):
    values = {"input_characters": [" a", *"bcdefghij", "k"][: len(INDEX[0])],
              "target_characters": ["\t", "\n", " a", *"bcdefghijklmnopqr"][: len(INDEX[1])],
              "tokens": "word"}  # fmt: skip
    found = convert(WORDS._replace(vocabulary=saved(tmp_path, values)))
    assert found.characters.source_tokenizer.kind == "word"


def test_numbers_that_an_index_leaves_out_are_nobody_s(tmp_path):
    source = {symbol: number + 1 for symbol, number in INDEX[0].items()}
    last = max(source, key=source.__getitem__)
    del source[last]
    found = convert(WORDS._replace(vocabulary=saved(tmp_path, source, INDEX[1])))
    assert found.characters.input_characters == ("", *(s for s in INDEX[0] if s != last))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([INDEX[0]], "symbols of one side; give both: --vocabulary SOURCE TARGET"),
        ([INDEX[0], INDEX[1], INDEX[1]], "one file or two, not 3"),
        ([INDEX[0], {"a": 0.5}], "a list of symbols, an index or a Tokenizer"),
        ([INDEX[0], {}], "a list of symbols, an index or a Tokenizer"),
        ([INDEX[0], {"START": 1, "END": 1}], "the same number"),
        ([INDEX[0], {**INDEX[1], "odd": 10**9}], "numbers from 0 to 1000000000"),
        ([INDEX[0], {**INDEX[1], "odd": -1}], "numbers from -1 to"),
        ([INDEX[0], {"class_name": "Tokenizer", "config": {"split": "|"}}], "splits at spaces"),
        ([INDEX[0], {"class_name": "Tokenizer", "config": {"word_index": "{"}}], "1.json"),
        ([INDEX[0], list(INDEX[1])[:-1]], "but .* and 1[0-9]; give the data"),
        ([INDEX[0], ["<s>", "</s>", *list(INDEX[1])[2:]]], "several pairs .* --start and --end"),
        ([INDEX[0], [*map(str, range(len(INDEX[1])))]], "the start .* --start and --end"),
        ([3], "the lists input_characters and target_characters"),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, values, message):
    with pytest.raises(UserError, match=message) as error:
        convert(WORDS._replace(vocabulary=saved(tmp_path, *values)))
    assert "\n" not in str(error.value)


def test_start_and_end_can_be_named(tmp_path):
    target = [{"START": "beginning", "END": "finish"}.get(s, s) for s in INDEX[1]]
    asked = WORDS._replace(vocabulary=saved(tmp_path, INDEX[0], target))
    with pytest.raises(UserError, match="--start and --end"):
        convert(asked)
    expected = MADE["words"]["decoded"]
    assert answers(convert(asked._replace(start="beginning", end="finish")), expected) == expected


def test_a_pickle_is_never_loaded_but_its_message_converts_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input.pkl").write_bytes(pickle.dumps(INDEX[0]))
    np.save("target.npy", REVERSED[1], allow_pickle=True)
    monkeypatch.setattr(pickle, "load", None)
    for name in ("input.pkl", "target.npy"):
        with pytest.raises(UserError, match="is a pickle") as error:
            convert(WORDS._replace(vocabulary=[tmp_path / name]))
        assert "\n" not in str(error.value)
        _, command = str(error.value).split("into JSON: ")
        program, *arguments = shlex.split(command)
        assert program == "python"
        subprocess.run([sys.executable, *arguments], check=True)
    found = convert(WORDS._replace(vocabulary=[tmp_path / "input.json", tmp_path / "target.json"]))
    expected = MADE["words"]["decoded"]
    assert answers(found, expected) == expected


def test_what_stands_in_for_a_file_is_named(tmp_path):
    pointer = tmp_path / "s2s.h5"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(UserError, match="git lfs pull"):
        convert(WORDS._replace(models=[pointer]))
    with pytest.raises(UserError, match="git lfs pull"):
        convert(WORDS._replace(vocabulary=[pointer, pointer]))
    page = tmp_path / "s2s.keras"
    page.write_text("<!DOCTYPE html><html></html>")
    with pytest.raises(UserError, match="a web page"):
        convert(WORDS._replace(models=[page]))
