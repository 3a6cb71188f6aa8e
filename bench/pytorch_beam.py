"""Beam search in PyTorch with the translator's layers, as a good engineer writes it: batched.

    python bench/pytorch_beam.py --task task --seconds 10 --beam 5

The keys of attention are projected once a source and never copied: the hypotheses of a source ask
its row of the memory together. The state is gathered by parent. Finished hypotheses keep their
slots; a source whose best ones are out of reach leaves the batch. The search is that of s2s_jax, so
that the answers compare; the task comes from `s2s_decode.py`, with the weights.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pytorch_lstm import BOS, EOS, PAD, pad
from pytorch_translator import UNK, Translator

HYPOTHESES = 512  # At a time.


def load(weights):
    """A model with s2s_jax's weights; the gates have the same order, i, f, g, o."""
    sizes = [len(weights[f"{side}/inputs/embedding/embedding"]) for side in ("encoder", "decoder")]
    units = weights["decoder/cell/recurrent_kernel"].shape[0]
    embedding_dim = weights["decoder/inputs/embedding/embedding"].shape[1]
    model = Translator(sizes, units, embedding_dim, 0.0)
    state = {
        "source.weight": weights["encoder/inputs/embedding/embedding"],
        "target.weight": weights["decoder/inputs/embedding/embedding"],
        "keys.weight": weights["encoder/keys/kernel"].T,
        "mix.weight": weights["decoder/attention/mix/kernel"].T,
        "mix.bias": weights["decoder/attention/mix/bias"],
        "bias": weights["decoder/output/bias"],
    }
    for name, ours in (("0", "bridge_1"), ("1", "bridge_0")):  # h and c.
        state[f"bridge.{name}.weight"] = weights[f"encoder/{ours}/kernel"].T
        state[f"bridge.{name}.bias"] = weights[f"encoder/{ours}/bias"]
    lstms = (
        ("encoder.{}_l0", "encoder/inputs", "encoder/cell"),
        ("encoder.{}_l0_reverse", "encoder/backward_inputs", "encoder/backward_cell"),
        ("decoder.{}_l0", "decoder/inputs", "decoder/cell"),
    )
    for name, inputs, cell in lstms:
        state[name.format("weight_ih")] = weights[f"{inputs}/kernel"].T
        state[name.format("weight_hh")] = weights[f"{cell}/recurrent_kernel"].T
        state[name.format("bias_ih")] = weights[f"{inputs}/bias"]
        state[name.format("bias_hh")] = np.zeros_like(weights[f"{inputs}/bias"])
    model.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    model.cell = nn.LSTMCell(embedding_dim, units)  # Less to do per call than a sequence of one.
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        setattr(model.cell, name, getattr(model.decoder, f"{name}_l0"))
    return model.eval()


def step(model, state, memory, last):
    """State `[rows, ...]`, memory of the sources, ids `[sources, beam]` -> state, log-probs."""
    h, c = model.cell(model.target(last.flatten()), state)
    mixed = model.attend(h.view(*last.shape, -1), memory)
    logits = nn.functional.linear(mixed, model.target.weight, model.bias)
    log_probs = logits.log_softmax(-1)
    log_probs[..., [PAD, BOS, UNK]] = -math.inf
    return (h, c), log_probs


@torch.inference_mode()
def search(model, rows, beam, alpha, limit):
    """Source ids -> ids of the best answer to each, of a batch."""
    state, memory = model.encode(pad(rows))
    state = tuple(part[0].repeat_interleave(beam, 0) for part in state)
    answers, where = [None] * len(rows), list(range(len(rows)))
    last = torch.full((len(rows), beam), BOS)
    scores = torch.full((len(rows), beam), -math.inf)
    scores[:, 0] = 0
    ended = torch.zeros(len(rows), beam, dtype=torch.bool)
    lengths = torch.zeros(len(rows), beam, dtype=torch.int64)
    written = torch.full((len(rows), beam, limit), PAD)

    def penalty(lengths):
        return ((5 + lengths) / 6) ** alpha

    for place in range(limit):
        state, log_probs = step(model, state, memory, last)
        so_far = scores.masked_fill(ended, -math.inf)
        best, which = (so_far[:, :, None] + log_probs).flatten(1).topk(beam)
        # Finished hypotheses keep their slots; the n-th other slot takes the n-th extension.
        turn = ((~ended).cumsum(1) - 1).clamp(min=0)
        best, which = best.gather(1, turn), which.gather(1, turn)
        vocab = log_probs.shape[-1]
        parent = torch.where(ended, torch.arange(beam), which // vocab)
        last = torch.where(ended, PAD, which % vocab)
        scores = torch.where(ended, scores, best)
        lengths = lengths + ~ended
        written = written.gather(1, parent[:, :, None].expand(-1, -1, limit))
        written[:, :, place] = last
        ended = ended | ((last == EOS) & (best > -math.inf))
        ranked = scores / penalty(lengths)
        finished = ranked.masked_fill(~ended, -math.inf).amax(1)
        others = scores.masked_fill(ended, -math.inf).amax(1) / penalty(torch.tensor(limit))
        settled = finished >= others
        if place == limit - 1:
            settled[:] = True
        else:
            ranked = ranked.masked_fill(~ended, -math.inf)
        for i in settled.nonzero().flatten().tolist():
            answers[where[i]] = written[i, ranked[i].argmax()].tolist()
        going = (~settled).nonzero().flatten()
        if not len(going):
            break
        parents = (parent[going] + beam * going[:, None]).flatten()
        state = tuple(part[parents] for part in state)
        if len(going) < len(where):
            where = [where[i] for i in going.tolist()]
            memory = tuple(part[going] for part in memory)
            last, scores, ended, lengths, written = (
                part[going] for part in (last, scores, ended, lengths, written)
            )
    return answers


def decode(model, rows, beam, alpha, limit):
    """The answers to all sentences, in their order."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
    answers, size = [None] * len(rows), HYPOTHESES // beam
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        for i, answer in zip(
            chosen, search(model, [rows[i] for i in chosen], beam, alpha, limit), strict=True
        ):
            answers[i] = answer[: answer.index(EOS)] if EOS in answer else answer
    return answers


def main():
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--beam", type=int, default=5)
    flags = parser.parse_args()
    task = json.loads((flags.task / "task.json").read_text(encoding="utf-8"))
    model = load(np.load(flags.task / "weights.npz"))
    rows = [torch.tensor(row) for row in task["rows"]]
    options = flags.beam, task["length_penalty"], task["max_length"]
    answers = decode(model, rows, *options)
    times, begun = [], time.perf_counter()
    for row in rows:
        start = time.perf_counter()
        decode(model, [row], *options)
        times.append(time.perf_counter() - start)
        if time.perf_counter() - begun > flags.seconds:
            break
    passes, begun = 0, time.perf_counter()
    while not passes or time.perf_counter() - begun < flags.seconds:
        decode(model, rows, *options)
        passes += 1
    result = {
        "one_ms": float(np.mean(times)) * 1e3,
        "sentences_per_second": passes * len(rows) / (time.perf_counter() - begun),
        "answers": answers,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
