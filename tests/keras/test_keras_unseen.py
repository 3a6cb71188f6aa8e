"""Vocabularies in which one symbol stands for all unseen ones."""

import json

import pytest

from s2s_jax.data.tokenizers import read_tokenizer
from s2s_jax.keras.symbols import read_vocabularies

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
    assert source.symbols == ("", "<unk>", "go", "stop")
    assert target.symbols == ("", "<unk>", "[start]", "[end]", "va")
    tokenizer = read_tokenizer(source.tokens("space"))
    assert tokenizer.reads_unseen
    assert tokenizer.divide("Go, stop") == ["Go,", "stop"]  # Its case and marks stay.


def test_without_one_unseen_symbols_are_left_out(tmp_path):
    source, _, _ = saved(tmp_path, ["", "go", "no", "stop"], TARGET)
    assert not source.reads_unseen
    assert source.tokens("space") == "space"
