"""The translator's layers in PyTorch, as a good engineer writes them for a CPU.

Subwords, a bidirectional encoder over packed sequences, attention of four heads over all time steps
at once (Luong et al. 2015, "general", no input feeding) to its outputs and the embeddings beside
them, an output layer that shares the embeddings.
Dropout, label smoothing, and Adam with warm-up and cosine, as in the recipe `translator`. Windows
of 20 batches are sorted by target length, and each batch is padded to its own longest pair.
`nn.LSTM` is oneDNN's here.

    python bench/pytorch_translator.py --train train.tsv --validation dev.tsv --epochs 4

It prints one JSON object an epoch: seconds since the start, those of training in this epoch, target
tokens a second, and chrF of the greedy answers (the time that these take does not count).
"""

import argparse
import io
import json
import math
import time

import sacrebleu
import sentencepiece
import torch
from torch import nn

from pytorch_lstm import BOS, EOS, PAD, epoch_batches, pad

UNK = 3
HEADS = 4


class Translator(nn.Module):
    """The layers of the recipe `translator`."""

    def __init__(self, sizes, units, embedding_dim, dropout):
        super().__init__()
        self.source, self.target = (nn.Embedding(n, embedding_dim, PAD) for n in sizes)
        for embedding in (self.source, self.target):
            nn.init.normal_(embedding.weight, std=embedding_dim**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.LSTM(embedding_dim, units // 2, batch_first=True, bidirectional=True)
        self.bridge = nn.ModuleList([nn.Linear(units, units) for _ in "hc"])
        self.decoder = nn.LSTM(embedding_dim, units, batch_first=True)
        self.keys = nn.Linear(units + embedding_dim, units, bias=False)
        self.mix = nn.Linear(2 * units + embedding_dim, embedding_dim)
        self.bias = nn.Parameter(torch.zeros(sizes[1]))

    def encode(self, source):
        """Ids `[batch, time]` -> the decoder's first state, and the memory."""
        mask = source != PAD
        vectors = self.dropout(self.source(source))
        packed = nn.utils.rnn.pack_padded_sequence(
            vectors, mask.sum(1), batch_first=True, enforce_sorted=False
        )
        outputs, ends = self.encoder(packed)
        outputs, _ = nn.utils.rnn.pad_packed_sequence(outputs, batch_first=True)
        h, c = (
            bridge(end.transpose(0, 1).flatten(1))[None]
            for bridge, end in zip(self.bridge, ends, strict=True)
        )
        values = torch.cat((outputs, vectors), -1)
        return (h, c), (divided(self.keys(values)), divided(values), mask[:, None, None])

    def decode(self, state, memory, tokens):
        """State, memory, ids `[batch, time]` -> logits `[batch, time, vocab]`, state."""
        hidden, state = self.decoder(self.dropout(self.target(tokens)), state)
        mixed = self.dropout(self.attend(hidden, memory))
        return nn.functional.linear(mixed, self.target.weight, self.bias), state

    def attend(self, hidden, memory):
        """Queries `[batch, time, units]` and memory -> what the output layer reads of them."""
        keys, values, mask = memory
        contexts = nn.functional.scaled_dot_product_attention(
            divided(hidden), keys, values, mask, scale=1.0
        )
        contexts = contexts.transpose(1, 2).flatten(2)
        return torch.tanh(self.mix(torch.cat((contexts, hidden), -1)))

    @torch.inference_mode()
    def translate(self, source, limit):
        """Greedy answers to ids `[batch, time]`."""
        state, memory = self.encode(source)
        last = torch.full((len(source), 1), BOS)
        ended, written = torch.zeros(len(source), dtype=torch.bool), []
        while len(written) < limit and not ended.all():
            logits, state = self.decode(state, memory, last)
            logits[:, :, [PAD, BOS, UNK]] = -math.inf
            last = logits.argmax(-1)
            written.append(last.masked_fill(ended[:, None], PAD))
            ended |= last[:, 0] == EOS
        return torch.cat(written, 1)


def divided(vectors):
    """`[batch, time, features]` -> `[batch, heads, time, part]`."""
    return vectors.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def read(path):
    """The pairs of a file."""
    with open(path, encoding="utf-8") as file:
        return [tuple(line.rstrip("\n").split("\t")[:2]) for line in file]


def learn_subwords(texts, size):
    """A unigram model of SentencePiece."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=size, character_coverage=1.0,
        pad_id=PAD, bos_id=BOS, eos_id=EOS, unk_id=UNK, minloglevel=2,
        normalization_rule_name="identity", hard_vocab_limit=False,
    )  # fmt: skip
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def train_epoch(model, optimizer, schedule, batches, smoothing):
    """The seconds of one epoch, and its target tokens."""
    start, tokens = time.perf_counter(), 0
    model.train()
    for source, target in batches:
        logits, _ = model.decode(*model.encode(source), target[:, :-1])
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=PAD,
            label_smoothing=smoothing,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        tokens += int((target[:, 1:] != PAD).sum())
    return time.perf_counter() - start, tokens


def by_source(pairs):
    """Each source, with all its targets."""
    references = {}
    for source, target in pairs:
        references.setdefault(source, []).append(target)
    return references


def corpus_chrf(answers, references):
    """chrF of answers, each with a list of references."""
    columns = [
        [refs[n] if n < len(refs) else None for refs in references]
        for n in range(max(map(len, references)))
    ]
    return sacrebleu.corpus_chrf(answers, columns).score


def chrf(model, subwords, pairs, limit):
    """chrF of the greedy answers to the sources, each with all its references."""
    references = by_source(pairs)
    sources = sorted(references, key=len)
    model.eval()
    answers = []
    for i in range(0, len(sources), 128):
        rows = map(torch.tensor, subwords[0].encode(sources[i : i + 128]))
        ids = model.translate(pad(list(rows)), limit).tolist()
        cut = [row[: row.index(EOS)] if EOS in row else row for row in ids]
        answers += subwords[1].decode([[i for i in row if i != PAD] for row in cut])
    return corpus_chrf(answers, [references[source] for source in sources])


def settings():
    """A parser of the files, and of the settings of the recipe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--vocab-size", type=int, default=3000)
    parser.add_argument("--units", type=int, default=320)
    parser.add_argument("--embedding-dim", type=int, default=192)
    parser.add_argument("--dropout", type=float, default=0.25)
    parser.add_argument("--smoothing", type=float, default=0.1)
    parser.add_argument("--learning-rate", type=float, default=8e-3)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=4)
    return parser


def main():
    """Trains; prints one JSON object an epoch."""
    parser = settings()
    parser.add_argument("--warmup", type=int, default=400)
    flags = parser.parse_args()
    start = time.perf_counter()
    training, validation = read(flags.train), read(flags.validation)
    subwords = [
        learn_subwords([pair[side] for pair in training], flags.vocab_size) for side in (0, 1)
    ]
    pairs = [
        (torch.tensor(source), torch.tensor([BOS, *target, EOS]))
        for source, target in zip(
            *(s.encode([p[side] for p in training]) for side, s in enumerate(subwords)), strict=True
        )
    ]
    limit = max(len(target) for _, target in pairs)
    sizes = [s.get_piece_size() for s in subwords]
    model = Translator(sizes, flags.units, flags.embedding_dim, flags.dropout)
    optimizer = torch.optim.Adam(model.parameters(), flags.learning_rate, eps=1e-7)
    updates = flags.epochs * -(-len(pairs) // flags.batch_size)

    def share(step):
        """Of the learning rate: warm-up, and a cosine that ends at a hundredth."""
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(step / updates, 1)))
        return min(1, (step + 1) / flags.warmup) * cosine

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    seconds = time.perf_counter() - start
    for epoch in range(1, flags.epochs + 1):
        batches = epoch_batches(pairs, flags.batch_size, True, None)
        took, tokens = train_epoch(model, optimizer, schedule, batches, flags.smoothing)
        seconds += took
        line = {"epoch": epoch, "seconds": seconds, "epoch_seconds": took}
        line["tokens_per_second"] = tokens / took
        line["chrf"] = chrf(model, subwords, validation, limit)
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
