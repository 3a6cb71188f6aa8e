"""Makes the files beside it with Keras itself; the tests then need no Keras.

    python tests/keras_fixture/make.py

Small models of the tutorial's kind and of its variants, in both formats of Keras, and what Keras
says about them: the strings of the tutorial's decode loop, and teacher-forced probabilities.
`--legacy` makes the one of Keras 2 (with tf-keras in the place of Keras).
"""

import argparse
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
NUM_SAMPLES = 24
UNITS = 8


def read_pairs(num_samples=NUM_SAMPLES):
    """The tutorial's reading: the text behind the last line feed is left out."""
    with open(HERE / "pairs.txt", encoding="utf-8") as file:
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


def build(keras, data, optimizer="rmsprop", mask=False, names=(None, None, None), units=UNITS):
    """Training, encoder and decoder model, as the tutorial makes them."""
    layers = keras.layers

    def side(characters, masked):
        if data.ids:
            tensor = layers.Input((None,))
            return tensor, layers.Embedding(len(characters), 5, mask_zero=masked)(tensor)
        tensor = layers.Input((None, len(characters)))
        return tensor, layers.Masking()(tensor) if masked else tensor

    source, x = side(data.input_characters, mask)
    _, h, c = layers.LSTM(units, return_state=True, name=names[0])(x)
    target, y = side(data.target_characters, False)
    lstm = layers.LSTM(units, return_sequences=True, return_state=True, name=names[1])
    hidden, _, _ = lstm(y, initial_state=[h, c])
    dense = layers.Dense(len(data.target_characters), activation="softmax", name=names[2])
    training = keras.Model([source, target], dense(hidden))
    training.compile(optimizer=optimizer, loss="categorical_crossentropy")
    given = [layers.Input((units,)), layers.Input((units,))]
    hidden, h2, c2 = lstm(y, initial_state=given)
    return (
        training,
        keras.Model(source, [h, c]),
        keras.Model([target, *given], [dense(hidden), h2, c2]),
    )


def decode_sequence(encoder, decoder, data, source):
    """The tutorial's decode loop for one encoded source `[1, time, ...]`."""
    states = [np.asarray(state) for state in encoder(source)]
    character, decoded = "\t", ""
    while True:
        previous = data.encoded([character], data.target_characters, 1)
        output, *states = (np.asarray(x) for x in decoder([previous, *states]))
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


def variants(keras, pairs):
    """Files, data, padding, epochs and the settings of each model."""
    zeros = Data(pairs)
    names = ("encoder_lstm", "decoder_lstm", "decoder_output")

    def rmsprop():
        return keras.optimizers.RMSprop(0.01)

    yield "tutorial.h5 tutorial.keras", zeros, "zeros", 80, {"optimizer": rmsprop()}
    adam = keras.optimizers.Adam(0.02)
    spaces = Data(pairs, padding="space")
    yield "spaces.keras", spaces, "space", 60, {"optimizer": adam, "names": names, "units": 11}
    yield "embedding.h5", Data(pairs, ids=True), "zeros", 60, {"optimizer": rmsprop()}
    yield "masked.keras", zeros, "mask", 60, {"optimizer": rmsprop(), "mask": True}
    # A masked Embedding skips the id 0, which is then no character's; an order of one's own.
    lists = [["", *zeros.input_characters[::-1]], ["", *zeros.target_characters[::-1]]]
    reserved = Data(pairs, ids=True, lists=lists)
    yield "reserved.keras", reserved, "mask", 60, {"optimizer": rmsprop(), "mask": True}
    yield "untrained.keras", zeros, "zeros", 0, {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--legacy", action="store_true")
    legacy = parser.parse_args().legacy
    if legacy:
        import tf_keras as keras
    else:
        import keras
    keras.utils.set_random_seed(1)
    pairs, results = read_pairs(), {}
    made = variants(keras, pairs)
    if legacy:
        made = [("legacy.h5", Data(pairs), "zeros", 60, {"optimizer": keras.optimizers.Adam(0.02)})]
        results = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    for files, data, padding, epochs, settings in made:
        models = build(keras, data, **settings)
        if epochs:
            models[0].fit([data.source(data.sources), data.target(data.targets)], data.answers(),
                          batch_size=2, epochs=epochs, verbose=0)  # fmt: skip
        for name in files.split():
            # The optimizer's state is not read; one file of each format shows that it may be there.
            models[0].save(HERE / name, include_optimizer=name in ("tutorial.h5", "spaces.keras"))
            results[name] = expected(models, data, padding)
    text = json.dumps(results, ensure_ascii=False, separators=(",", ":"))
    (HERE / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
