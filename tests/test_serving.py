import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest
from conftest import ROOT, run_script

from s2s_jax.serving import DecodeRequest, decode


def converse(folder, cwd, *typed):
    """decode.py on a terminal; each text is typed once the prompt is there."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "decode.py", "--checkpoint", folder],
        stdin=its, stdout=its, stderr=its, cwd=cwd, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    os.close(its)
    shown, deadline = b"", time.monotonic() + 60
    try:
        for text in typed:
            shown = read_until(ours, shown, b"> ", deadline)
            os.write(ours, text.encode())
        while process.poll() is None:
            assert time.monotonic() < deadline, shown
            shown = read_more(ours, shown)
        shown = read_more(ours, shown)
    finally:
        process.kill()
        os.close(ours)
    return process.wait(), shown.decode()


def read_until(terminal, shown, prompt, deadline):
    while not shown.endswith(prompt):
        assert time.monotonic() < deadline, shown
        shown = read_more(terminal, shown)
    return shown + b"\n"


def read_more(terminal, shown):
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side is closed.
            time.sleep(0.05)
    return shown


def test_a_person_is_asked_and_answered(trained, tmp_path):
    _, folder = trained
    wanted = run_script("decode.py", "--checkpoint", folder, "He eats.", cwd=tmp_path).stdout
    status, shown = converse(folder, tmp_path, "He eats.\n", "ß\n", "\x04")
    assert status == 0
    assert wanted.strip() in shown
    assert "'ß'" in shown
    assert "Traceback" not in shown


def test_an_empty_line_ends_the_conversation(trained, tmp_path):
    status, shown = converse(trained[1], tmp_path, "\n")
    assert status == 0
    assert "Ctrl-D" in shown


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_are_not_part_of_a_sentence(trained, tmp_path, ending):
    text = f"\ufeffHe eats.{ending}Tom runs."
    done = run_script("decode.py", "--checkpoint", trained[1], cwd=tmp_path, stdin=text)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 2


def test_more_lines_than_a_chunk_keep_their_order(trained, tmp_path):
    lines = [("He eats.", "She runs.", "", "Tom talks.")[i % 4] for i in range(4100)]
    short = run_script("decode.py", "--checkpoint", trained[1], *lines[:4], cwd=tmp_path)
    done = run_script(
        "decode.py", "--checkpoint", trained[1], cwd=tmp_path, stdin="\n".join(lines) + "\n"
    )
    answers = short.stdout.split("\n")[:4]
    assert done.stdout.split("\n")[:-1] == [answers[i % 4] for i in range(4100)]


def test_a_reader_that_leaves_is_no_error(trained, tmp_path):
    command = f"yes 'He eats.' | head -20000 | {sys.executable} {ROOT / 'decode.py'}"
    done = subprocess.run(
        ["bash", "-c", f"{command} --checkpoint {trained[1]} | head -1"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_an_answer_cut_off_says_so(trained, tmp_path):
    done = run_script(
        "decode.py", "--checkpoint", trained[1], "--max-length", 2, "He eats.", cwd=tmp_path
    )
    assert len(done.stdout.strip()) <= 2
    assert "--max-length" in done.stderr


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
            "He \udcff eats.",
            "\u05e9\u200d\U0001f600\xe9",
        ]
        assert "\\udcff" in lines[0]["warnings"][0]
    out = tmp_path / "out.jsonl"
    request = DecodeRequest(
        ["\ud800"], trained[1], "best", None, out, 256, 0, strict=False, json=True
    )
    decode(request, tmp_path)
    assert json.loads(out.read_text(encoding="utf-8"))["source"] == "\ud800"
