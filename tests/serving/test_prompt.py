"""decode.py as a person at a terminal sees it."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from s2s_testing import ROOT

from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.translator import Translator

CTRL_C = "\x03"


def converse(folder, cwd, *typed, environment=None):
    """decode.py on a terminal; each text is typed once the prompt is there."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "decode.py", "--checkpoint", folder],
        stdin=its, stdout=its, stderr=its, cwd=cwd,
        env={**os.environ, "TERM": "dumb", **(environment or {})},
    )  # fmt: skip
    os.close(its)
    shown, deadline = b"", time.monotonic() + 60
    try:
        for text in typed:
            shown = read_until(ours, shown, b"> ", deadline)
            os.write(ours, text.removesuffix(CTRL_C).encode())
            if text.endswith(CTRL_C):
                time.sleep(0.2)  # Until what stands before it has been read.
                process.send_signal(signal.SIGINT)
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


@pytest.mark.slow
def test_a_person_is_asked_and_answered(trained, tmp_path):
    _, folder = trained
    (wanted,) = Translator.load(folder)(["He eats."])
    typed = ["He eats.\n", "ß\n", ":beam 0\n", ":beam 3\n", ":n-best 2\n", "He eats.\n"]
    typed += [":length-penalty\n", ":temperature 0.8\n", "Tom runs.\n", ":help beam\n", "\x04"]
    status, shown = converse(folder, tmp_path, *typed)
    assert status == 0
    assert wanted in shown
    assert "'ß'" in shown
    assert ":beam must be a whole number of at least 1, not 0" in shown
    assert "beam 3, length penalty 0.6, n-best 2" in shown
    (found,) = Translator.load(folder).translate(["He eats."], DecodeConfig(beam=3, n_best=2))
    assert all(hypothesis.text in shown for hypothesis in found.n_best)
    assert ":length-penalty 0.6" in shown  # The value in force.
    assert "drawing: temperature 0.8" in shown
    assert ":length-penalty A" in shown
    assert f"{folder}, step " in shown
    assert "unsure: " in shown  # Of 16 sentences nothing is learned for sure.
    assert "Traceback" not in shown
    assert "\x1b[" not in shown  # The terminal is a dumb one.


@pytest.mark.slow
def test_the_history_is_kept_colours_show_confidence_and_an_empty_line_ends(trained, tmp_path):
    cache = {
        "S2S_JAX_CACHE": str(tmp_path),
        "JAX_COMPILATION_CACHE_DIR": os.environ["S2S_JAX_CACHE"],
    }
    colours = cache | {"TERM": "xterm-256color", "COLORTERM": "", "NO_COLOR": ""}
    status, shown = converse(trained[1], tmp_path, "Mary sleeps.\n", "\n", environment=colours)
    assert status == 0
    assert (tmp_path / "history").read_text().splitlines()[-1] == "Mary sleeps."
    assert "\x1b[3" in shown  # Of 16 sentences nothing is learned for sure.
    assert "Ctrl-D" in shown


@pytest.mark.slow
def test_a_plain_terminal_is_enough_and_ctrl_c_cancels_a_line(trained, tmp_path):
    (wanted,) = Translator.load(trained[1])(["He eats."])
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    typed = ["Tom ru" + CTRL_C, "É日 sleeps.\n", "He eats.\n", ":q\n"]
    status, shown = converse(trained[1], tmp_path, *typed, environment=ascii_only)
    assert status == 0
    assert wanted in shown
    assert r"training never saw '\xc9' '\u65e5'" in shown
    assert "Traceback" not in shown
