"""The model on one page: its layers, and the three views of its one set of parameters."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from s2s_jax.config import ModelConfig
from s2s_jax.model.seq2seq import Seq2Seq


def summary(config: ModelConfig, batch_size: int, lengths: tuple[int, int]) -> str:
    """A table of the parameters, and the three views below it; nothing is computed.

    Args:
      config: the model.
      batch_size: rows of the batch that the shapes are given for.
      lengths: its padded source and target length.

    Returns:
      Lines of at most 79 columns.
    """
    model = Seq2Seq(config)
    source = jax.ShapeDtypeStruct((batch_size, lengths[0]), jnp.int32)
    mask = jax.ShapeDtypeStruct(source.shape, bool)
    target = jax.ShapeDtypeStruct((batch_size, lengths[1]), jnp.int32)
    token = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    table, params = _layers(model, source, mask, target)

    def returns(method: str, *inputs: Any) -> Any:
        return jax.eval_shape(lambda p, *x: model.apply(p, *x, method=method), params, *inputs)

    carry, memory = returns("encode", source, mask)
    state = {"carry": carry}
    if memory:
        state |= {f"memory.{name}": leaf for name, leaf in memory._asdict().items()}
    views = [
        ("training", "__call__", {"source": source, "source_mask": mask, "target_inputs": target},
         {"logits": returns("__call__", source, mask, target)}),
        ("encode", "encode", {"source": source, "source_mask": mask}, state),
        ("decode_step", "decode_step", {**state, "tokens": token},
         dict(zip(("carry", "logits"), returns("decode_step", carry, memory, token), strict=True))),
    ]  # fmt: skip
    lines = [*table, "", "Three views of these parameters, and no others:"]
    for name, method, inputs, outputs in views:
        lines.append(f"  {name:<12} Seq2Seq.{method}")
        lines += [f"    in   {key:<14} {_shape(value)}" for key, value in inputs.items()]
        lines += [f"    out  {key:<14} {_shape(value)}" for key, value in outputs.items()]
    return "\n".join(lines)


def _layers(model: Seq2Seq, *inputs: jax.ShapeDtypeStruct) -> tuple[list[str], Any]:
    """A line for each parameter, the layer named on its first, and the total; the parameters."""
    modules = {}

    def record(method: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        modules.setdefault(context.module.path, type(context.module).__name__)
        return method(*args, **kwargs)

    with nn.intercept_methods(record):
        params = jax.eval_shape(model.init, jax.random.key(0), *inputs)
    by_layer = {path: {} for path in modules}
    for (_, *path, name), leaf in flatten_dict(params).items():
        by_layer[tuple(path)][name] = leaf
    lines = []
    for path, leaves in by_layer.items():
        layer = f"{'/'.join(path):<24} {modules[path]}"
        if len(layer) > 35:
            lines.append(layer)
            layer = ""
        for name, leaf in leaves.items():
            shape = f"{name} [{','.join(map(str, leaf.shape))}]"
            lines.append(f"{layer:<35} {shape:<30} {leaf.size:>12,}")
            layer = ""  # It stands on its first line.
    leaves = jax.tree.leaves(params)
    count = sum(leaf.size for leaf in leaves)
    size = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
    return [*lines, f"Total Parameters: {count:,} ({size / 1e6:,.1f} MB)"], params


def _shape(value: Any) -> str:
    """`float32[64,256]`, or `(c, h)` of two such for each of some layers, which are alike."""
    if isinstance(value, tuple):
        first, *others = value
        layers = f"{len(others) + 1} x " if others else ""
        return f"{layers}(c, h) of {', '.join(map(_shape, first))}"
    return f"{value.dtype}[{','.join(map(str, value.shape))}]"
