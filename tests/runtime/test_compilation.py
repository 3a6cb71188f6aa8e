import os
import subprocess
import sys

import jax
import pytest

from s2s_jax.runtime import compilation
from s2s_jax.runtime.devices import DeviceRequest, start

PROGRAM = """
import jax, sys
from s2s_jax.runtime import compilation
compilation._MOST_BYTES = 30_000
compilation.keep_compiled_programs()
for number in sys.argv[1:]:
    print(jax.jit(lambda x: x * float(number))(2.0))
"""


def begin(*numbers, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *map(str, numbers)],
        env={**kept, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def end(process):
    out, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    return out, said


def run(*numbers, **environment):
    return end(begin(*numbers, **environment))[0]


def files(folder):
    return {path for path in folder.rglob("*-cache") if path.is_file()}


@pytest.mark.slow
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


@pytest.mark.slow
def test_two_first_starts_at_once_do_not_disturb_each_other(tmp_path):
    numbers = range(8)
    answers = "".join(f"{2.0 * number}\n" for number in numbers)
    both = [begin(*numbers, S2S_JAX_CACHE=str(tmp_path)) for _ in range(2)]
    assert [end(process) for process in both] == [(answers, "")] * 2
    kept = {path: path.stat().st_mtime_ns for path in files(tmp_path)}
    assert end(begin(*numbers, S2S_JAX_CACHE=str(tmp_path))) == (answers, "")
    assert {path: path.stat().st_mtime_ns for path in files(tmp_path)} == kept != {}


@pytest.mark.slow
def test_what_is_kept_is_bounded_and_used_last(tmp_path):
    def size():
        return sum(path.stat().st_size for path in files(tmp_path))

    run(1, S2S_JAX_CACHE=str(tmp_path))
    one = size()
    many = range(100, 110 + 30_000 // one)
    assert end(begin(*many, S2S_JAX_CACHE=str(tmp_path)))[1] == ""
    assert 30_000 - 2 * one < size() <= 30_000
    kept = files(tmp_path)
    run(many[-1], S2S_JAX_CACHE=str(tmp_path))
    assert files(tmp_path) == kept


@pytest.mark.slow
def test_what_a_killed_process_or_an_older_version_left_disturbs_nobody(tmp_path):
    run(1, 2, S2S_JAX_CACHE=str(tmp_path))
    whole, cut_off = sorted(files(tmp_path))[:2]
    cut_off.write_bytes(cut_off.read_bytes()[:100])
    cut_off.with_name(cut_off.name.removesuffix("-cache") + "-atime").unlink()
    assert end(begin(1, 2, 3, S2S_JAX_CACHE=str(tmp_path))) == ("2.0\n4.0\n6.0\n", "")
    assert {whole, cut_off} < files(tmp_path)
    assert cut_off.stat().st_size > 100


@pytest.mark.parametrize(
    ("found", "before", "after"),
    [
        (["/dev/nvidia0"], "", "--xla_gpu_autotune_level=0"),
        (["/dev/nvidia0"], "--one=1", "--one=1 --xla_gpu_autotune_level=0"),
        (["/dev/nvidia0"], "--xla_gpu_autotune_level=4", "--xla_gpu_autotune_level=4"),
        ([], "--one=1", "--one=1"),
    ],
)
def test_kernels_for_a_gpu_are_not_searched_for_unless_asked(monkeypatch, found, before, after):
    monkeypatch.setattr(
        compilation.glob, "glob", lambda pattern: found if "nvidia" in pattern else []
    )
    monkeypatch.setenv("XLA_FLAGS", before)
    start(DeviceRequest(devices=1))
    assert os.environ["XLA_FLAGS"] == after


def test_xla_knows_the_flag_for_gpus():
    """It ends a process whose `XLA_FLAGS` it does not know."""
    flags = {"XLA_FLAGS": f"--{compilation._AUTOTUNING}=0", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "import jax; print(jax.devices())"]
    subprocess.run(command, check=True, env={**os.environ, **flags}, capture_output=True)


def test_steps_are_compiled_with_less_optimization_unless_a_level_is_named(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=3")
    assert compilation.step_options() == {}
    monkeypatch.setenv("XLA_FLAGS", "--one=1")
    options = compilation.step_options()
    assert options == {"xla_backend_optimization_level": 1}
    # XLA refuses what it does not know.
    assert jax.jit(lambda x: 2 * x, compiler_options=options)(1.5) == 3
    with pytest.raises(Exception, match="xla_unheard_of"):
        jax.jit(lambda x: 2 * x, compiler_options={"xla_unheard_of": 1})(1.5)
