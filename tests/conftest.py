"""A small run, really trained, that the tests of whole processes share."""

import faulthandler
import fcntl
import gc
import io
import os
import pickle
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import jax
import pytest
from hypothesis import settings
from s2s_testing import ROOT, SMALL, run_script, write_pairs

from s2s_jax import recipes
from s2s_jax.pictures import presentation
from s2s_jax.runtime.compilation import keep_compiled_programs

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling takes longer than running these many small programs, and with these flags a quarter of
# the usual time. `XLA_FLAGS= python -m pytest` runs optimized ones, as users do (.ci/run).
QUICK_TO_COMPILE = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
)
os.environ.setdefault("XLA_FLAGS", QUICK_TO_COMPILE)
# A suite started in the background of a script ignores Ctrl-C, and so would the processes that
# the tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

CRASH = pytest.StashKey[TextIO]()

# A slow example means that the machine is busy or that something is being compiled.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_collection_finish():
    """Collects garbage less often, and never searches what was imported and stays to the end.

    JAX makes many objects and little garbage while it traces.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_sessionstart(session):
    """Lets each worker write where it crashes, if it does, into a file."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["S2S_TESTS_CRASHES"] = tempfile.mkdtemp()
    elif folder := os.environ.get("S2S_TESTS_CRASHES"):
        file = open(Path(folder, os.environ["PYTEST_XDIST_WORKER"]), "w")  # noqa: SIM115
        session.config.stash[CRASH] = file  # Open until the process ends.
        faulthandler.enable(file)


def pytest_terminal_summary(terminalreporter):
    """Says at the end where a worker crashed, which it says itself far above."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    folder = Path(os.environ["S2S_TESTS_CRASHES"])
    for file in sorted(folder.iterdir()):
        if crash := file.read_text():
            _, _, where = crash.partition("Current thread")
            terminalreporter.section(f"{file.name}: {crash.partition(chr(10))[0]}")
            terminalreporter.write_line("\n".join(where.splitlines()[1:20]))
    shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def room_for_programs():
    """Gives compiled programs back after a file, once they are many.

    XLA maps each into memory in hundreds of pieces, of which Linux lets a process have 65,530, and
    crashes when there are no more.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and len(maps.read_bytes().splitlines()) > 8000:
        jax.clear_caches()


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Leaves the user's cache folder alone; the processes of a session share their programs."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["S2S_JAX_CACHE"] = str(folder)
    # Not bounded: the programs of the tests are so many that JAX would search them for seconds.
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder / "compiled")
    jax.config.update("jax_compilation_cache_dir", str(folder / "compiled"))
    keep_compiled_programs()
    return folder


@pytest.fixture(autouse=True)
def ordinary_size(monkeypatch):
    """The few pairs of the tests stand for data of ordinary size, for which no recipe is chosen."""
    monkeypatch.setattr(recipes, "FEW_PAIRS", 0)


@pytest.fixture(autouse=True)
def no_curves(request, monkeypatch):
    """Leaves out the picture of a run's curves, which takes longer than the training of most."""
    if request.node.get_closest_marker("curves") is None:
        monkeypatch.setattr(presentation, "_write_curves", lambda folder: None)


@pytest.fixture
def uninstall(monkeypatch):
    """Makes every import of a package fail for the rest of a test, as if it were not installed."""

    def hide(package):
        # A submodule that was imported before would be found without its package.
        loaded = [name for name in sys.modules if name.startswith(f"{package}.")]
        for name in (package, *loaded):
            monkeypatch.setitem(sys.modules, name, None)

    return hide


@pytest.fixture
def run_here(tmp_path, monkeypatch, capsys):
    """Runs a script in this process, which has already imported what the script needs.

    `run_script` starts a process instead, which costs seconds.
    """

    def run(script, *arguments, stdin=""):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # As it is, afterwards.
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            runpy.run_path(str(ROOT / script), run_name="__main__")
        printed = capsys.readouterr()
        status = leaving.value.code
        return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def data_file(tmp_path_factory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data") / "tiny.txt")


@pytest.fixture(scope="session")
def trained(tmp_path_factory, data_file):
    """What train.py printed, and the run folder it left, which no test may change.

    The first of pytest's workers to ask for it trains it for all of them.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    out, kept = folder / "runs" / "checkpoints" / "tiny", folder / "runs" / "done"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            out.parent.mkdir(parents=True)
            done = run_script(
                "train.py", "--data", data_file, "--epochs", 40, *SMALL, "--out", out, cwd=folder
            )
            assert done.returncode == 0, done.stderr
            kept.write_bytes(pickle.dumps(done))
    return pickle.loads(kept.read_bytes()), out


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.name != "posix" or os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
