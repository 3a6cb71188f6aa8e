"""The house is as the README draws it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def drawn():
    """The modules and packages of s2s_jax in the README's order."""
    _, drawing = (ROOT / "README.md").read_text("utf-8").split("\ns2s_jax/\n", 1)
    drawing, _ = drawing.split("\ntests/", 1)
    names = [re.match(r"(  \w+(\.py|/))*", line)[0] for line in drawing.splitlines()]
    return re.findall(r"\w+(?=\.py|/)", " ".join(names))


def test_the_readme_names_every_module_and_imports_point_down():
    order = drawn()
    package = ROOT / "s2s_jax"
    files = {path for path in package.rglob("*.py") if path != package / "__init__.py"}
    owner = {path: path.relative_to(package).parts[0].removesuffix(".py") for path in files}
    assert sorted(order) == sorted(set(owner.values()))
    for path, name in owner.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("s2s_jax."):
                imported = node.module.split(".")[1]
                assert order.index(imported) >= order.index(name), f"{path}: {imported}"
