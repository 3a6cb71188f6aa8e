"""What `import s2s_jax` offers, and what it leaves alone."""

import ast
import os
import re
import subprocess
import sys

import pytest
from s2s_testing import ROOT

import s2s_jax


def run_python(code, *arguments, **environment):
    """A fresh interpreter: what this one has imported must not help."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        timeout=60,
        check=False,
    )


NEEDED_LATER = ("jax", "flax", "optax", "orbax", "rich", "numpy")


@pytest.mark.parametrize(
    "statement",
    [
        "import s2s_jax",
        "from s2s_jax import DataConfig, DecodeConfig, UserError",
        "from s2s_jax.training.main import parser; parser().format_help()",
        "from s2s_jax.serving.main import parser; parser().format_help()",
        "from s2s_jax.keras.__main__ import parser; parser().format_help()",
        "from s2s_jax.pictures.__main__ import parser; parser().format_help()",
    ],
)
def test_what_only_declares_needs_no_jax(statement):
    done = run_python(f"import sys; {statement}; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert not set(NEEDED_LATER) & set(done.stdout.split())


@pytest.mark.parametrize("name", sorted(set(dir(s2s_jax)) - set(vars(s2s_jax))))
def test_every_name_that_is_listed_is_there(name):
    assert getattr(s2s_jax, name) is not None


def test_the_names_are_listed():
    assert {"Translator", "DecodeConfig", "UserError", "Seq2Seq"} <= set(dir(s2s_jax))
    with pytest.raises(AttributeError, match="nonsense"):
        s2s_jax.nonsense  # noqa: B018


def test_type_checkers_see_every_name():
    """Of a package with py.typed they take only what is imported as itself to be offered."""
    tree = ast.parse((ROOT / "s2s_jax" / "__init__.py").read_text("utf-8"))
    (lazy,) = (node for node in tree.body if isinstance(node, ast.With))
    names = [alias for node in lazy.body for alias in node.names]
    assert all(alias.asname == alias.name for alias in names)
    assert {alias.name for alias in names} <= set(dir(s2s_jax))


STATE = """
import logging, sys, warnings
import orbax.checkpoint

def state():
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    return (
        {log.name: (log.level, log.disabled, len(log.filters), len(log.handlers))
         for log in loggers if not log.name.startswith("s2s_jax")},
        sys.unraisablehook, sys.excepthook, warnings.showwarning, list(warnings.filters),
    )

before = state()
from s2s_jax import Translator
assert Translator.load(sys.argv[1])(["He eats."])
after = state()
for old, new in zip(before, after):
    if isinstance(old, dict):
        new = {name: new[name] for name in old}
    assert old == new, (old, new)
"""


def test_the_library_leaves_loggers_hooks_and_warnings_as_they_are(trained):
    done = run_python(STATE, trained[1])
    assert done.returncode == 0, done.stderr


def test_what_the_library_raises_and_warns_of_does_not_speak_of_flags():
    """Backquotes name options; a command line spells them its own way, see `spell_options`."""
    package = ROOT / "s2s_jax"
    commands = {package / "command_line.py", *(package / "serving").rglob("*.py")}
    commands |= {*(package / "keras").rglob("*.py"), *package.rglob("*main*.py")}
    for path in sorted(set(package.rglob("*.py")) - commands):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("UserError", "RunWarning"):
                assert not re.search(r"--[a-z]", ast.unparse(node)), f"{path}:{node.lineno}"
