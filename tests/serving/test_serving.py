import io
import json
import math
import os
import re
import select
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from s2s_testing import PAIRS, ROOT

from s2s_jax.config import EVERYTHING
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import TRAINING_SOURCES
from s2s_jax.serving.serving import DecodeRequest, decode

SWAPPED = replace(EVERYTHING, swap=True)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_are_not_part_of_a_sentence(trained, run_here, ending):
    text = f"\ufeffHe eats.{ending}Tom runs."
    done = run_here("decode.py", "--checkpoint", trained[1], stdin=text)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 2


def test_more_lines_than_a_chunk_keep_their_order(trained, run_here):
    lines = [("He eats.", "She runs.", "", "Tom talks.")[i % 4] for i in range(4100)]
    answers = Translator.load(trained[1])(lines[:4])
    done = run_here("decode.py", "--checkpoint", trained[1], stdin="\n".join(lines) + "\n")
    assert done.stdout.split("\n")[:-1] == [answers[i % 4] for i in range(4100)]


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(trained, tmp_path):
    command = f"yes 'He eats.' | head -20000 | {sys.executable} {ROOT / 'decode.py'}"
    done = subprocess.run(
        ["bash", "-c", f"{command} --checkpoint {trained[1]} | head -1"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_an_answer_cut_off_says_so(trained, run_here):
    done = run_here("decode.py", "--checkpoint", trained[1], "--max-length", 2, "He eats.")
    assert len(done.stdout.strip()) <= 2
    assert "--max-length" in done.stderr


@pytest.mark.slow
def test_strange_text_goes_in_and_out_whatever_the_locale(trained, tmp_path):
    """Bytes that are no text reach Python's arguments as lone surrogates."""
    for environment in ({"PYTHONIOENCODING": "ascii"}, {}):
        done = subprocess.run(
            [sys.executable, ROOT / "decode.py", "--checkpoint", trained[1], "--json",
             b"He \xff eats.", "\u05e9\u200d\U0001f600e\u0301"],
            cwd=tmp_path, capture_output=True, env={**os.environ, **environment}, check=True,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
        assert [line["source"] for line in lines] == [
            "He  eats.",
            "\u05e9\u200d\U0001f600\xe9",
        ]
        assert "0xff" in lines[0]["warnings"][0]


def answer(capsys, folder, *texts, search=None, **options):
    """What decode.py prints for texts, and its warnings."""
    request = DecodeRequest(
        list(texts), search or {}, checkpoints=(folder,) if folder else (), **options
    )
    decode(request)
    printed = capsys.readouterr()
    return printed.out.split("\n")[:-1], printed.err.splitlines()


@pytest.mark.parametrize("watched", [True, False])
def test_a_person_is_told_which_run_answers(trained, capsys, monkeypatch, watched):
    monkeypatch.chdir(trained[1].parents[1])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: watched)
    [(_, step)] = Translator.load(trained[1]).origins
    told = [f"run: checkpoints/tiny, step {step} (choose with --checkpoint)"] * watched
    assert answer(capsys, None, "He eats.")[1] == told
    _, said = answer(capsys, None, evaluate=Path("checkpoints/tiny/validation.tsv"))
    assert said[: len(told)] == told  # What follows is the progress bar.
    assert answer(capsys, trained[1], "He eats.")[1] == []


def test_a_pair_in_place_of_a_source_is_named(trained, capsys):
    _, said = answer(capsys, trained[1], "He eats.", "He eats.\tIl mange.")
    (line,) = (line for line in said if "tab" in line)
    assert line.startswith("line 2: ") and "--score" in line
    (as_json,), _ = answer(capsys, trained[1], "He eats.\tIl mange.", json=True)
    assert any("tab" in warning for warning in json.loads(as_json)["warnings"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("my s2s.h5", r"model of Keras; .* -m s2s_jax.keras import 'my s2s.h5' --data"),
        ("model.keras", "import model.keras --data"),
        ("notes.txt", "must be the folder of a run, but notes.txt is a file"),
    ],
)
def test_a_file_is_no_run(run_here, tmp_path, name, words):
    (tmp_path / name).write_bytes(b"\x89HDF")
    done = run_here("decode.py", "--checkpoint", name, "Go.")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert re.search(words, done.stderr)


def test_in_a_pipe_an_answer_comes_before_the_end_of_the_input(trained, tmp_path):
    with subprocess.Popen(
        [sys.executable, ROOT / "decode.py", "--checkpoint", trained[1]],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd=tmp_path,
    ) as process:  # fmt: skip
        answers = []
        for text in (b"He eats.\n", b"\nTom runs.\nShe sl", b"eeps.\n"):
            process.stdin.write(text)
            for _ in range(text.count(b"\n")):
                assert select.select([process.stdout], [], [], 60)[0], answers
                answers.append(process.stdout.readline().decode().strip())
        process.stdin.close()
        assert process.stdout.read() == b""
    texts = ["He eats.", "", "Tom runs.", "She sleeps."]
    assert answers == Translator.load(trained[1])(texts)
    assert process.returncode == 0


@pytest.fixture
def searched(trained, tmp_path):
    """The run with a beam of 3 as its own way to search."""
    folder = shutil.copytree(trained[1], tmp_path / "searched")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["decode"] |= {"beam": 3, "length_penalty": 1.5}
    del config["sha256"]
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return folder


TEXTS = ["He eats.", "Tom talks.", "She thinks.", "We know how they swim."]


@pytest.mark.parametrize(
    ("search", "same"),
    [
        ({}, {"beam": 3, "length_penalty": 1.5}),
        ({"length_penalty": 0.1}, {"beam": 3, "length_penalty": 0.1}),
        ({"beam": 1}, {"beam": 1}),
        ({"n_best": 3}, {"beam": 3, "length_penalty": 1.5, "n_best": 3}),
        ({"sample": True, "seed": 5}, {"sample": True, "seed": 5}),
    ],
    ids=str,
)
def test_a_run_says_how_to_search_and_a_flag_otherwise(trained, searched, capsys, search, same):
    found = answer(capsys, searched, *TEXTS, search={**search, "scores": True})
    assert found == answer(capsys, trained[1], *TEXTS, search={**same, "scores": True})
    wanted = Translator.load(trained[1])(TEXTS, **same)
    assert Translator.load(searched)(TEXTS, **search) == wanted


def test_more_answers_than_the_run_has_hypotheses_are_refused(searched, capsys):
    with pytest.raises(UserError, match="`n_best` 4 needs a beam of at least that many"):
        answer(capsys, searched, "He eats.", search={"n_best": 4})
    with pytest.raises(UserError, match="`n_best` 2 needs a beam"):
        answer(capsys, searched, "He eats.", search={"beam": 1, "n_best": 2})


def test_n_best_and_scores_are_columns(trained, capsys):
    search = {"beam": 3, "n_best": 2, "scores": True}
    texts = ["He eats.", "", "日本", "Tom talks."]
    lines, said = answer(capsys, trained[1], *texts, search=search)
    assert len(lines) == 4
    assert [line.count("\t") for line in lines] == [7] * 4
    assert lines[1] == lines[2] == "\t" * 7
    assert [w.split(":")[0] for w in said] == ["line 3"]
    found = Translator.load(trained[1]).translate(texts, DecodeConfig(**search))
    for line, translation in zip(lines, found, strict=True):
        columns = line.split("\t")
        for place, hypothesis in enumerate(translation.n_best):
            text, score, mean, ranked = columns[4 * place : 4 * place + 4]
            assert text == hypothesis.text
            if hypothesis.score is not None:
                assert float(score) == pytest.approx(hypothesis.score, abs=1e-4)
                assert float(mean) == pytest.approx(
                    hypothesis.score / len(hypothesis.tokens), abs=1e-4
                )
                assert float(ranked) == pytest.approx(hypothesis.ranked, abs=1e-4)


def test_a_target_that_was_decoded_scores_what_decoding_said(trained, capsys):
    texts = ["He eats.", "Tom talks.", "She thinks."]
    decoded, _ = answer(capsys, trained[1], *texts, search={"scores": True})
    lines = [
        f"{s}\t{line.split(chr(9))[0]}\tignored" for s, line in zip(texts, decoded, strict=True)
    ]
    scored, _ = answer(capsys, trained[1], *lines, "no tab", score=True)
    assert [line.split("\t", 1)[1] for line in decoded] == scored[:3]
    assert scored[3] == "\t"
    swapped = ["\t".join(line.split("\t")[1::-1]) for line in lines]
    assert answer(capsys, trained[1], *swapped, score=True, reading=SWAPPED)[0] == scored[:3]
    as_json, said = answer(capsys, trained[1], *lines, "no tab", score=True, json=True)
    values = [json.loads(line) for line in as_json]
    assert said == []
    for value, line in zip(values, scored[:3], strict=False):
        # The lines are rounded to four decimals.
        rounded = pytest.approx(list(map(float, line.split("\t"))), abs=5.1e-5)
        assert [value["score"], value["mean_score"]] == rounded
    assert values[0]["tokens"][-1] == "<eos>"
    assert "no tab" in values[3]["warnings"][0]
    with pytest.raises(UserError, match=r"line 2 needs source<TAB>target"):
        answer(capsys, trained[1], lines[0], "x", score=True, search={"strict": True})


def test_json_has_all_there_is(trained, capsys, monkeypatch):
    content = io.BytesIO(b"He eats.\n\nTom\xff runs.\n" + b"a" * 100_001 + b"\nMary talks.")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    search = {"beam": 3, "n_best": 2}
    lines, said = answer(capsys, trained[1], search=search, json=True, input="-")
    values = [json.loads(line) for line in lines]
    assert said == []
    assert [v["source"] for v in values] == ["He eats.", "", "Tom runs.", "", "Mary talks."]
    assert [len(v["warnings"]) for v in values] == [0, 0, 1, 1, 0]
    assert "0xff" in values[2]["warnings"][0]
    for v in values:
        assert v["text"] == v["n_best"][0]["text"]
        assert len(v["tokens"]) == len(v["log_probs"])
        assert len(v["n_best"]) == (2 if v["source"] else 1)
        assert v["source"] == "" or v["score"] == pytest.approx(sum(v["log_probs"]), abs=1e-4)


def evaluation(capsys, folder, path, **options):
    lines, said = answer(capsys, folder, evaluate=path, json=True, **options)
    return json.loads(lines[0]), said


def without_speed(values):
    return {name: value for name, value in values.items() if name != "sentences_per_second"}


def test_an_evaluation_says_what_training_said(trained, capsys, tmp_path):
    done, folder = trained
    saved = json.loads((folder / "evaluation.json").read_text())
    validation = folder / "validation.tsv"
    again, said = evaluation(capsys, folder, validation, output=tmp_path / "decoded.tsv")
    assert without_speed(again) == without_speed(saved)
    assert said == []
    assert (saved["sentences"], saved["in_training"]) == (4, 0)
    # The loss is the one that the best step was chosen by.
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert saved["loss"] == pytest.approx(min(m["val_loss"] for m in metrics), abs=1e-5)
    assert saved["perplexity"] == pytest.approx(math.exp(saved["loss"]))
    assert (tmp_path / "decoded.tsv").read_text() == validation.read_text()
    lines, _ = answer(capsys, folder, evaluate=validation)
    assert set(lines) - set(done.stdout.splitlines()) == {
        line for line in lines if line.startswith("Speed")
    }
    rows = [line.split("\t") for line in validation.read_text().splitlines()]
    assert {(source, target) for source, target, _ in rows} < set(PAIRS)
    assert [d for _, _, d in rows] == Translator.load(folder)([s for s, _, _ in rows])


def test_pairs_to_evaluate_on_are_read_as_written_or_as_asked(trained, capsys, tmp_path):
    run = Path(shutil.copytree(trained[1], tmp_path / "run"))
    written = run / "validation.tsv"
    written.write_text('12\t"douze"\tdouze\n13\t"treize"\ttreize\n')
    found, said = evaluation(capsys, trained[1], written)
    assert (found["sentences"], said) == (2, [])
    elsewhere = tmp_path / "validation.tsv"
    elsewhere.write_text("1\tHe eats.\t9\tIl mange.\n")
    with pytest.raises(UserError, match=r"holds only numbers; .* 2,4 for 'He eats\.'"):
        evaluation(capsys, trained[1], elsewhere)
    table = tmp_path / "pairs.csv"
    table.write_text("id,fr,en\n7,Il mange.,He eats.\n", "utf-16")
    reading = replace(EVERYTHING, columns="en,fr", encoding="utf-16")
    assert evaluation(capsys, trained[1], table, reading=reading)[0]["sentences"] == 1


def test_what_was_trained_on_is_named(trained, capsys, tmp_path, data_file):
    found, _ = evaluation(capsys, trained[1], data_file)
    assert (found["sentences"], found["in_training"]) == (20, 16)
    alone, _ = evaluation(capsys, trained[1], trained[1] / "validation.tsv")
    for name in ("sentences", "references", "exact", "cer", "chrf", "bleu"):
        assert found["not_in_training"][name] == alone[name]
    lines, _ = answer(capsys, trained[1], evaluate=data_file)
    assert any("16 of 20 sentences were trained on" in line for line in lines)
    swapped = tmp_path / "swapped.txt"
    swapped.write_text("".join(f"{t}\t{s}\nno tab\n" for s, t in PAIRS))
    again, said = evaluation(capsys, trained[1], swapped, reading=SWAPPED)
    assert without_speed(again) == without_speed(found)
    assert said == ["skipped: no tab: 20 (line 2, 4, 6, 8, 10, ...)"]


def test_a_run_that_does_not_say_what_it_was_trained_on_is_judged(trained, capsys, tmp_path):
    folder = Path(shutil.copytree(trained[1], tmp_path / "run"))
    path = folder / TRAINING_SOURCES
    content = path.read_bytes()
    path.unlink()
    found, _ = evaluation(capsys, folder, folder / "validation.tsv")
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match="damaged"):
        evaluation(capsys, folder, folder / "validation.tsv")
    assert found["in_training"] is None and found["sentences"] == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"texts": ["Go."], "input": "in.txt"}, "--input, not both"),
        ({"texts": ["Go."], "evaluate": Path("x")}, "--evaluate reads its file alone"),
        ({"evaluate": Path("x"), "score": True}, "--evaluate .* --score"),
        ({"evaluate": Path("x"), "search": {"strict": True}}, "--strict"),
        ({"score": True, "search": {"beam": 2}}, "--score decodes nothing"),
        ({"score": True, "search": {"sample": True}}, "--score decodes nothing"),
        ({"texts": ["Go."], "reading": SWAPPED}, "--swap"),
        ({"texts": ["Go."], "reading": replace(EVERYTHING, columns="2,1")}, "--columns, .* UTF-8"),
        ({"input": "one.txt", "reading": replace(EVERYTHING, encoding="cp1252")}, "--encoding"),
        ({"score": True, "reading": replace(SWAPPED, separator=";")}, "--separator, .*<TAB>"),
        ({"input": "one.txt", "output": Path("./one.txt")}, "--output .* would replace"),
        ({"evaluate": Path("one.txt"), "output": Path("one.txt")}, "--output .* would replace"),
        ({"export": Path("x.s2s"), "output": Path("y")}, "--export writes"),
        ({"export": Path("x.s2s"), "json": True}, "--export writes"),
        (
            {"texts": ["Go."], "output": Path("no/such/out.txt")},
            "--output .* folder .*no/such first",
        ),
        ({"input": "missing.txt"}, "--input missing.txt cannot be read"),
        ({"evaluate": Path("missing.txt")}, "a file is needed, but there is no missing"),
        (
            {"evaluate": Path("one.txt")},
            r"no usable line in one\.txt.*no tab 2 \(first at line 1\)",
        ),
        (
            {"evaluate": Path(".")},
            r"\. is a folder; name a file in it, such as",
        ),
    ],
)
def test_bad_requests_are_one_line(trained, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    Path("one.txt").write_text("Go.\nRun!\n")
    request = DecodeRequest(**{"texts": [], "search": {}, "checkpoints": (trained[1],)} | options)
    with pytest.raises(UserError, match=words) as error:
        decode(request)
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["one.txt"]


@pytest.mark.parametrize(
    "flags",
    [
        ["--beam", 0],
        ["--beam", 2, "--n-best", 3],
        ["--sample", "--temperature", 0],
        ["--sample", "--temperature", -1],
        ["--sample", "--top-p", 0],
        ["--sample", "--top-p", 1.5],
        ["--sample", "--beam", 5],
        ["--temperature", 0.5],
        ["--beam", "many"],
    ],
)
def test_bad_flags_are_one_line(run_here, flags):
    done = run_here("decode.py", *flags, "Go.")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and flags[-2 if len(flags) > 1 else 0] in done.stderr
