"""Which function the gates of an LSTM have: Keras changed its default, and what a name means.

`hard_sigmoid` was clip(0.2 x + 0.5, 0, 1) up to Keras 2, and the default of LSTM before Keras 2.3
(in TensorFlow before 2.0). In Keras 3 it is clip((x + 3) / 6, 0, 1).
"""

from __future__ import annotations

import re

from s2s_jax.errors import UserError

_FLAG = "--recurrent-activation"


def recurrent_activation(named: str, version: str, asked: str) -> str:
    """The activation by its name in `ModelConfig`.

    Args:
      named: by the file, in Keras's words; empty for weights without a configuration.
      version: of the Keras that wrote the file; empty where it is not known.
      asked: by the user, or empty.

    Raises:
      UserError: if the file does not tell and the user does not, or they contradict each other.
    """
    if asked:
        if named and (named == "sigmoid") != (asked == "sigmoid"):
            raise UserError(f"the gates of this model are {named}, so not {asked}; drop {_FLAG}.")
        return asked
    numbers = re.match(r"(\d+)\.(\d+)", version)
    number = (int(numbers[1]), int(numbers[2])) if numbers else None
    if not named:
        # TensorFlow 1.13 to 2.1 all say 2.2.4-tf, and the default changed between them.
        if number is None or (number < (2, 3) and "tf" in version):
            raise UserError(
                "weights alone do not say what gates they were trained with: add "
                f"{_FLAG} sigmoid (Keras from 2.3 on, TensorFlow 2) or "
                f"{_FLAG} keras2_hard_sigmoid (Keras before 2.3, TensorFlow 1)."
            )
        named = "sigmoid" if number >= (2, 3) else "hard_sigmoid"
    if named == "sigmoid":
        return "sigmoid"
    if number is None:
        raise UserError(
            "the gates of this model are hard_sigmoid, which is another function since Keras 3, "
            f"and the file does not say which Keras wrote it: add {_FLAG} keras2_hard_sigmoid "
            f"(before Keras 3) or {_FLAG} hard_sigmoid (Keras 3)."
        )
    return "hard_sigmoid" if number >= (3, 0) else "keras2_hard_sigmoid"
