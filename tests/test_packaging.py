"""The wheel and the source distribution, as `pip install` finds them."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from s2s_old_runs import SAFELY
from s2s_testing import ROOT, SMALL, write_pairs

import s2s_jax

pytest.importorskip("setuptools", minversion="77", reason="builds with setuptools 77 or newer")

FIXTURE = ROOT / "tests" / "keras" / "fixture"
IGNORED = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", ".*", "checkpoints")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds a "wheel" or an "sdist" from a copy: the source tree stays clean."""

    def run(kind):
        folder = tmp_path_factory.mktemp(kind)
        source = shutil.copytree(ROOT, folder / "source", ignore=IGNORED)
        code = f"from setuptools import build_meta; print(build_meta.build_{kind}(r'{folder}'))"
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=source, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return folder / done.stdout.splitlines()[-1]

    return run


@pytest.fixture(scope="module")
def wheel(build):
    return build("wheel")


def test_the_wheel_has_all_that_the_package_needs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        described = archive.read(metadata).decode()
    package = ROOT / "s2s_jax"
    wanted = {*package.rglob("*.py"), *package.rglob("*.toml"), package / "py.typed"}
    wanted |= set((package / "serving/web/page").iterdir())
    assert names == {path.relative_to(ROOT).as_posix() for path in wanted}
    assert f"\nVersion: {s2s_jax.__version__}\n" in described
    assert "\nAuthor: s2s_jax contributors\n" in described


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs the console commands of a virtual environment that has the wheel.

    The dependencies are those of the environment that runs the tests.
    """
    venv = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    scripts = venv / ("Scripts" if os.name == "nt" else "bin")
    install = [scripts / "python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, timeout=120)
    (site,) = venv.rglob("site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(command, *arguments, cwd):
        done = subprocess.run(
            [scripts / command, *map(str, arguments)],
            cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_the_wheel_alone_trains_decodes_and_imports(installed, tmp_path):
    where = installed("python", "-c", "import s2s_jax; print(s2s_jax.__file__)", cwd=tmp_path)
    assert Path(where.strip()).parent.parent.name == "site-packages"
    write_pairs(tmp_path / "fra.txt")
    help_text = installed("s2s-train", "--help", cwd=tmp_path)
    assert "s2s-train --data fra.txt" in help_text
    assert "embedded" in help_text and "tutorial" in help_text
    trained = installed("s2s-train", "--data", "fra.txt", *SMALL, "--epochs", 1, cwd=tmp_path)
    assert "s2s-decode --checkpoint checkpoints/fra" in trained.splitlines()[-1]
    # The newest run here: there is no script beside which others could lie.
    (answer,) = installed("s2s-decode", "He eats.", cwd=tmp_path).splitlines()
    assert answer == installed("python", "-c", LIBRARY, cwd=tmp_path).strip()
    importing = ["import", FIXTURE / "tutorial.h5", "--data", FIXTURE / "pairs.txt"]
    imported = installed("s2s-keras", *importing, "--num-samples", 24, cwd=tmp_path)
    assert "s2s-decode --checkpoint checkpoints/tutorial" in imported
    for command in ("s2s-train", "s2s-decode", "s2s-keras", "s2s-plot"):
        version = installed(command, "--version", cwd=tmp_path)
        assert version == f"s2s_jax {s2s_jax.__version__}\n"


LIBRARY = """
from s2s_jax import Translator
print(*Translator.load("checkpoints/fra")(["He eats."]))
"""


@pytest.mark.slow
def test_the_source_distribution_has_what_its_tests_need(build, tmp_path):
    """It collects the tests that stand here, and those that read files beside them pass."""
    with tarfile.open(build("sdist")) as archive:
        archive.extractall(tmp_path, **SAFELY)
    (unpacked,) = tmp_path.iterdir()

    def pytest_in(folder, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *arguments],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(folder)},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def collected(folder):
        *tests, _ = pytest_in(folder, "--collect-only", "-m", "", "tests").splitlines()
        return tests  # Without the line that says how long it took.

    assert collected(unpacked) == collected(ROOT)
    pytest_in(
        unpacked, "tests/test_layout.py", "tests/test_package.py", "tests/test_packaging.py",
        "tests/keras/test_keras_reading.py", "tests/recipes", "tests/test_docs.py",
    )  # fmt: skip
