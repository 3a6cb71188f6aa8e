"""An LSTM encoder-decoder in PyTorch, as a good engineer writes it for one-hot characters.

Padded batches (the encoder packed, so that padding is not read), cross-entropy that ignores
padding, RMSProp with Keras's constants. `--bucketed` sorts windows of 20 batches by target
length, so that batches pad little.

    python bench/pytorch_lstm.py --data fra.txt --epochs 3 --bucketed

It prints one JSON object an epoch, and the number of target tokens at the end.
"""

import argparse
import json
import time

import torch
from torch import nn

PAD, BOS, EOS = 0, 1, 2
SPECIALS = 3
WINDOW = 20  # Batches that are sorted together.


class Seq2Seq(nn.Module):
    """An encoder LSTM whose last state starts a decoder LSTM; inputs are one-hot."""

    def __init__(self, source_size, target_size, latent_dim):
        super().__init__()
        self.sizes = source_size, target_size
        self.encoder = nn.LSTM(source_size, latent_dim, batch_first=True)
        self.decoder = nn.LSTM(target_size, latent_dim, batch_first=True)
        self.output = nn.Linear(latent_dim, target_size)

    def encode(self, source):
        """Ids `[batch, time]` -> the LSTM's state after each row's last real symbol."""
        one_hot = nn.functional.one_hot(source, self.sizes[0]).float()
        lengths = (source != PAD).sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            one_hot, lengths, batch_first=True, enforce_sorted=False
        )
        return self.encoder(packed)[1]

    def decode(self, state, tokens):
        """State, ids `[batch, time]` -> logits `[batch, time, vocab]`, state."""
        hidden, state = self.decoder(nn.functional.one_hot(tokens, self.sizes[1]).float(), state)
        return self.output(hidden), state


def read(path, num_samples):
    """Pairs of id tensors (targets with BOS and EOS), and the sizes of both vocabularies."""
    with open(path, encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t")[:2] for line in file][: num_samples or None]
    ids = [
        {c: i for i, c in enumerate(sorted({c for pair in pairs for c in pair[side]}), SPECIALS)}
        for side in (0, 1)
    ]
    encoded = [
        (
            torch.tensor([ids[0][c] for c in source]),
            torch.tensor([BOS, *(ids[1][c] for c in target), EOS]),
        )
        for source, target in pairs
    ]
    return encoded, [len(i) + SPECIALS for i in ids]


def pad(rows):
    """Rows of ids as one tensor."""
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


def epoch_batches(pairs, batch_size, bucketed, lengths):
    """Shuffled batches; all of one length, or of neighbouring lengths within a window."""
    order = torch.randperm(len(pairs)).tolist()
    if bucketed:
        size = WINDOW * batch_size
        windows = [order[i : i + size] for i in range(0, len(order), size)]
        order = [i for w in windows for i in sorted(w, key=lambda i: len(pairs[i][1]))]
    groups = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    for k in torch.randperm(len(groups)).tolist() if bucketed else range(len(groups)):
        source, target = (pad([pairs[i][side] for i in groups[k]]) for side in (0, 1))
        if not bucketed:
            source = nn.functional.pad(source, (0, lengths[0] - source.shape[1]))
            target = nn.functional.pad(target, (0, lengths[1] - target.shape[1]))
        yield source, target


def batch_loss(model, source, target, device, reduction="mean"):
    """Cross-entropy over the real tokens of a batch."""
    source, target = source.to(device), target.to(device)
    logits, _ = model.decode(model.encode(source), target[:, :-1])
    return nn.functional.cross_entropy(
        logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD, reduction=reduction
    )


def train_epoch(model, optimizer, batches, device):
    """The seconds of one epoch."""
    start = time.perf_counter()
    for source, target in batches:
        loss = batch_loss(model, source, target, device)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()  # Waits for a graphics card.
    return time.perf_counter() - start


@torch.inference_mode()
def evaluate(model, pairs, batch_size, device):
    """Nats per real target token."""
    pairs = sorted(pairs, key=lambda pair: len(pair[1]))
    total = 0.0
    for i in range(0, len(pairs), batch_size):
        source, target = (pad([p[side] for p in pairs[i : i + batch_size]]) for side in (0, 1))
        total += batch_loss(model, source, target, device, "sum").item()
    return total / count_tokens(pairs)


def count_tokens(pairs):
    """Real target tokens, the end symbol included."""
    return sum(len(target) - 1 for _, target in pairs)


def main():
    """Trains; prints one JSON object an epoch and a last one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--latent-dim", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--bucketed", action="store_true")
    flags = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pairs, sizes = read(flags.data, flags.num_samples)
    cut = int(len(pairs) * 0.8)
    training, validation = pairs[:cut], pairs[cut:]
    lengths = [max(len(pair[side]) for pair in training) for side in (0, 1)]
    model = Seq2Seq(*sizes, flags.latent_dim).to(device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    for epoch in range(1, flags.epochs + 1):
        batches = epoch_batches(training, flags.batch_size, flags.bucketed, lengths)
        seconds = train_epoch(model, optimizer, batches, device)
        val_loss = evaluate(model, validation, flags.batch_size, device)
        line = {"epoch": epoch, "seconds": seconds, "val_loss": val_loss}
        print(json.dumps(line), flush=True)
    print(json.dumps({"target_tokens": count_tokens(training)}))


if __name__ == "__main__":
    main()
