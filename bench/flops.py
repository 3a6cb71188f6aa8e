"""How much arithmetic a training step is, in floating-point operations (a multiply-add is two)."""


def training_flops(
    rows: float, source: float, target: float, units: int, target_vocab_size: int
) -> float:
    """The matrix products of one training step of `Seq2Seq`.

    Per position of either side, three products of `[rows, units]` and `[units, 4 units]` size:
    h U forward, dz U^T backward, and the gradient of U. Per target position, three of
    `[rows, units]` and `[units, vocab]` size, for the dense layer likewise. Rows of the input
    kernels are looked up, and the gates' elementwise work (about 1 % at 256 units) is not counted:

        6 rows (source + target) 4 units^2 + 6 rows target units vocab

    Args:
      rows: sentences of the batch.
      source: source positions of a row, on average or padded.
      target: target positions of a row, likewise.
      units: of the LSTMs.
      target_vocab_size: outputs of the dense layer.
    """
    recurrent = 6 * rows * (source + target) * units * 4 * units
    return recurrent + 6 * rows * target * units * target_vocab_size
