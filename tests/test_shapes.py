"""The shapes in signatures: they are there, and are checked while the tests run."""

import ast
from pathlib import Path

import jax.numpy as jnp
import pytest
from jaxtyping import TypeCheckError

from s2s_jax.model.losses import token_sums

PACKAGE = Path(__file__).parents[1] / "s2s_jax"
MODULES = [path for room in ("model", "decoding", "data") for path in (PACKAGE / room).glob("*.py")]


def test_a_wrong_shape_is_refused():
    logits, targets, mask = jnp.zeros((2, 3, 5)), jnp.zeros((2, 3), int), jnp.ones((2, 3), bool)
    token_sums(logits, targets, mask)
    with pytest.raises(TypeCheckError, match="targets"):
        token_sums(logits, targets[:, :2], mask)
    with pytest.raises(TypeCheckError, match="mask"):
        token_sums(logits, targets, mask.astype(float))


def test_every_module_that_states_shapes_has_them_checked(pytestconfig):
    checked = pytestconfig.getoption("jaxtyping_packages").split(",")
    for path in PACKAGE.rglob("*.py"):
        if "from jaxtyping import" in path.read_text("utf-8"):
            name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
            assert any(name == known or name.startswith(f"{known}.") for known in checked), name


def public_functions(body):
    """The functions and methods of a module that other modules may call."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from public_functions(node.body)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def bare_arrays(node):
    """Arrays in an annotation that no shape goes with; `Int[Array, "batch time"]` has one."""
    match node:
        case ast.Subscript(slice=ast.Tuple(elts=[*_, ast.Constant()])):
            return []
        case ast.Name() | ast.Attribute():
            return [ast.unparse(node)] if ast.unparse(node) in ("jax.Array", "np.ndarray") else []
    return [name for child in ast.iter_child_nodes(node) for name in bare_arrays(child)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_public_functions_state_the_shapes_of_their_arrays(path):
    for function in public_functions(ast.parse(path.read_text("utf-8")).body):
        arguments = [*function.args.args, *function.args.kwonlyargs]
        hints = [argument.annotation for argument in arguments] + [function.returns]
        found = [name for hint in hints if hint for name in bare_arrays(hint)]
        assert not found, f"{function.name}: {found}"
