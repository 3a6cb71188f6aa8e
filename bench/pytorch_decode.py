"""Greedy decoding in PyTorch as a good engineer writes it: batches, until all rows have ended.

    python bench/pytorch_decode.py --task task --seconds 10

Sentences are sorted by length and decoded 256 at a time in inference mode. `--cell` steps the
decoder with an `nn.LSTMCell` of the same weights: less to do per call than `nn.LSTM` for a
sequence of one. The task comes from `s2s_decode.py`, with the weights.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pytorch_lstm import PAD, Seq2Seq, pad

BOS, EOS = 1, 2  # The ids of s2s_jax's vocabularies.
BATCH = 256


class CellSeq2Seq(Seq2Seq):
    """The same parameters, each step of the decoder by an `nn.LSTMCell`."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.cell = nn.LSTMCell(self.decoder.input_size, self.decoder.hidden_size)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            setattr(self.cell, name, getattr(self.decoder, f"{name}_l0"))

    def encode(self, source):
        """As before, without the axis of layers."""
        return tuple(state[0] for state in super().encode(source))

    def decode(self, state, tokens):
        """State, ids `[batch, 1]` -> logits `[batch, 1, vocab]`, state."""
        h, c = self.cell(nn.functional.one_hot(tokens[:, 0], self.sizes[1]).float(), state)
        return self.output(h)[:, None], (h, c)


def load(weights, model_class):
    """A model with s2s_jax's weights; the gates have the same order, i, f, g, o."""
    source, target = (len(weights[f"{side}_kernel"]) for side in ("encoder", "decoder"))
    model = model_class(source, target, len(weights["output_kernel"]))
    state = {
        "output.weight": weights["output_kernel"].T,
        "output.bias": weights["output_bias"],
    }
    for side in ("encoder", "decoder"):
        state[f"{side}.weight_ih_l0"] = weights[f"{side}_kernel"].T
        state[f"{side}.weight_hh_l0"] = weights[f"{side}_recurrent_kernel"].T
        state[f"{side}.bias_ih_l0"] = weights[f"{side}_bias"]
        state[f"{side}.bias_hh_l0"] = np.zeros_like(weights[f"{side}_bias"])
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    model.load_state_dict(tensors, strict=False)  # A cell shares the decoder's.
    return model.eval()


@torch.inference_mode()
def greedy(model, rows, max_length, device):
    """Source ids -> ids of the answers, of a batch."""
    state = model.encode(pad(rows).to(device))
    tokens = torch.full((len(rows), 1), BOS, device=device)
    ended = torch.zeros(len(rows), 1, dtype=torch.bool, device=device)
    written = []
    for _ in range(max_length):
        logits, state = model.decode(state, tokens)
        tokens = logits.argmax(-1).masked_fill(ended, PAD)
        written.append(tokens)
        ended |= tokens == EOS
        if ended.all():
            break
    return torch.cat(written, 1).tolist()


def decode(model, rows, max_length, device):
    """The answers to all sentences, in their order."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
    answers = [None] * len(rows)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        batch = greedy(model, [rows[i] for i in chosen], max_length, device)
        for i, answer in zip(chosen, batch, strict=True):
            answers[i] = answer
    return answers


def text(ids, symbols):
    """Ids up to the end symbol as a string."""
    return "".join(symbols[i] for i in (ids[: ids.index(EOS)] if EOS in ids else ids))


def main():
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--cell", action="store_true")
    flags = parser.parse_args()
    task = json.loads((flags.task / "task.json").read_text(encoding="utf-8"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load(np.load(flags.task / "weights.npz"), CellSeq2Seq if flags.cell else Seq2Seq)
    model = model.to(device)
    rows = [torch.tensor(row) for row in task["rows"]]
    answers = decode(model, rows, task["max_length"], device)
    times, begun = [], time.perf_counter()
    for row in rows:
        start = time.perf_counter()
        decode(model, [row], task["max_length"], device)
        times.append(time.perf_counter() - start)
        if time.perf_counter() - begun > flags.seconds:
            break
    passes, begun = 0, time.perf_counter()
    while not passes or time.perf_counter() - begun < flags.seconds:
        decode(model, rows, task["max_length"], device)
        passes += 1
    result = {
        "one_ms": float(np.mean(times)) * 1e3,
        "sentences_per_second": passes * len(rows) / (time.perf_counter() - begun),
        "answers": [text(answer, task["symbols"]) for answer in answers],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
