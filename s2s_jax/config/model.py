"""The sizes and parts of a model."""

import dataclasses

from s2s_jax.config.options import Config, limits, option
from s2s_jax.errors import UserError

HARD_SIGMOID_SLOPES = {"hard_sigmoid": 1 / 6, "keras2_hard_sigmoid": 0.2}
"""clip(slope * z + 0.5, 0, 1) in place of an LSTM's sigmoid: Keras changed the slope in Keras 3."""


@dataclasses.dataclass(frozen=True)
class ModelConfig(Config):
    """The sizes of a `Seq2Seq`.

    `recurrent_activation` is "sigmoid" in every run trained here; models from Keras may have
    another. With `residual` false each layer reads the one below it alone, and attention stands
    above the decoder's top layer; with `attention_mix` false there is no tanh layer above it. With
    `writes_unk` answers may hold the symbol for unseen words.
    """

    source_vocab_size: int = dataclasses.field(metadata=limits(least=1))
    target_vocab_size: int = dataclasses.field(metadata=limits(least=1))
    latent_dim: int = option(256, least=1, metavar="N", help="LSTM units")
    embedding_dim: int = option(
        0, least=0, metavar="N", help="size of the token embeddings; 0 = one-hot"
    )
    recurrent_activation: str = option("sigmoid", choices=("sigmoid", *HARD_SIGMOID_SLOPES))
    attention: str = option(
        "none",
        choices=("none", "luong"),
        help="look up the source at every step of the answer (Luong et al. 2015)",
    )
    attention_heads: int = option(
        1, least=1, most=64, metavar="N",
        help="attend in N ways at once, each with its share of the units (Vaswani et al. 2017)",
    )  # fmt: skip
    attend_embeddings: bool = option(
        False,
        help="attention finds the embeddings of the source beside what the encoder made of it",
    )
    bidirectional: bool = option(
        False, help="read the source in both directions, with half of the units each"
    )
    encoder_layers: int = option(1, least=1, most=8, metavar="N", help="LSTM layers that read")
    decoder_layers: int = option(
        1, least=1, most=8, metavar="N",
        help="LSTM layers that write; those above the first read what attention found",
    )  # fmt: skip
    dropout: float = option(
        0.0, least=0, below=1, metavar="RATE",
        help="share of inputs and layer outputs set to zero in training",
    )  # fmt: skip
    token_dropout: float = option(
        0.0, least=0, below=1, metavar="RATE",
        help="share of the tokens that are hidden from the model in training, on both sides",
    )  # fmt: skip
    # As here in every run trained from the start; models from Keras may differ.
    residual: bool = option(True)
    attention_mix: bool = option(True)
    writes_unk: bool = option(False)
    tie_embeddings: bool = option(
        False, help="let the output layer share the embeddings of the targets"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bidirectional and self.latent_dim % 2:
            raise UserError(
                f"`bidirectional` halves the units, so `latent_dim` must be even, not "
                f"{self.latent_dim}."
            )

        if self.residual and self.decoder_layers > 1 and not self.attention_mix:
            raise UserError("`attention_mix` false needs `residual` false above one layer.")
        if self.tie_embeddings and not self.embedding_dim:
            raise UserError("`tie_embeddings` needs embeddings to share; give `embedding_dim`.")
        if self.token_dropout and not self.embedding_dim:
            raise UserError(
                "`token_dropout` needs `embedding_dim`; `dropout` alone hides whole tokens where "
                "they are one-hot."
            )

        if self.attention == "none" and (self.attention_heads > 1 or self.attend_embeddings):
            given, off = "attention_heads", "set `attention_heads` to 1"
            if self.attend_embeddings:
                given, off = "attend_embeddings", "turn `attend_embeddings` off"
            raise UserError(f"`{given}` needs attention; give `attention` luong, or {off}.")
        if self.attend_embeddings and not self.embedding_dim:
            raise UserError("`attend_embeddings` needs embeddings to find; give `embedding_dim`.")
        for width in (self.latent_dim, self.memory_dim):
            if width % self.attention_heads:
                also = "" if width == self.latent_dim else " and `embedding_dim` together"
                raise UserError(
                    f"`attention_heads` must divide `latent_dim`{also}, {width}; "
                    f"{self.attention_heads} does not."
                )

    @property
    def memory_dim(self) -> int:
        """Numbers that attention finds at a position of the source."""
        return self.latent_dim + self.embedding_dim * self.attend_embeddings

    @property
    def drops(self) -> bool:
        """Whether anything is dropped in training."""
        return bool(self.dropout or self.token_dropout)

    @property
    def has_bridge(self) -> bool:
        """Whether a learned layer turns the encoder's carries into those of the decoder.

        Otherwise the top layer's carry is handed on as it is, as the tutorial does.
        """
        return self.bidirectional or self.decoder_layers > 1
