"""The rooms of the house, read from the imports in the code."""

import ast
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "s2s_jax"
ORDER = [
    "keras",
    "training",
    "serving",
    "evaluation",
    "pictures",
    "decoding",
    "runs",
    "model",
    "data",
    "command_line",
    "runtime",
    "recipes",
    "config",
    "errors",
]
"""From the top down: each may import what stands after it."""
LONGEST = 250  # Lines of a module.
LONGEST_FUNCTION = 50  # Lines of a function without its docstring.
MOST_MODULES = 14  # In a folder.

MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


def imports(name):
    """The modules of s2s_jax that a module imports, anywhere in it."""
    package = name.split(".")[: None if MODULES[name].name == "__init__.py" else -1]
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            base += (node.module or "").split(".") if node.module else []
            # `from s2s_jax.room import module` imports the module, not only the room.
            found = [".".join(base), *(".".join([*base, alias.name]) for alias in node.names)]
        yield from (name for name in found if name in MODULES)


def room(name):
    return name.split(".")[1]


def test_every_room_has_its_place():
    assert {room(name) for name in MODULES} == set(ORDER)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_down(name):
    for imported in imports(name):
        assert ORDER.index(room(name)) <= ORDER.index(room(imported)), f"{name} imports {imported}"


def test_no_imports_go_in_a_circle():
    below = defaultdict(set, {name: set(imports(name)) - {name} for name in MODULES})
    while below:
        leaves = {name for name, others in below.items() if not others & set(below)}
        assert leaves, f"these import each other: {sorted(below)}"
        for name in leaves:
            del below[name]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_read(name):
    assert len(MODULES[name].read_text("utf-8").splitlines()) <= LONGEST


def functions(name):
    for node in ast.walk(ast.parse(MODULES[name].read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("name", MODULES)
def test_a_function_is_short_enough_to_read(name):
    for function in functions(name):
        docstring = function.body[0] if ast.get_docstring(function) else None
        lines = function.end_lineno - function.lineno + 1
        if docstring:
            lines -= docstring.end_lineno - docstring.lineno + 1
        assert lines <= LONGEST_FUNCTION, f"{function.name} has {lines} lines"


def test_no_room_is_crowded():
    modules = Counter(path.parent for path in MODULES.values() if path.stem != "__init__")
    assert max(modules.values()) <= MOST_MODULES, modules


def test_no_module_is_a_drawer_for_the_rest():
    assert not {name.split(".")[-1] for name in MODULES} & {"utils", "util", "helpers", "misc"}


def test_the_readme_draws_every_room():
    drawing = (PACKAGE.parent / "README.md").read_text("utf-8")
    rooms = {name for name in ORDER if (PACKAGE / name).is_dir()}
    drawn = set(re.findall(r"^  (\w+)/ ", drawing, re.MULTILINE))
    assert drawn == rooms
