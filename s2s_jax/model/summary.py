"""The model on one page: its layers, and the three views of its one set of parameters."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from s2s_jax.config import ModelConfig
from s2s_jax.model.seq2seq import Seq2Seq

_WIDTH = 100  # Columns.


def summary(config: ModelConfig, batch_size: int, lengths: tuple[int, int]) -> str:
    """A table of layers, shapes and parameter counts, and the three views below it.

    Args:
      config: the model.
      batch_size: rows of the batch that the shapes are given for.
      lengths: its padded source and target length.
    """
    model = Seq2Seq(config)
    source = jax.ShapeDtypeStruct((batch_size, lengths[0]), jnp.int32)
    mask = jax.ShapeDtypeStruct(source.shape, bool)
    target = jax.ShapeDtypeStruct((batch_size, lengths[1]), jnp.int32)
    token = jax.ShapeDtypeStruct((batch_size,), jnp.int32)
    tabulate = nn.tabulate(
        model,
        jax.random.key(0),
        console_kwargs={"width": _WIDTH, "force_terminal": False},
        column_kwargs={"overflow": "fold"},
    )
    table = tabulate(*(jnp.zeros(x.shape, x.dtype) for x in (source, mask, target)))
    key = jax.random.key(0)
    params = jax.eval_shape(model.init, key, source, mask, target)

    def returns(method: str, *inputs: Any) -> Any:
        return jax.eval_shape(lambda p, *x: model.apply(p, *x, method=method), params, *inputs)

    carry, memory = returns("encode", source, mask)
    state = {"carry": carry} | ({"memory": memory} if jax.tree.leaves(memory) else {})
    views = [
        ("training", "__call__", {"source": source, "source_mask": mask, "target_inputs": target},
         {"logits": returns("__call__", source, mask, target)}),
        ("encode", "encode", {"source": source, "source_mask": mask}, state),
        ("decode_step", "decode_step", {**state, "tokens": token},
         dict(zip(("carry", "logits"), returns("decode_step", carry, memory, token), strict=True))),
    ]  # fmt: skip
    lines = [line.rstrip() for line in table.splitlines() if line.strip()]
    lines += ["", "Three views of these parameters, and no others:"]
    for name, method, inputs, outputs in views:
        lines.append(f"  {name:<12} Seq2Seq.{method}")
        lines += [f"    in   {key:<14} {_shape(value)}" for key, value in inputs.items()]
        lines += [f"    out  {key:<14} {_shape(value)}" for key, value in outputs.items()]
    return "\n".join(lines)


def _shape(value: Any) -> str:
    """`float32[64,256]`, or `(c, h)` of two such."""
    if isinstance(value, tuple):
        return f"(c, h) of {', '.join(map(_shape, value))}"
    return f"{value.dtype}[{','.join(map(str, value.shape))}]"
