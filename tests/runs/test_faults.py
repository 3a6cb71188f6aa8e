"""A machine that cannot read or write, at any moment: it is named, and nothing whole is lost."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from s2s_old_runs import open_old_run
from s2s_testing import ROOT

# In a process of its own, as Python and pytest need files too.
SCRIPT = """
import json, os, resource, sys, warnings
from pathlib import Path
from s2s_jax.decoding.translator import Translator
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import read_run
from s2s_jax.training.saving import restore_together

folder, texts = Path(sys.argv[1]), ["He eats.", "Tom runs."]
config = read_run(folder).config
actions = {
    "resume": lambda: restore_together(folder, Seq2Seq(config.model), config)[1].step,
    "decode": lambda: Translator.load(folder),
}

def contents():
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

def outcome(name, most):
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, limits[1]))
    try:
        found = actions[name]()
    except Exception as error:
        found = f"{type(error).__name__}: {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    return found(texts) if name == "decode" and not isinstance(found, str) else found

limits, before, seen = resource.getrlimit(resource.RLIMIT_NOFILE), contents(), []
warnings.simplefilter("error")
first = {name: outcome(name, limits[0]) for name in actions}
for most in range(3, len(os.listdir("/proc/self/fd")) + 25):
    for name in actions:
        found = outcome(name, most)
        kind = "same" if found == first[name] else found
        seen.append((name, kind, contents() == before))
print(json.dumps([first, seen]))
"""


@pytest.mark.slow
def test_nothing_whole_is_taken_for_damaged_when_no_file_can_be_opened(tmp_path):
    old = open_old_run("words", tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(old.folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, seen = json.loads(done.stdout)
    assert first["decode"] == [old.expected["answers"][i] for i in (0, 12)]
    for name in first:
        outcomes = [(kind, untouched) for action, kind, untouched in seen if action == name]
        assert all(untouched for _, untouched in outcomes)
        refused = [kind for kind, _ in outcomes if kind != "same"]
        assert 0 < len(refused) < len(outcomes)
        for message in refused:
            assert "Too many open files" in message and "damaged" not in message


HELPERS = ROOT / "tests" / "helpers"


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """The library that fails calls of the C library."""
    compiler = shutil.which("cc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("needs a C compiler on Linux")
    library = tmp_path_factory.mktemp("shim") / "faults.so"
    flags = ["-shared", "-fPIC", "-o", library, HELPERS / "faults.c", "-ldl"]
    subprocess.run([compiler, *map(str, flags)], check=True)
    return library


def sweep(shim, folder, action, stride):
    """In a process of its own, as the library is loaded before all others."""
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, HELPERS))), "LD_PRELOAD": str(shim)}
    done = subprocess.run(
        [sys.executable, HELPERS / "s2s_faults.py", folder, action, str(stride)],
        env=os.environ | paths, capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    faults, wrong = json.loads(done.stdout.splitlines()[-1])
    assert faults > 0
    assert wrong == []


@pytest.mark.slow
def test_a_fault_while_a_run_is_read_is_named_and_no_answer_is_wrong(shim, trained, tmp_path):
    shutil.copytree(trained[1], tmp_path / "work" / "run")
    sweep(shim, tmp_path, "decode", 11)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "stride"),
    [
        ("train", 23), ("start", 37), ("resume", 29), ("overwrite", 29), ("decode", 1),
        ("ensemble", 3), ("evaluate", 3),
    ],
)  # fmt: skip
def test_a_fault_anywhere_is_named_and_loses_nothing(shim, tmp_path, action, stride):
    sweep(shim, tmp_path, action, stride)
