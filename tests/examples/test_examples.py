"""The examples as a reader would call them; what they train is small."""

import re
import runpy
from itertools import islice

import pytest
from s2s_testing import ROOT, run_script, write_pairs

from s2s_jax.data.embedded import embedded_pairs


def example(name):
    return runpy.run_path(str(ROOT / "examples" / name))


def test_dates_are_read_as_people_write_them():
    pairs = example("dates.py")["pairs"](500)
    assert len({source for source, _ in pairs}) == 500
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", target) for _, target in pairs)
    # The year, as four digits, stands in both.
    assert all(target[:4] in source for source, target in pairs)
    assert example("dates.py")["pairs"](500) == pairs


def test_sums_are_right_and_no_two_alike():
    pairs = example("sums.py")["pairs"](2000)
    assert len(set(pairs)) == 2000
    for source, target in pairs:
        one, other = source.split("+")
        assert int(one) + int(other) == int(target)
        assert max(len(one), len(other)) <= 3


def test_languages_have_two_parts_and_count_the_same_in_the_mean(tmp_path):
    names = example("g2p.py")
    for name in ("fre_train", "fre_dev", "kor_train", "kor_dev", "vie_train"):
        (tmp_path / f"{name}.tsv").touch()
    assert names["languages"](tmp_path) == ["fre", "kor"]
    results = [names["Result"]("fre", 0.1, 0.02, 30.0), names["Result"]("kor", 0.3, 0.04, 50.0)]
    assert names["line"](names["mean"](results)).split() == ["mean", "20.00%", "3.00%", "40.0"]


@pytest.mark.slow
def test_every_language_of_a_folder_is_trained_and_judged(tmp_path):
    for part in ("train", "dev"):
        lines = [f"{word}\t{' '.join(word)}\n" for word in ("ab", "ba", "aab", "bba", "abab")]
        for language in ("one", "two"):
            (tmp_path / f"{language}_{part}.tsv").write_text("".join(lines))
    small = ["--epochs", 1, "--latent-dim", 8, "--embedding-dim", 8, "--validation-split", 0.4]
    options = [*small, "--jobs", 2, "--runs", 2]
    done = run_script("examples/g2p.py", tmp_path, *options, cwd=tmp_path, timeout=400)
    assert done.returncode == 0, done.stderr
    first, *languages, last = [line.split()[0] for line in done.stdout.splitlines()]
    assert (first, last) == ("language", "mean")
    assert sorted(languages) == ["one", "two"], "a row as each is over, in whatever order"
    assert (tmp_path / "checkpoints" / "g2p" / "two-seed1" / "evaluation.json").exists()


@pytest.mark.slow
def test_a_search_names_its_best_run_and_goes_on_where_it_stopped(tmp_path):
    pytest.importorskip("optuna")
    write_pairs(tmp_path / "fra.txt", list(islice(embedded_pairs(7), 300)))
    for trials in (1, 2):
        done = run_script("examples/search.py", "fra.txt", 1, 1, cwd=tmp_path, timeout=400)
        assert done.returncode == 0, done.stderr
        assert "the best: search/" in done.stdout and "latent_dim" in done.stdout
        assert len(list((tmp_path / "search").glob("*/evaluation.json"))) == trials


def test_a_search_without_data_says_how_to_run_it(tmp_path):
    pytest.importorskip("optuna")
    for arguments in ((), ("--help",)):
        done = run_script("examples/search.py", *arguments, cwd=tmp_path)
        assert done.returncode == 1 and "python examples/search.py DATA" in done.stderr
