"""The tutorial's models, recognised by the shapes of their weights: for files of weights alone."""

from __future__ import annotations

from collections.abc import Mapping

from s2s_jax.keras.reading.graph import Side, Structure
from s2s_jax.keras.reading.layers import refuse, refuse_kind
from s2s_jax.keras.reading.layouts import Reader

_WITHOUT_WEIGHTS = ("InputLayer", "Masking")


def recognise_weights(kinds: Mapping[str, str], reader: Reader) -> Structure:
    """The structure that weights fit, without a configuration.

    Layers stand in the order of the model, where the encoder comes first; where only the other
    order fits the output layer, that one.

    Args:
      kinds: the class of every layer by its name.
      reader: knows the shapes of their weights.

    Raises:
      UserError: if the weights are not those of the tutorial's model or of one half of it.
    """
    layers: dict[str, list[str]] = {"LSTM": [], "Dense": [], "Embedding": [], "Masking": []}
    for name, kind in kinds.items():
        kind = {"TimeDistributed": "Dense", "CuDNNLSTM": "LSTM"}.get(kind, kind)
        if kind not in (*layers, *_WITHOUT_WEIGHTS):
            refuse_kind(kind, name)
        layers.setdefault(kind, []).append(name)
    lstms, dense, embeddings = layers["LSTM"], layers["Dense"], layers["Embedding"]
    if (len(lstms), len(dense)) not in ((2, 1), (1, 1), (1, 0)):
        refuse("two LSTMs and a Dense layer", f"{len(lstms)} LSTMs and {len(dense)} Dense layers")
    if len(embeddings) not in (0, len(lstms)):
        refuse("an Embedding before every LSTM or none", f"{len(embeddings)} of them")

    # Only a Masking layer masks one-hot vectors; of an Embedding the weights do not tell.
    masks = [None] * len(lstms) if embeddings else [True] * len(layers["Masking"])
    sides = [
        Side(lstm, embeddings[i] if embeddings else None, masks[i] if i < len(masks) else False)
        for i, lstm in enumerate(lstms)
    ]
    # It has no other gates.
    gates = "sigmoid" if "CuDNNLSTM" in kinds.values() else ""
    units = reader.shape(lstms[0], 1)[0]
    if any(reader.shape(lstm, 1) != (units, 4 * units) for lstm in lstms):
        refuse("LSTMs of as many units", f"{[reader.shape(lstm, 1) for lstm in lstms]}")
    if not dense:
        return Structure(sides[0], None, "", units, gates, dict(kinds))
    symbols = [reader.shape(side.embedding or side.lstm, 0)[0] for side in sides]
    vocabulary = reader.shape(dense[0], 1)[0]
    if symbols[-1] != vocabulary and symbols[0] == vocabulary:
        sides.reverse()
    encoder, decoder = sides if len(sides) == 2 else (None, sides[0])
    return Structure(encoder, decoder, dense[0], units, gates, dict(kinds))
