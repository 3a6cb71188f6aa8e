"""The Keras tutorial's decoding loop: an encoder model, a decoder model, a call per character.

    KERAS_BACKEND=jax python bench/keras_decode.py --task task --seconds 10

The tutorial calls `predict` for every character, one sentence after another. `--on-batch` calls
`predict_on_batch` instead, which leaves out the data pipeline, and in bulk decodes up to 256
sentences of one length together. The task comes from `s2s_decode.py`, with the weights. Sources
are not padded: the tutorial's encoder would read the padding, which this model never saw.
"""

import argparse
import functools
import itertools
import json
import time
from pathlib import Path

import keras
import numpy as np

BOS, EOS = 1, 2  # The ids of s2s_jax's vocabularies.
BATCH = 256


def load(weights):
    """The tutorial's two inference models; the gates have the same order, i, f, c, o."""
    units, target_size = weights["output_kernel"].shape
    inputs = keras.Input((None, len(weights["encoder_kernel"])))
    encoder_lstm = keras.layers.LSTM(units, return_state=True)
    encoder = keras.Model(inputs, encoder_lstm(inputs)[1:])
    inputs = keras.Input((None, target_size))
    states = [keras.Input((units,)), keras.Input((units,))]
    decoder_lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    hidden, *new_states = decoder_lstm(inputs, initial_state=states)
    dense = keras.layers.Dense(target_size, activation="softmax")
    decoder = keras.Model([inputs, *states], [dense(hidden), *new_states])
    for side, layer in (("encoder", encoder_lstm), ("decoder", decoder_lstm)):
        layer.set_weights([weights[f"{side}_{w}"] for w in ("kernel", "recurrent_kernel", "bias")])
    dense.set_weights([weights["output_kernel"], weights["output_bias"]])
    return encoder, decoder


def one_hot(ids, size):
    """`[batch, time]` -> float32 `[batch, time, size]`."""
    return np.eye(size, dtype="float32")[ids]


def greedy(encoder, decoder, sizes, max_length, rows):
    """Sources of one length, ids `[batch, time]` -> ids of the answers `[batch, time]`.

    `encoder` and `decoder` are the models' `predict` or `predict_on_batch`.
    """
    states = encoder(one_hot(np.array(rows), sizes[0]))
    tokens = np.full((len(rows), 1), BOS)
    written, ended = [], np.zeros((len(rows), 1), bool)
    for _ in range(max_length):
        probabilities, *states = decoder([one_hot(tokens, sizes[1]), *states])
        tokens = np.argmax(probabilities, -1)
        written.append(tokens)
        ended |= tokens == EOS
        if ended.all():
            break
    return np.concatenate(written, 1).tolist()


def one_by_one(answer, rows, seconds):
    """Answers to as many sentences as the time allows (three at least), and their seconds."""
    answers, times = [], []
    for row in rows:
        start = time.perf_counter()
        answers += answer([row])
        times.append(time.perf_counter() - start)
        if len(times) >= 3 and sum(times) > seconds:
            break
    return answers, times


def in_batches(answer, rows):
    """Answers to all sentences, in their order, up to 256 of one length together."""
    answers = [None] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for _, group in itertools.groupby(order, key=lambda i: len(rows[i])):
        group = list(group)
        for start in range(0, len(group), BATCH):
            chosen = group[start : start + BATCH]
            for i, ids in zip(chosen, answer([rows[i] for i in chosen]), strict=True):
                answers[i] = ids
    return answers


def text(ids, symbols):
    """Ids up to the end symbol as a string."""
    return "".join(symbols[i] for i in (ids[: ids.index(EOS)] if EOS in ids else ids))


def main():
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--on-batch", action="store_true")
    flags = parser.parse_args()
    task = json.loads((flags.task / "task.json").read_text(encoding="utf-8"))
    weights = np.load(flags.task / "weights.npz")
    models, rows = load(weights), task["rows"]
    if flags.on_batch:
        calls = [model.predict_on_batch for model in models]
    else:
        calls = [functools.partial(model.predict, verbose=0) for model in models]
    sizes = [len(weights[f"{side}_kernel"]) for side in ("encoder", "decoder")]
    answer = functools.partial(greedy, *calls, sizes, task["max_length"])
    for row in {len(row): row for row in rows}.values():
        greedy(*calls, sizes, 2, [row])  # Compiles for each length.
    answers, times = one_by_one(answer, rows, flags.seconds)
    rate = len(times) / sum(times)
    if flags.on_batch:
        answers = in_batches(answer, rows)  # Compiles for each shape.
        passes, begun = 0, time.perf_counter()
        while not passes or time.perf_counter() - begun < flags.seconds:
            in_batches(answer, rows)
            passes += 1
        rate = passes * len(rows) / (time.perf_counter() - begun)
    result = {
        "one_ms": float(np.mean(times)) * 1e3,
        "sentences_per_second": rate,
        "answers": [text(ids, task["symbols"]) for ids in answers],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
