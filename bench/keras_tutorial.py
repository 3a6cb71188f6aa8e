"""The Keras ten-minute sequence-to-sequence tutorial's model and data, for side-by-side timing.

The program of the tutorial (character-level LSTM encoder and decoder, one-hot arrays, RMSProp,
categorical cross-entropy), written anew in Keras 3. Run it with the backend to measure:

    KERAS_BACKEND=jax python bench/keras_tutorial.py --data fra.txt --epochs 3

It prints one JSON object an epoch, and the number of target tokens at the end.
"""

import argparse
import json
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
    return keras.Model([encoder_inputs, decoder_inputs], outputs)


class EpochReport(keras.callbacks.Callback):
    """Prints each epoch's seconds, validation not counted, and its validation loss.

    Keras averages the loss over all positions; those behind the end of a sentence have targets
    of zeros and add nothing. Times positions per real token it is in nats per real token.
    """

    def __init__(self, positions_per_token):
        super().__init__()
        self.positions_per_token = positions_per_token

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_test_begin(self, logs=None):
        # JAX and CUDA may still be computing: a value of the last step waits for it.
        keras.ops.convert_to_numpy(self.model.trainable_variables[-1])
        self.seconds = time.perf_counter() - self.start

    def on_epoch_end(self, epoch, logs=None):
        loss = logs["val_loss"] * self.positions_per_token
        line = {"epoch": epoch + 1, "seconds": self.seconds, "val_loss": float(loss)}
        print(json.dumps(line), flush=True)


def main():
    """Trains; prints one JSON object an epoch and a last one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--latent-dim", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument(
        "--jit-compile",
        action="store_true",
        help="compile with XLA where Keras would not by itself (LSTMs on TensorFlow)",
    )
    flags = parser.parse_args()
    with open(flags.data, encoding="utf-8") as file:
        lines = file.read().split("\n")[: flags.num_samples]
    pairs = [line.split("\t")[:2] for line in lines]
    encoder, decoder, targets = one_hot_arrays(pairs)
    model = build(encoder.shape[-1], decoder.shape[-1], flags.latent_dim)
    model.compile(
        optimizer="rmsprop",
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=True if flags.jit_compile else "auto",
    )
    cut = int(len(pairs) * 0.8)
    tokens = targets.sum(axis=(1, 2))
    model.fit(
        [encoder, decoder],
        targets,
        batch_size=flags.batch_size,
        epochs=flags.epochs,
        validation_split=0.2,
        callbacks=[EpochReport(targets.shape[1] / float(tokens[cut:].mean()))],
        verbose=0,
    )
    print(json.dumps({"target_tokens": int(tokens[:cut].sum())}))


if __name__ == "__main__":
    main()
