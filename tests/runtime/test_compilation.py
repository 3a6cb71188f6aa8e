import os
import subprocess
import sys

PROGRAM = """
import jax, sys
from s2s_jax.runtime.cache import keep_compiled_programs
keep_compiled_programs()
print(jax.jit(lambda x: x * float(sys.argv[1]))(2.0))
"""


def run(number, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(number)],
        env={**kept, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def files(folder):
    return {path for path in folder.rglob("*-cache") if path.is_file()}


def test_programs_are_kept_for_the_next_process(tmp_path):
    assert run(3, S2S_JAX_CACHE=str(tmp_path)) == "6.0\n"
    first = files(tmp_path)
    assert first
    assert run(3, S2S_JAX_CACHE=str(tmp_path)) == "6.0\n"
    assert files(tmp_path) == first
    assert run(5, S2S_JAX_CACHE=str(tmp_path)) == "10.0\n"
    assert files(tmp_path) > first


def test_jax_s_own_setting_goes_first(tmp_path):
    theirs = tmp_path / "theirs"
    run(3, S2S_JAX_CACHE=str(tmp_path / "ours"), JAX_COMPILATION_CACHE_DIR=str(theirs))
    assert files(theirs)
    assert not files(tmp_path / "ours")


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert run(3, S2S_JAX_CACHE=str(tmp_path / "file")) == "6.0\n"
