"""Encoder and decoder as one model, with one set of parameters behind three views.

`Seq2Seq.__call__` trains (teacher forcing), `Seq2Seq.encode` reads a sentence, and
`Seq2Seq.decode_step` writes one token of the answer. All three are methods of one module over
one tree of parameters, so that what was trained is what decodes (Sutskever et al. 2014).
"""

from __future__ import annotations

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Bool, Float, Int, UInt32

from s2s_jax.config import ModelConfig
from s2s_jax.model.attention import Memory
from s2s_jax.model.decoder import Decoder
from s2s_jax.model.encoders import Encoder
from s2s_jax.model.recurrence import Carry


class Seq2Seq(nn.Module):
    """The model: an encoder whose final carry starts the decoder, which may also attend to it.

    Attributes:
      config: its sizes.
      dtype: of the matrix products; parameters, sums and everything else are float32.
    """

    config: ModelConfig
    dtype: DTypeLike = jnp.float32

    def setup(self) -> None:
        self.encoder = Encoder(self.config, self.dtype)
        self.decoder = Decoder(self.config, self.dtype)

    def __call__(
        self,
        source: Int[Array, "batch source_time"],
        source_mask: Bool[Array, "batch source_time"],
        target_inputs: Int[Array, "batch target_time"],
        dropout_keys: UInt32[Array, "batch 2 sites words"] | None = None,
    ) -> Float[Array, "batch target_time vocab"]:
        """Teacher-forced training: the decoder reads the reference, shifted right.

        Args:
          source: ids.
          source_mask: true on real tokens.
          target_inputs: `<bos>` and the ids of the reference.
          dropout_keys: draw what is dropped, as `row_keys` returns them; None, as outside
            training, drops nothing.

        Returns:
          Logits of the next token after each of `target_inputs`.
        """
        read, write = None, None
        if dropout_keys is not None:
            read, write = dropout_keys[:, 0], dropout_keys[:, 1]
        return self.decoder(*self.encoder(source, source_mask, read), target_inputs, write)

    def encode(
        self, source: Int[Array, "batch time"], source_mask: Bool[Array, "batch time"]
    ) -> tuple[tuple[Carry, ...], Memory]:
        """The decoder's first carries, and what it can look up in the source at every step."""
        return self.encoder(source, source_mask, decoding=True)

    def decode_step(
        self, carry: tuple[Carry, ...], memory: Memory, tokens: Int[Array, " rows"]
    ) -> tuple[tuple[Carry, ...], Float[Array, "rows vocab"]]:
        """A `StepFn`: reads each row's last token, returns the next carries and logits."""
        return self.decoder.step(carry, memory, tokens)

    def make_tables(self) -> None:
        """Makes the collection `tables`: what every token contributes to the gates.

        With it `encode` and `decode_step` look up what they would compute for each token.
        """
        self.encoder.make_tables()
        self.decoder.make_tables()


@functools.lru_cache(maxsize=8)
def param_shapes(config: ModelConfig) -> Any:
    """The parameters of a model as shapes, without computing any."""
    tokens = jax.ShapeDtypeStruct((1, 1), jnp.int32)
    mask = jax.ShapeDtypeStruct((1, 1), bool)
    return jax.eval_shape(Seq2Seq(config).init, jax.random.key(0), tokens, mask, tokens)["params"]
