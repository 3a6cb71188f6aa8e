"""What users type, in folders of their own; where nothing hangs on it, in this process."""

import functools
import http.server
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import zipfile

import pytest
from s2s_testing import PAIRS, ROOT, SMALL, run_script, write_pairs

from s2s_jax.decoding.translator import Translator

SOURCES = [source for source, _ in PAIRS]


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def snapshot(folder):
    """Every file of a folder with its bytes."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(done, *words):
    """A user's mistake: one line on stderr, status 2, nothing on stdout."""
    assert done.returncode == 2, done.stderr + done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    return done.stderr


def test_training_says_what_it_does(trained):
    done, out = trained
    lines = done.stdout.splitlines()
    for name in ("Samples", "Unique characters", "Longest", "Shapes", "Parameters", "Device"):
        assert any(line.startswith(name) for line in lines), name
    assert "20 pairs: 16 for training, 4 for validation" in done.stdout
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == 40
    assert f"python decode.py --checkpoint {out} '" in lines[-1]
    suggested = shlex.split(lines[-1])[4:]
    assert suggested and '"' not in lines[-1]
    answers = dict(zip(suggested, Translator.load(out)(suggested), strict=True))
    assert answers.items() <= dict(PAIRS).items()
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    kept = metrics(out)
    assert [epoch["epoch"] for epoch in kept] == list(range(1, 41))
    assert set(kept[0]) == {
        "epoch", "loss", "accuracy", "nats_per_character",
        "val_loss", "val_accuracy", "val_nats_per_character",
        "seconds", "target_tokens_per_second", "learning_rate",
    }  # fmt: skip
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert f"Exactly right: {evaluation['exact']} of {evaluation['sentences']}" in done.stdout


@pytest.mark.slow
def test_decoding_in_each_form_gives_what_training_printed(trained, tmp_path, run_here):
    done, out = trained
    # From another folder and a copy of the run, without the data.
    copy = shutil.copytree(out, tmp_path / "checkpoints" / "copy")
    rows = [line.split("│") for line in done.stdout.splitlines() if line.startswith("│")]
    printed = {row[1].strip(): row[3].strip() for row in rows}
    assert len(printed) == 4
    first = run_script("decode.py", *printed, cwd=tmp_path)  # The newest run, here.
    assert (first.returncode, first.stderr) == (0, "")
    answers = dict(zip(printed, first.stdout.splitlines(), strict=True))
    assert answers == printed
    text = "\n".join(printed) + "\n"
    piped = run_script("decode.py", "--checkpoint", copy, cwd=tmp_path, stdin=text)
    assert piped.stdout == first.stdout
    (tmp_path / "in.txt").write_text(text)
    to_file = run_here(
        "decode.py", "--checkpoint", copy, "--input", "in.txt", "--output", "out.txt",
        "--batch-size", 1,
    )  # fmt: skip
    assert (to_file.returncode, to_file.stdout, to_file.stderr) == (0, "", "")
    assert (tmp_path / "out.txt").read_text() == first.stdout
    steps = sorted(int(p.name) for p in (copy / "steps").iterdir())
    for step in ("latest", steps[0]):
        done = run_here("decode.py", "--step", step, "He eats.")
        assert done.returncode == 0
    as_json = run_here("decode.py", "--json", "--input", "-", stdin=text)
    found = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert {f["source"]: f["text"] for f in found} == printed
    assert all(f["complete"] and f["warnings"] == [] for f in found)


