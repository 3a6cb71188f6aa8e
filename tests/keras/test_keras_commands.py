"""Every command that the import prints, as a user types it, on a model of the tutorial's size."""

import json
import re
import shlex
import subprocess
import sys

import pytest
from s2s_keras_testing import write_tutorial_data, write_tutorial_model
from s2s_testing import ROOT


def typed(line, cwd, *more):
    """Runs a printed command line with this interpreter and this checkout's scripts."""
    program, *arguments = shlex.split(line)
    assert program == "python"
    if arguments[0].endswith(".py"):
        arguments[0] = str(ROOT / arguments[0])
    done = subprocess.run(
        [sys.executable, *arguments, *map(str, more)],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_the_import_prints_can_be_typed(tmp_path):
    write_tutorial_data(tmp_path / "fra.txt")
    write_tutorial_model(tmp_path / "s2s.h5")
    printed = typed("python -m s2s_jax.keras import s2s.h5 --data fra.txt --out R", cwd=tmp_path)
    commands = re.findall(r"^  (python .*)$", printed, re.MULTILINE)
    assert [shlex.split(line)[1:2] for line in commands] == [["decode.py"], ["train.py"]]
    assert typed(commands[0], tmp_path, "#$%&").count("\n") == 1
    assert "Exactly right" in typed(commands[1], tmp_path, "--epochs", 2)
    epochs = (tmp_path / "R" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in epochs] == [1, 2]
