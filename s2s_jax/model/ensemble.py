"""Several models as one, with the views of one."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from s2s_jax.config import ModelConfig
from s2s_jax.model.seq2seq import Seq2Seq


class Ensemble(nn.Module):
    """Models that read and write the same symbols, and decide on each one together.

    Its logits are the mean of the members' log-probabilities, so that its probabilities are the
    geometric mean of theirs, normalized: the product of experts of equal weights (Hinton 2002),
    which no member that is sure that a symbol is wrong lets pass. (The mean of probabilities lets a
    single sure member decide.) Carry and memory are tuples of the members' own.
    """

    configs: tuple[ModelConfig, ...]  # Of the members, with vocabularies of the same sizes.

    def setup(self) -> None:
        self.members = [Seq2Seq(config) for config in self.configs]

    @property
    def config(self) -> ModelConfig:
        """The sizes, of which the vocabularies' are all members'."""
        return self.configs[0]

    def __call__(
        self,
        source: Int[Array, "batch source_time"],
        source_mask: Bool[Array, "batch source_time"],
        target_inputs: Int[Array, "batch target_time"],
    ) -> Float[Array, "batch target_time vocab"]:
        """As `Seq2Seq.__call__`, without dropout."""
        return _agreed([m(source, source_mask, target_inputs) for m in self.members])

    def encode(
        self, source: Int[Array, "batch time"], source_mask: Bool[Array, "batch time"]
    ) -> tuple[PyTree, PyTree]:
        """As `Seq2Seq.encode`."""
        carries, memories = zip(*(m.encode(source, source_mask) for m in self.members), strict=True)
        return carries, memories

    def decode_step(
        self, carry: PyTree, memory: PyTree, tokens: Int[Array, " rows"]
    ) -> tuple[PyTree, Float[Array, "rows vocab"]]:
        """As `Seq2Seq.decode_step`."""
        steps = zip(self.members, carry, memory, strict=True)
        carries, logits = zip(
            *(m.decode_step(c, looked, tokens) for m, c, looked in steps), strict=True
        )
        return carries, _agreed(logits)

    def make_tables(self) -> None:
        """As `Seq2Seq.make_tables`."""
        for member in self.members:
            member.make_tables()


def member_params(params: Sequence[PyTree]) -> dict[str, PyTree]:
    """The parameters of an `Ensemble` from those of its members."""
    return {f"members_{i}": tree for i, tree in enumerate(params)}


def _agreed(logits: Sequence[Float[Array, "*rows vocab"]]) -> Float[Array, "*rows vocab"]:
    return jnp.mean(jax.nn.log_softmax(jnp.stack(logits)), axis=0)
