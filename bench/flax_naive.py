"""An LSTM encoder-decoder in Flax as its examples write one: `nn.scan` over an LSTM cell.

One-hot inputs, batches padded to the longest pair, optax's RMSProp with Keras's constants, one
compiled step a batch. What s2s_jax would be without its own recurrence, buckets and look-ups.

    python bench/flax_naive.py --data fra.txt --epochs 3
"""

import argparse
import json
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.training.train_state import TrainState

PAD, BOS, EOS = 0, 1, 2
SPECIALS = 3


class Recurrence(nn.Module):
    """An LSTM over time that stands still on padding."""

    features: int

    @nn.compact
    def __call__(self, carry, inputs):
        """Carry, `([batch, time, size], mask [batch, time])` -> carry, `[batch, time, units]`."""

        def step(cell, carry, inputs):
            x, mask = inputs
            new, hidden = cell(carry, x)
            keep = mask[:, None]
            return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, carry), hidden

        scan = nn.scan(
            step,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=1,
            out_axes=1,
        )
        return scan(nn.OptimizedLSTMCell(self.features), carry, inputs)


class Seq2Seq(nn.Module):
    """An encoder whose last carry starts a decoder."""

    source_size: int
    target_size: int
    features: int

    @nn.compact
    def __call__(self, source, target):
        """Ids `[batch, time]` of both sides -> logits `[batch, time, target_size]`."""
        zeros = jnp.zeros((source.shape[0], self.features))
        one_hot = jax.nn.one_hot(source, self.source_size)
        carry, _ = Recurrence(self.features)((zeros, zeros), (one_hot, source != PAD))
        one_hot = jax.nn.one_hot(target, self.target_size)
        _, hidden = Recurrence(self.features)(carry, (one_hot, target != PAD))
        return nn.Dense(self.target_size)(hidden)


def read(path, num_samples):
    """Source ids, target ids (BOS, text, EOS), both padded `[pairs, time]`, and two sizes."""
    with open(path, encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t")[:2] for line in file][: num_samples or None]
    arrays, vocabulary_sizes = [], []
    for side, (begin, end) in enumerate((([], []), ([BOS], [EOS]))):
        symbols = sorted({c for pair in pairs for c in pair[side]})
        ids = {c: i for i, c in enumerate(symbols, SPECIALS)}
        rows = [[*begin, *(ids[c] for c in pair[side]), *end] for pair in pairs]
        array = np.full((len(rows), max(map(len, rows))), PAD, np.int32)
        for i, row in enumerate(rows):
            array[i, : len(row)] = row
        arrays.append(array)
        vocabulary_sizes.append(len(ids) + SPECIALS)
    return arrays, vocabulary_sizes


def loss_and_tokens(params, apply_fn, source, target):
    """Cross-entropy summed over real target tokens, and their number."""
    logits = apply_fn({"params": params}, source, target[:, :-1])
    labels = target[:, 1:]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return (losses * (labels != PAD)).sum(), (labels != PAD).sum()


@jax.jit
def train_step(state, source, target):
    """One optimizer step on one batch."""

    def mean_loss(params):
        total, tokens = loss_and_tokens(params, state.apply_fn, source, target)
        return total / tokens

    loss, gradients = jax.value_and_grad(mean_loss)(state.params)
    return state.apply_gradients(grads=gradients), loss


@jax.jit
def eval_step(state, source, target):
    """A batch's summed loss and tokens."""
    return loss_and_tokens(state.params, state.apply_fn, source, target)


def main():
    """Trains; prints one JSON object an epoch and a last one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--latent-dim", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    flags = parser.parse_args()
    (source, target), sizes = read(flags.data, flags.num_samples)
    cut, size = int(len(source) * 0.8), flags.batch_size
    model = Seq2Seq(*sizes, flags.latent_dim)
    params = jax.jit(model.init)(jax.random.key(0), source[:1], target[:1])["params"]
    optimizer = optax.rmsprop(1e-3, decay=0.9, eps=1e-7)
    state = TrainState.create(apply_fn=model.apply, params=params, tx=optimizer)
    state = state.replace(step=jnp.int32(0))
    rng = np.random.default_rng(0)
    for epoch in range(1, flags.epochs + 1):
        start = time.perf_counter()
        order = rng.permutation(cut)
        for i in range(0, cut, size):
            rows = order[i : i + size]
            state, loss = train_step(state, source[rows], target[rows])
        loss.block_until_ready()
        seconds = time.perf_counter() - start
        sums = [
            eval_step(state, source[i : i + size], target[i : i + size])
            for i in range(cut, len(source), size)
        ]
        total, tokens = np.sum(jax.device_get(sums), axis=0)
        line = {"epoch": epoch, "seconds": seconds, "val_loss": float(total / tokens)}
        print(json.dumps(line), flush=True)
    print(json.dumps({"target_tokens": int((target[:cut, 1:] != PAD).sum())}))


if __name__ == "__main__":
    main()
