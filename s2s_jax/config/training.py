"""How the parameters of a run are fitted."""

import dataclasses

from s2s_jax.config.options import Config, option
from s2s_jax.errors import UserError

LEARNING_RATES = {"rmsprop": 1e-3, "adam": 1e-3, "adamw": 1e-3, "sgd": 1e-2}
"""The optimizers offered, and the default learning rate of each."""

WEIGHT_DECAY = 0.004
"""The default of AdamW, as in Keras."""

SCHEDULES = ("constant", "cosine", "inverse-sqrt", "plateau")
"""How the learning rate changes; see `training/fitting/schedules.py`."""

SELECTIONS = ("loss", "error")
"""What the best epoch has the least of, in the validation part."""

PARTS = ("encoder", "decoder")
"""The parts of a model, as its parameters name them."""


@dataclasses.dataclass(frozen=True)
class TrainConfig(Config):
    """How the parameters are fitted.

    A `learning_rate` or a `weight_decay` of 0 is replaced by the optimizer's default, so that a
    configuration always holds what is used. `precision` is that of matrix products alone:
    parameters, optimizer and sums are float32, and decoding is float32 throughout.
    """

    epochs: int = option(100, least=0, metavar="N", help="epoch at which training ends")
    batch_size: int = option(64, least=1, metavar="N", help="pairs per update")
    accumulate: int = option(
        1, least=1, metavar="N",
        help="compute a batch in N parts, one after another, in less memory",
    )  # fmt: skip
    shapes: int = option(
        0, least=0, most=32, metavar="N",
        help="lengths that batches are padded to, each compiled once: N of source and target "
        "together; 0 = five by the target alone",
    )  # fmt: skip
    optimizer: str = option("rmsprop", choices=tuple(LEARNING_RATES), help="update rule")
    learning_rate: float = option(
        0.0,
        least=0,
        metavar="RATE",
        help="0 = the optimizer's default: "
        + ", ".join(f"{name} {rate:g}" for name, rate in LEARNING_RATES.items()),
    )
    schedule: str = option(
        "constant",
        choices=SCHEDULES,
        help="of the learning rate: cosine falls to a hundredth at the last of --epochs, "
        "inverse-sqrt with the root of the updates since --warmup, and plateau halves after two "
        "epochs without a better validation loss",
    )
    warmup: int = option(
        0, least=0, metavar="N",
        help="updates in which the learning rate rises from 0; at most half of the run",
    )  # fmt: skip
    weight_decay: float = option(
        0.0,
        least=0,
        metavar="SHARE",
        help="of each weight taken off per update, times the learning rate; for adamw alone "
        f"(0 = {WEIGHT_DECAY:g})",
    )
    label_smoothing: float = option(
        0.0,
        least=0,
        below=1,
        metavar="SHARE",
        help="of the probability that the objective wants spread over all symbols; reported losses "
        "are without",
    )
    ema: float = option(
        0.0,
        least=0,
        below=1,
        metavar="DECAY",
        help="validate and decode with an exponential moving average of the weights; 0 = none",
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
    select: str = option(
        "loss",
        choices=SELECTIONS,
        help="the best epoch has the least validation loss, or the fewest wrong greedy answers to "
        "the validation part (of equals, the least loss); two epochs in a row without a wrong one "
        "end the training",
    )
    patience: int = option(
        0, least=0, metavar="N",
        help="stop after N epochs without a better one by --select or, where nothing is held out, "
        "by training loss; 0 = never",
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
        if self.optimizer == "adamw":
            object.__setattr__(self, "weight_decay", self.weight_decay or WEIGHT_DECAY)
        elif self.weight_decay:
            raise UserError(
                f"`weight_decay` {self.weight_decay:g} is for `optimizer` adamw, not "
                f"{self.optimizer}; leave it out, or make it 0."
            )
        if self.accumulate > self.batch_size:
            raise UserError(
                f"`accumulate` must be at most the `batch_size` {self.batch_size:,}, not "
                f"{self.accumulate:,}."
            )
        if self.schedule == "inverse-sqrt" and not self.warmup:
            raise UserError(
                "`schedule` inverse-sqrt needs `warmup`: the rate falls from its end on."
            )
