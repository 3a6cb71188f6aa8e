"""The Keras ten-minute sequence-to-sequence tutorial's model and data, for side-by-side timing.

The program of the tutorial (character-level LSTM encoder and decoder, one-hot arrays, RMSProp,
categorical cross-entropy), written anew in Keras 3. Run it with the backend to measure:

    KERAS_BACKEND=jax python bench/keras_tutorial.py --data fra.txt --epochs 3
"""

import argparse
import json
import resource
import time

import keras
import numpy as np


def one_hot_arrays(pairs):
    """The tutorial's three float32 arrays; targets begin with a tab and end with a newline."""
    pairs = [(source, f"\t{target}\n") for source, target in pairs]
    source_ids = {c: i for i, c in enumerate(sorted({c for s, _ in pairs for c in s}))}
    target_ids = {c: i for i, c in enumerate(sorted({c for _, t in pairs for c in t}))}
    source_length = max(len(s) for s, _ in pairs)
    target_length = max(len(t) for _, t in pairs)
    encoder = np.zeros((len(pairs), source_length, len(source_ids)), "float32")
    decoder = np.zeros((len(pairs), target_length, len(target_ids)), "float32")
    targets = np.zeros_like(decoder)
    for i, (source, target) in enumerate(pairs):
        for t, c in enumerate(source):
            encoder[i, t, source_ids[c]] = 1
        for t, c in enumerate(target):
            decoder[i, t, target_ids[c]] = 1
            if t > 0:
                targets[i, t - 1, target_ids[c]] = 1
    return encoder, decoder, targets


def build(source_size, target_size, latent_dim):
    """The training model: an encoder whose states start the decoder."""
    encoder_inputs = keras.Input((None, source_size))
    _, h, c = keras.layers.LSTM(latent_dim, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input((None, target_size))
    hidden = keras.layers.LSTM(latent_dim, return_sequences=True)(
        decoder_inputs, initial_state=[h, c]
    )
    outputs = keras.layers.Dense(target_size, activation="softmax")(hidden)
    model = keras.Model([encoder_inputs, decoder_inputs], outputs)
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    return model


class EpochSeconds(keras.callbacks.Callback):
    """The seconds of each epoch, validation not counted."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


def main():
    """Trains and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--latent-dim", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    flags = parser.parse_args()
    start = time.perf_counter()
    with open(flags.data, encoding="utf-8") as file:
        lines = file.read().split("\n")[: flags.num_samples]
    pairs = [line.split("\t")[:2] for line in lines]
    encoder, decoder, targets = one_hot_arrays(pairs)
    model = build(encoder.shape[-1], decoder.shape[-1], flags.latent_dim)
    clock = EpochSeconds()
    history = model.fit(
        [encoder, decoder],
        targets,
        batch_size=flags.batch_size,
        epochs=flags.epochs,
        validation_split=0.2,
        callbacks=[clock],
        verbose=0,
    ).history
    real = targets.sum(axis=(1, 2))
    cut = int(len(pairs) * 0.8)
    steady = sorted(clock.seconds[1:])[(len(clock.seconds) - 1) // 2]
    positions = targets.shape[1]
    print(
        json.dumps(
            {
                "backend": keras.backend.backend(),
                "epoch_seconds": [round(s, 2) for s in clock.seconds],
                "target_tokens_per_second": round(float(real[:cut].sum()) / steady),
                "val_loss_per_real_token": [
                    round(v * positions / float(real[cut:].mean()), 4) for v in history["val_loss"]
                ],
                "wall_seconds": round(time.perf_counter() - start, 1),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
            }
        )
    )


if __name__ == "__main__":
    main()
