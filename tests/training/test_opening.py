import dataclasses

from s2s_testing import write_pairs

from s2s_jax.config import DataConfig, TrainConfig
from s2s_jax.data.batching import Bucket
from s2s_jax.data.corpus import Corpus, Pair, Skipped
from s2s_jax.data.preparation import prepare
from s2s_jax.training.opening import (
    buckets_text,
    corpus_rows,
    device_text,
    pair_rows,
    part_rows,
    symbol_rows,
    update_rows,
)


def test_what_was_skipped_is_said_with_its_first_lines():
    corpus = Corpus(
        [Pair("a", "b")] * 3,
        {"no tab": Skipped(7, (1, 2, 3, 4, 5)), "duplicate": Skipped(1, (9,))},
        [6, 7, 8],
    )
    rows = corpus_rows("fra.txt", corpus, 2, 1)
    assert ("Samples", "3 pairs: 2 for training, 1 for validation") in rows
    assert ("Skipped", "no tab: 7 (line 1, 2, 3, 4, 5, ...)") in rows
    assert ("Skipped", "duplicate: 1 (line 9)") in rows


def test_the_parts_that_are_given_are_said(tmp_path):
    train, dev = tmp_path / "train.csv", tmp_path / "dev.csv"
    train.write_text("Go.,Va !\nHi.,Salut !\n")
    dev.write_text("Go.,Vas-y !\nRun!,Cours !\nno comma\n")
    prepared = prepare(DataConfig(str(train), validation=str(dev)), seed=0)
    rows = corpus_rows("train.csv", prepared.corpus, 2, 2)
    assert ("Samples", "4 pairs: 2 for training, 2 for validation") in rows
    assert ("Layout", "columns 1 and 2, separated by commas, quotes as in CSV") in rows
    assert part_rows(prepared) == [
        ("Skipped", "of the validation part: too few columns: 1 (line 3)"),
        ("Leaks", "1 of 2 pairs of the validation part have a source that is trained on"),
    ]


def test_each_side_s_symbols_are_said_and_the_share_that_is_unknown(tmp_path):
    pairs = [("Go on.", "v a"), ("Go away.", "v a"), ("Go home, Tom.", "r ɛ")]
    data = DataConfig(str(write_pairs(tmp_path / "a.txt", pairs)), split="tail", tokens="word")

    def rows(**tokens):
        prepared = prepare(dataclasses.replace(data, **tokens), seed=0)
        return symbol_rows(prepared, prepared.encode(prepared.training))

    # "Go" and "." of five words, "v a" of two.
    assert rows(target_tokens="space") == [
        ("Unique", "source 2 words, target 2 symbols"),
        ("Longest", "source 3 words, target 2 symbols"),
        ("<unk>", "source 60.00%, target 100.00% of the validation part; counted as wrong"),
    ]
    same = rows(target_tokens="word")
    assert [name for name, _ in same] == ["Unique words", "Longest", "<unk>"]
    assert same[1] == ("Longest", "source 3, target 2 words")
    pairs[2] = ("Go", "v")
    write_pairs(tmp_path / "a.txt", pairs)
    assert [name for name, _ in rows()] == ["Unique words", "Longest"]


def test_the_first_pair_is_shown_as_it_is_learned(tmp_path):
    pairs = [("Go on.", "v  a"), ("Go home.", "v " * 99), ("On.", "w")]
    data = str(write_pairs(tmp_path / "a.txt", pairs))
    config = DataConfig(data, source_tokens="word", target_tokens="space", validation_split=0)
    # "on" stands nowhere else, so that it is not learned.
    assert pair_rows(prepare(config, seed=0)) == [("First pair", "Go·<unk>·."), ("", "-> v·a")]
    config = dataclasses.replace(config, source_tokens="char", swap=True)
    pairs[0] = pairs.pop(1)
    write_pairs(tmp_path / "a.txt", pairs)
    (_, source), (_, target) = pair_rows(prepare(config, seed=0))
    assert (len(source), source[:6]) == (60, "v· ·v·")
    assert target == "-> Go·home."


def test_lines_that_are_not_read_are_said():
    corpus = Corpus([Pair("a", "b")] * 3, {}, [1, 2, 3])
    assert "Unread" not in dict(corpus_rows("fra.txt", corpus, 2, 1))
    corpus = dataclasses.replace(corpus, unread=2000)
    rows = dict(corpus_rows("fra.txt", corpus, 2, 1))
    assert rows["Unread"] == "2,000 more lines; --num-samples 0 reads all"
    rows = dict(corpus_rows("fra.txt", dataclasses.replace(corpus, unread_more=True), 2, 1))
    assert rows["Unread"].startswith("at least 2,000")


def test_few_updates_are_said_before_they_are_made():
    assert update_rows(TrainConfig(epochs=500), 1) == []
    assert update_rows(TrainConfig(epochs=0), 1) == []
    ((name, text),) = update_rows(TrainConfig(epochs=100), 1)
    assert (name, text.split(";")[0]) == ("Few updates", "100 epochs of this data are 100 updates")


def test_texts_name_what_they_are_about():
    assert buckets_text([Bucket(3, 4), Bucket(5, 6)]).startswith("2 (")
    assert "1 x cpu" in device_text(None)
