"""The tutorial's program and its variants, for the models that the tests ask Keras about."""

from pathlib import Path

import numpy as np

FIXTURE = Path(__file__).resolve().parents[1] / "keras" / "fixture"
NUM_SAMPLES = 24
UNITS = 8


def read_pairs(num_samples=NUM_SAMPLES):
    """The tutorial's reading: the text behind the last line feed is left out."""
    with open(FIXTURE / "pairs.txt", encoding="utf-8") as file:
        lines = file.read().split("\n")
    pairs = []
    for line in lines[: min(num_samples, len(lines) - 1)]:
        source, target = line.split("\t")[:2]
        pairs.append((source, "\t" + target + "\n"))
    return pairs


class Data:
    """The tutorial's characters, lengths and arrays; ids in the place of one-hots if `ids`."""

    def __init__(self, pairs, padding="zeros", ids=False, lists=None):
        sources, targets = zip(*pairs, strict=True)
        self.sources, self.targets, self.padding, self.ids = sources, targets, padding, ids
        self.input_characters = sorted({c for s in sources for c in s})
        self.target_characters = sorted({c for t in targets for c in t})
        if lists is not None:
            self.input_characters, self.target_characters = lists
        self.source_length = max(map(len, sources))
        self.target_length = max(map(len, targets))

    def encoded(self, texts, characters, length):
        """`[texts, length]` ids or `[texts, length, characters]` one-hots."""
        index = {c: i for i, c in enumerate(characters)}
        rows = np.zeros((len(texts), length), "int32")
        one_hot = np.zeros((len(texts), length, len(characters)), "float32")
        for i, text in enumerate(texts):
            for t, c in enumerate(text):
                rows[i, t] = index[c]
                one_hot[i, t, index[c]] = 1
            if self.padding == "space":
                rows[i, len(text) :] = index[" "]
                one_hot[i, len(text) :, index[" "]] = 1
        return rows if self.ids else one_hot

    def source(self, texts):
        return self.encoded(texts, self.input_characters, self.source_length)

    def target(self, texts):
        return self.encoded(texts, self.target_characters, self.target_length)

    def answers(self):
        """The targets one step ahead, one-hot."""
        one_hot = Data.encoded(self._one_hot(), self.targets, self.target_characters,
                               self.target_length)  # fmt: skip
        ahead = np.zeros_like(one_hot)
        ahead[:, :-1] = one_hot[:, 1:]
        return ahead

    def _one_hot(self):
        other = object.__new__(Data)
        other.padding, other.ids = self.padding, False
        return other


def build(
    keras, data, optimizer="rmsprop", mask=False, names=(None, None, None), units=UNITS, drop=0.0,
    **settings,
):  # fmt: skip
    """Training, encoder and decoder model, as the tutorial makes them.

    With `drop` also as many others do: masks on both sides, layers of dropout, and the last layer
    applied by `TimeDistributed`.
    """
    layers = keras.layers

    def dropped(tensor):
        return layers.Dropout(drop)(tensor) if drop else tensor

    def side(characters, masked):
        if data.ids:
            tensor = layers.Input((None,))
            return tensor, layers.Embedding(len(characters), 5, mask_zero=masked)(tensor)
        tensor = layers.Input((None, len(characters)))
        return tensor, layers.Masking()(tensor) if masked else tensor

    source, x = side(data.input_characters, mask)
    x = dropped(x)
    _, h, c = layers.LSTM(units, return_state=True, name=names[0], **settings)(x)
    target, y = side(data.target_characters, mask and drop > 0)
    y = dropped(y)
    lstm = layers.LSTM(units, return_sequences=True, return_state=True, name=names[1], **settings)
    hidden, _, _ = lstm(y, initial_state=[h, c])
    dense = layers.Dense(len(data.target_characters), activation="softmax", name=names[2])
    if drop:
        dense = layers.TimeDistributed(dense)
    training = keras.Model([source, target], dense(dropped(hidden)))
    training.compile(optimizer=optimizer, loss="categorical_crossentropy")
    given = [layers.Input((units,)), layers.Input((units,))]
    hidden, h2, c2 = lstm(y, initial_state=given)
    return (
        training,
        keras.Model(source, [h, c]),
        keras.Model([target, *given], [dense(hidden), h2, c2]),
    )


def decode_sequence(encoder, decoder, data, source):
    """The tutorial's decode loop for one encoded source `[1, time, ...]`.

    What the decoder does not give back, as the encoder's outputs that it attends to, stays.
    """
    states = [np.asarray(state) for state in encoder(source)]
    character, decoded, kept = "\t", "", []
    while True:
        previous = data.encoded([character], data.target_characters, 1)
        given = [*kept, *states]
        output, *states = (np.asarray(x) for x in decoder([previous, *given]))
        kept = given[: len(given) - len(states)]
        character = data.target_characters[int(output[0, -1].argmax())]
        decoded += character
        if character == "\n" or len(decoded) > data.target_length:
            return decoded


def expected(models, data, padding):
    """What Keras says: all strings, and the probabilities of the first pair."""
    training, encoder, decoder = models
    texts = list(dict.fromkeys(data.sources))
    inputs = [data.source(data.sources[:1]), data.target(data.targets[:1])]
    return {
        "padding": padding,
        "input_characters": data.input_characters,
        "target_characters": data.target_characters,
        "max_encoder_seq_length": data.source_length,
        "max_decoder_seq_length": data.target_length,
        "decoded": {
            text: decode_sequence(encoder, decoder, data, data.source([text])) for text in texts
        },
        "probabilities": np.asarray(training(inputs))[0].astype(float).round(6).tolist(),
    }
