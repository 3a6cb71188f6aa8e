import dataclasses
import io

import pytest
from rich.console import Console
from s2s_testing import write_pairs

from s2s_jax.command_line import command
from s2s_jax.config import DataConfig
from s2s_jax.data.batching import Bucket
from s2s_jax.data.corpus import Corpus, Pair, Skipped
from s2s_jax.data.preparation import prepare
from s2s_jax.evaluation.evaluation import Answer
from s2s_jax.model.losses import Sums
from s2s_jax.training.progress import TrainingProgress
from s2s_jax.training.report import (
    TrainingReport,
    buckets_text,
    corpus_rows,
    device_text,
    part_rows,
    symbol_rows,
)

METRICS = {
    "epoch": 3, "loss": 1.23456, "accuracy": 0.5, "val_loss": 2.0, "val_accuracy": 0.25,
    "seconds": 4.04, "target_tokens_per_second": 12345.6,
}  # fmt: skip


@pytest.fixture(params=[True, False], ids=["terminal", "pipe"])
def report(request):
    report = TrainingReport()
    report.console = Console(
        file=io.StringIO(), force_terminal=request.param, width=80, highlight=False
    )
    return report


def printed(report):
    return report.console.file.getvalue()


def test_a_bar_is_shown_to_people_only(report):
    report.start(batches=10, epochs=100, progress=TrainingProgress(epoch=2))
    report.on_step(TrainingProgress(epoch=2, batch=5, sums=Sums(12.0, 3.0, 8.0)))
    report._bar.refresh()
    report.on_epoch(METRICS)
    report.stop()
    text = printed(report)
    assert "epoch   3/100  loss 1.2346  accuracy 0.5000  val_loss 2.0000" in text
    assert "12,346 tokens/s" in text
    assert ("\x1b" in text) == report.console.is_terminal
    assert ("loss 1.500  accuracy 0.375" in text) == report.console.is_terminal


def test_a_run_without_validation_shows_none(report):
    report.start(batches=1, epochs=3, progress=TrainingProgress())
    report.on_epoch({k: v for k, v in METRICS.items() if not k.startswith("val")})
    report.stop()
    assert "val_loss" not in printed(report)


def test_tables_fit_the_terminal_and_cut_nothing(report):
    long = "Ça alors, " * 12
    answers = [Answer("Wow!", ("x", "Ça alors !"), "Ça alors !"), Answer(long, (long,), "[bold]no")]
    report.examples(answers)
    report.opening([("Data", "x" * 150), ("Samples", "[red]10")])
    text = printed(report)
    assert "…" not in text
    assert "[bold]no" in text  # A sentence is text, not markup.
    assert "[red]10" in text
    assert text.count("x") >= 150
    assert "Ça alors !" in text
    if not report.console.is_terminal:
        assert max(map(len, text.splitlines())) <= 80


def test_what_was_skipped_is_said_with_its_first_lines():
    corpus = Corpus(
        "fra",
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


def test_texts_name_what_they_are_about(tmp_path):
    assert buckets_text([Bucket(3, 4), Bucket(5, 6)]).startswith("2 (")
    assert "1 x cpu" in device_text(None)
    assert command("train.py", tmp_path / "a b", "--resume") == (
        f"python train.py --out '{tmp_path}/a b' --resume"
    )
    assert command("decode.py", tmp_path) == f"python decode.py --checkpoint {tmp_path}"
