"""The type checker behind jaxtyping's import hook: shapes alone, since pyright checks the rest.

pyproject.toml installs the hook for the modules that handle arrays.
"""

from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def states_shape(hint: Any) -> bool:
    """Whether a jaxtyping annotation stands anywhere in `hint`."""
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(map(states_shape, get_args(hint)))


def check(function):
    """`function` with its shape annotations checked at every call (while tracing, under jit)."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint for name, hint in hints.items() if states_shape(hint)}
    return beartype(function)
