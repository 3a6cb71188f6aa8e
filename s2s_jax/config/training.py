"""How the parameters of a run are fitted."""

import dataclasses

from s2s_jax.config.options import Config, option

LEARNING_RATES = {"rmsprop": 1e-3, "adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
"""The optimizers offered, and the default learning rate of each."""

PARTS = ("encoder", "decoder")
"""The parts of a model, as its parameters name them."""


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """How the parameters are fitted.

    A `learning_rate` of 0 is replaced by the optimizer's default, so that a configuration always
    holds the rate used. `precision` is that of matrix products alone: parameters, optimizer and
    sums are float32, and decoding is float32 throughout.
    """

    epochs: int = option(100, least=0, metavar="N", help="epoch at which training ends")
    batch_size: int = option(64, least=1, metavar="N", help="pairs per update")
    optimizer: str = option("rmsprop", choices=tuple(LEARNING_RATES), help="update rule")
    learning_rate: float = option(
        0.0,
        least=0,
        metavar="RATE",
        help="0 = the optimizer's default: "
        + ", ".join(f"{name} {rate:g}" for name, rate in LEARNING_RATES.items()),
    )
    clip_norm: float = option(
        0.0, least=0, metavar="NORM", help="bound on the norm of the gradient; 0 = none"
    )
    freeze: str = option(
        "",
        choices=("", *PARTS),
        metavar="PART",
        help="leave the weights of the encoder or of the decoder as they are",
    )
    patience: int = option(
        0, least=0, metavar="N",
        help="stop after N epochs without a better validation loss; 0 = never",
    )  # fmt: skip
    save_every: int = option(
        0, least=0, metavar="N",
        help="also save after every N updates; 0 = only at the end of each epoch",
    )  # fmt: skip
    seed: int = option(0, least=0, metavar="N", help="seed of every random choice")
    precision: str = option(
        "float32",
        choices=("float32", "bfloat16"),
        help="of matrix products; bfloat16 suits TPUs and GPUs",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.learning_rate:
            object.__setattr__(self, "learning_rate", LEARNING_RATES[self.optimizer])
