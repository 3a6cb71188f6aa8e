"""Vocabularies in which one symbol stands for all unseen ones."""

import json
import runpy
import sys
from pathlib import Path

import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.data.tokenizers import read_tokenizer
from s2s_jax.decoding.export import export
from s2s_jax.decoding.translator import Translator
from s2s_jax.keras.exporting import own_characters
from s2s_jax.keras.importing import import_model
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.symbols import read_vocabularies

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ["", "[UNK]", "go", "stop"]
TARGET = ["", "[UNK]", "[start]", "[end]", "va"]


def saved(folder, *values):
    paths = [folder / f"{number}.json" for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_text(json.dumps(value), encoding="utf-8")
    return read_vocabularies(paths, (len(SOURCE), len(TARGET)))


@pytest.mark.parametrize("as_index", [False, True])
def test_what_text_vectorization_reads_unseen_words_as(tmp_path, as_index):
    values = [SOURCE, TARGET]
    if as_index:
        values = [{w.replace("[UNK]", "<UNK>"): i for i, w in enumerate(v)} for v in values]
    source, target = saved(tmp_path, *values)[:2]
    assert (source.unseen, target.unseen) == (("<UNK>",) * 2 if as_index else ("[UNK]",) * 2)
    assert source.symbols == ("", "<unk>", "go", "stop")
    assert target.symbols == ("", "<unk>", "[start]", "[end]", "va")
    tokenizer = read_tokenizer(source.tokens("space"))
    assert tokenizer.reads_unseen
    assert tokenizer.divide("Go, stop") == ["Go,", "stop"]  # Its case and marks stay.


def test_without_one_unseen_symbols_are_left_out(tmp_path):
    source, _, _ = saved(tmp_path, ["", "go", "no", "stop"], TARGET)
    assert not source.unseen
    assert source.tokens("space") == "space"


@pytest.mark.parametrize("name", ["<unk>", "UNK", "<OOV>", "_UNK", "<unknown>"])
def test_other_names_for_what_unseen_words_are_read_as(tmp_path, name):
    source, _, _ = saved(tmp_path, ["", name, "go", "stop"], TARGET)
    assert source.unseen == name and source.symbols[1] == "<unk>"


WORDS = json.loads((FIXTURE / "layouts.json").read_text(encoding="utf-8"))["words"]["decoded"]


@pytest.fixture
def run_folder(tmp_path, capsys):
    """A model of Keras that answers "I am fine .", whose vocabulary calls "fine" unseen."""
    index = [json.loads((FIXTURE / f"{side}_token_index.json").read_text("utf-8"))
             for side in ("input", "target")]  # fmt: skip
    index[1]["[UNK]"] = index[1].pop("fine")
    paths = [tmp_path / f"{number}.json" for number in range(2)]
    for path, value in zip(paths, index, strict=True):
        path.write_text(json.dumps(value), encoding="utf-8")
    data, folder = str(FIXTURE / "words.txt"), tmp_path / "run"
    import_model(ImportRequest([FIXTURE / "words.h5"], data, vocabulary=paths, out=folder))
    assert "Answers hold [UNK] where" in capsys.readouterr().out
    return folder


WANTED = {text: answer.replace("fine", "[UNK]") for text, answer in WORDS.items()}


@pytest.mark.parametrize("beam", [1, 3])
def test_answers_hold_it_where_keras_writes_it(run_folder, beam):
    translator = Translator.load(run_folder)
    assert WANTED != WORDS and translator(list(WANTED), beam=beam) == list(WANTED.values())
    own = own_characters(translator.run)  # As it is exported once it has been fine-tuned.
    assert own.unseen_target == "[UNK]" and "<unk>" in own.target_characters


def test_so_do_those_of_an_exported_program(run_folder, tmp_path, monkeypatch, capsys):
    export(Translator.load(run_folder), tmp_path / "run.s2s")
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["run_exported.py", str(tmp_path / "run.s2s"), *WANTED])
    runpy.run_path(str(ROOT / "examples" / "run_exported.py"))
    assert capsys.readouterr().out.splitlines() == list(WANTED.values())