def test_every_line_keeps_its_place(trained, tmp_path):
    _, out = trained
    lines = [b"He eats.", b"", b"   ", "日本".encode(), b"\xff\xfe", b"Tom runs.\r", b"He eats."]
    done = subprocess.run(
        [sys.executable, ROOT / "decode.py", "--checkpoint", out],
        input=b"\n".join(lines), capture_output=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    answers = done.stdout.decode().split("\n")
    assert len(answers) == len(lines) + 1
    assert answers[1:5] == [""] * 4
    assert answers[0] == answers[6]
    assert [answers[5]] == Translator.load(out)(["Tom runs."])
    warnings = done.stderr.decode().splitlines()
    assert [w.split(":")[0] for w in warnings] == ["line 4", "line 5"]
    assert "'日' '本'" in warnings[0] and "0xff" in warnings[1]


@pytest.mark.slow
def test_resume_goes_on_and_counts_on(tmp_path, data_file, run_here):
    run, command = tmp_path / "run", ["train.py", "--data", data_file, *SMALL, "--out"]
    begin = [*command, "run", "--epochs", 2, "--resume"]
    first = run_script(*begin, cwd=tmp_path)  # Nothing there yet: begins.
    assert first.returncode == 0, first.stderr
    before = snapshot(run)
    has = "has the 2 epochs asked for"
    more = "has 2 epochs, more than the 1 asked for"
    # Nothing to do; a script goes on.
    for epochs, why in (([], has), (["--epochs", 1], more), (["--epochs", 2], has)):
        done = run_here(*command, "run", "--resume", *epochs)
        assert done.returncode == 0, done.stderr
        assert f"Nothing to do: run {why}" in done.stdout
        assert "python train.py --out run --more 2" in done.stdout
    assert snapshot(run) == before
    again = run_here(*command, "run", "--more", 1)
    assert again.returncode == 0, again.stderr
    assert "after 2 epochs, up to epoch 3" in again.stdout
    again = run_here(*command, "run", "--more", 1)  # The same command: one more.
    assert "after 3 epochs, up to epoch 4" in again.stdout
    assert [epoch["epoch"] for epoch in metrics(run)] == [1, 2, 3, 4]
    bare = run_here("train.py", "--out", "run", "--resume", "--epochs", 5)
    assert bare.returncode == 0, bare.stderr
    whole = run_here(*command, "whole", "--epochs", 5)
    assert whole.returncode == 0
    without_times = [
        [{k: v for k, v in epoch.items() if "second" not in k} for epoch in metrics(folder)]
        for folder in (run, tmp_path / "whole")
    ]
    assert without_times[0] == without_times[1]
    assert metrics(run)[2]["loss"] < metrics(run)[0]["loss"]


@pytest.mark.slow
def test_a_run_is_never_overwritten_silently(trained, tmp_path, data_file, run_here):
    run = shutil.copytree(trained[1], tmp_path / "run")
    (run / "notes.txt").write_text("mine")
    before = snapshot(run)

    def train(*more):
        return run_here("train.py", "--data", data_file, "--out", run, *more)

    refused(train(), "--resume", "--overwrite", "--out")
    refused(train("--resume", "--overwrite"), "--resume", "--overwrite")
    refused(train("--more", 2, "--overwrite"), "--resume", "--overwrite")
    refused(train("--more", 2, "--epochs", 5), "--more", "--epochs")
    refused(train("--overwrite", "--validation-split", 0.01), "--validation-split")
    refused(
        train("--resume", "--latent-dim", 64, "--seed", 3),
        "--latent-dim saved 32, given 64", "--seed saved 0, given 3",
    )  # fmt: skip
    other = write_pairs(tmp_path / "other.txt", PAIRS[:-1])
    refused(train("--resume", "--data", other), "other.txt", "--out")
    assert snapshot(run) == before
    done = train("--overwrite", "--epochs", 1, *SMALL)
    assert done.returncode == 0, done.stderr
    assert len(metrics(run)) == 1
    assert (run / "notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_an_interrupted_run_is_saved_and_goes_on_exactly(tmp_path, data_file, run_here):
    def arguments(out, epochs):
        return ["--data", data_file, "--out", out, "--epochs", epochs, *SMALL]

    def interrupt(signum, *more):
        command = [sys.executable, ROOT / "train.py", *arguments("run", 300), *more]
        process = subprocess.Popen(
            list(map(str, command)), cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if line.startswith("epoch"):
                process.send_signal(signum)
                break
        rest = process.stdout.read()
        assert process.wait(60) == -signum
        assert "what was reached is saved in run" in rest
        assert "--resume" in rest.splitlines()[-1]
        return len(metrics(tmp_path / "run"))

    first = interrupt(signal.SIGINT)
    second = interrupt(signal.SIGTERM, "--resume")
    assert 1 <= first < second < 300
    epochs = second + 2
    for run, more in (("run", ["--resume"]), ("whole", [])):
        done = run_here("train.py", *arguments(run, epochs), *more)
        assert done.returncode == 0, done.stderr
    losses = [[e["val_loss"] for e in metrics(tmp_path / run)] for run in ("run", "whole")]
    assert len(losses[0]) == epochs
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_word_level_with_embeddings(tmp_path, data_file, run_here):
    done = run_here(
        "train.py", "--data", data_file, "--tokens", "word", "--embedding-dim", 8,
        "--epochs", 3, *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Unique words" in done.stdout
    # The default folder is named after the data; an unseen word has a meaning and a warning.
    answer = run_here("decode.py", "Zorro sleeps.")
    assert answer.returncode == 0
    assert "'Zorro'" in answer.stderr
    assert "<" not in answer.stdout
    assert (tmp_path / "checkpoints" / "tiny" / "config.json").exists()


def test_the_embedded_corpus_needs_no_file(tmp_path, run_here):
    done = run_here(
        "train.py", "--num-samples", 15, "--epochs", 1, *SMALL, "--validation-split", 0.2,
        "--swap", "--patience", 3, "--clip-norm", 1,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "checkpoints" / "sample" / "config.json").exists()
    assert "12 for training, 3 for validation" in done.stdout


@pytest.mark.slow
def test_fewer_pairs_than_a_batch_and_no_validation(tmp_path, run_here):
    data = write_pairs(tmp_path / "few.txt", PAIRS[:2])
    done = run_here(
        "train.py", "--data", data, "--epochs", 2, "--latent-dim", 8, "--validation-split", 0
    )
    assert done.returncode == 0, done.stderr
    assert "val_loss" not in metrics(tmp_path / "checkpoints" / "few")[0]
    assert run_here("decode.py", "He eats.").returncode == 0


def test_summary_prints_the_model_and_writes_nothing(tmp_path, data_file, run_here):
    done = run_here("train.py", "--data", data_file, "--summary")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 100
    for view in ("training", "encode", "decode_step"):
        assert view in done.stdout
    assert list(tmp_path.iterdir()) == []


BAD_DATA = {
    "missing": (None, ["there is no"]),
    "empty": (b"", ["empty"]),
    "no tab": (b"Go. Va !\nRun! Cours !\n", ["tab"]),
    "utf-16": ("Go.\tVa !\n".encode("utf-16"), ["UTF-16", "UTF-8"]),
    "latin-1": ("Go.\tAllé !\n".encode("latin-1"), ["line 1", "iconv"]),
    "nul": (b"\0\0\0\0\n\0\0\n", ["NUL"]),
    "long line": (b"a" * 1_000_000 + b"\tb\n", ["line too long"]),
    "one pair": (b"Go.\tVa !\n", ["--validation-split"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_one_line(tmp_path, run_here, name):
    content, words = BAD_DATA[name]
    data = tmp_path / "data.txt"
    if content is not None:
        data.write_bytes(content)
    message = refused(run_here("train.py", "--data", data))
    assert any(word.lower() in message.lower() for word in words), message
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--data", "."], ["folder"]),
        (["--nonsense"], ["--nonsense", "--help"]),
        (["--latent-dim", "0"], ["--latent-dim", "1"]),
        (["--latent-dim", "many"], ["--latent-dim", "many"]),
        (["--epochs", "0"], ["--epochs"]),
        (["--batch-size", "-3"], ["--batch-size"]),
        (["--learning-rate", "nan"], ["--learning-rate"]),
        (["--optimizer", "magic"], ["--optimizer", "rmsprop"]),
        (["--validation-split", "1"], ["--validation-split"]),
        (["--num-samples", "-1"], ["--num-samples"]),
        (["--max-source-length", "-3"], ["--max-source-length"]),
        (["--out", "/proc/nowhere/run", "--num-samples", "100"], ["--out"]),
    ],
)
def test_bad_flags_are_one_line(tmp_path, run_here, flags, words):
    refused(run_here("train.py", *flags), *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_bad_checkpoint_is_one_line(trained, tmp_path, run_here):
    def decode(folder, *more):
        return run_here("decode.py", "--checkpoint", folder, *more, "He eats.")

    # A copy of the script: beside the real one there may be runs of the developer's.
    script = shutil.copy(ROOT / "decode.py", tmp_path)
    refused(run_here(script, "He eats."), "train.py", "--checkpoint")
    refused(decode("nowhere"), "nowhere", "check its path")
    (tmp_path / "empty").mkdir()
    refused(decode("empty"), "config.json")
    half = shutil.copytree(trained[1], tmp_path / "half")
    shutil.rmtree(half / "steps")
    refused(decode("half"), "no finished step")
    newer = shutil.copytree(trained[1], tmp_path / "newer")
    config = json.loads((newer / "config.json").read_text())
    (newer / "config.json").write_text(json.dumps(config | {"format": 99}))
    refused(decode("newer"), "99", "newer")
    refused(decode(trained[1], "--step", 7777), "--step", "7777")
    refused(decode(trained[1], "--strict", "ß"), "'ß'", "--strict")
    refused(decode(trained[1], "--input", "x.txt"), "--input")
    refused(decode(trained[1], "--batch-size", 0), "--batch-size")
    missing = run_here("decode.py", "--checkpoint", trained[1], "--input", "nope.txt")
    refused(missing, "nope.txt")
    unwritable = decode(trained[1], "--output", "no/such/folder/out.txt")
    refused(unwritable, "no/such/folder")


def test_an_output_file_is_replaced_whole_or_left(trained, tmp_path, run_here):
    out = tmp_path / "out.txt"
    out.write_text("before\n")
    command = ["decode.py", "--checkpoint", trained[1], "--output", out]
    refused(run_here(*command, "--strict", "He eats.", "ß"))
    assert out.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [out]
    assert run_here(*command, "He eats.").returncode == 0
    assert out.read_text() != "before\n"


def test_help_is_quick_and_needs_no_jax(tmp_path):
    """It is quick because nothing that takes long is imported."""
    imports = "import atexit, runpy, sys; atexit.register(lambda: print(*sys.modules)); "
    for script in ("train.py", "decode.py"):
        code = f"{imports}sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
        done = subprocess.run(
            [sys.executable, "-c", code, ROOT / script, "--help"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "examples:" in done.stdout
        modules = done.stdout.splitlines()[-1].split()
        assert "s2s_jax.command_line" in modules
        assert not {"jax", "flax", "optax", "orbax", "numpy", "rich"} & set(modules)


@pytest.mark.slow
def test_data_from_a_url(tmp_path, data_file, run_here):
    """Fetched once, into the cache; what cannot be fetched is one line."""
    archive = tmp_path / "served" / "pairs.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(data_file, "pairs.txt")
        zipped.writestr("_about.txt", "about")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=archive.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/pairs.zip"
        command = ["train.py", "--data", url, "--epochs", 1, *SMALL]
        first = run_here(*command)
        refused(run_script("train.py", "--data", url + "x", cwd=tmp_path), "404", "--data")
        server.shutdown()
    assert first.returncode == 0, first.stderr
    again = run_here(*command, "--overwrite")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "checkpoints" / "pairs" / "config.json").exists()
