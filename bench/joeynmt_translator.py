"""JoeyNMT's recurrent model with the translator's sizes: its own layers, batches and training.

A bidirectional encoder, Luong attention and input feeding, so that the decoder takes one step at a
time. Learning rate and batch are those of its own recurrent configurations, and its sources and
targets are the subwords that the other programs learn.

    python bench/joeynmt_translator.py --train train.tsv --validation dev.tsv --epochs 4

It prints one JSON object an epoch, as `pytorch_translator.py` does. JoeyNMT 2.3.0 also needs
`importlib_metadata`, and sentencepiece 0.2.0.
"""

import json
import logging
import tempfile
import time
from pathlib import Path

from joeynmt.config import parse_global_args, set_validation_args
from joeynmt.prediction import predict, prepare
from joeynmt.training import TrainManager

from pytorch_translator import by_source, corpus_chrf, learn_subwords, read, settings

SIDES = "src", "trg"
SYMBOLS = "<unk>", "<pad>", "<s>", "</s>"  # As JoeyNMT numbers them.
LIMIT = 60
"""Subwords of an answer."""


def write_side(folder, side, training, held_out, flags):
    """The files of one side, and its part of the configuration."""
    subwords = learn_subwords(training, flags.vocab_size)
    model, vocabulary = folder / f"{side}.model", folder / f"{side}.vocab"
    model.write_bytes(subwords.serialized_model_proto())
    pieces = [subwords.id_to_piece(i) for i in range(4, subwords.get_piece_size())]
    vocabulary.write_text("\n".join([*SYMBOLS, *pieces]) + "\n", "utf-8")
    for part, texts in (("train", training), ("dev", held_out)):
        (folder / f"{part}.{side}").write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return {
        "lang": side, "level": "bpe", "voc_file": str(vocabulary), "max_length": 1000,
        "tokenizer_type": "sentencepiece",
        "tokenizer_cfg": {"model_file": str(model), "pretokenizer": "none"},
    }  # fmt: skip


def configuration(folder, sides, flags):
    """As a configuration file would hold it."""
    embeddings = {"embedding_dim": flags.embedding_dim, "dropout": flags.dropout}
    layers = {"rnn_type": "lstm", "num_layers": 1, "dropout": flags.dropout}
    return {
        "name": "translator", "model_dir": str(folder / "run"), "use_cuda": False, "random_seed": 0,
        "data": {
            "train": str(folder / "train"), "dev": str(folder / "dev"), "dataset_type": "plain",
            **dict(zip(SIDES, sides, strict=True)),
        },
        "testing": {"beam_size": 1, "batch_size": 128, "batch_type": "sentence",
                    "max_output_length": LIMIT, "eval_metrics": ["chrf"]},
        "training": {
            "optimizer": "adam", "learning_rate": flags.learning_rate, "normalization": "batch",
            "batch_size": flags.batch_size, "batch_type": "sentence", "clip_grad_norm": 1.0,
            "label_smoothing": flags.smoothing, "epochs": 1, "keep_best_ckpts": 1,
            "scheduling": "exponential", "decrease_factor": 0.95,
            "logging_freq": 10**9, "validation_freq": 10**9, "early_stopping_metric": "ppl",
        },
        "model": {
            "initializer": "xavier_uniform", "bias_initializer": "zeros", "init_gain": 1.0,
            "embed_initializer": "normal", "embed_init_weight": 0.1, "tied_softmax": False,
            "encoder": {**layers, "type": "recurrent", "hidden_size": flags.units // 2,
                        "bidirectional": True, "embeddings": embeddings},
            "decoder": {**layers, "type": "recurrent", "hidden_size": flags.units,
                        "embeddings": embeddings, "hidden_dropout": flags.dropout,
                        "attention": "luong", "init_hidden": "bridge", "input_feeding": True},
        },
    }  # fmt: skip


def chrf(manager, data, references):
    """chrF of the greedy answers, each with all its references."""
    _, _, answers, *_ = predict(
        manager.model, data, manager.device, 0, args=manager.dev_cfg, autocast=manager.autocast
    )
    return corpus_chrf(answers, references)


def main():
    """Trains; prints one JSON object an epoch."""
    parser = settings()
    parser.set_defaults(learning_rate=1e-3, batch_size=64)
    flags = parser.parse_args()
    logging.disable(logging.WARNING)
    begun = time.perf_counter()
    training, references = read(flags.train), by_source(read(flags.validation))
    held_out = list(references), [targets[0] for targets in references.values()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = [
            write_side(folder, side, [pair[n] for pair in training], held_out[n], flags)
            for n, side in enumerate(SIDES)
        ]
        (folder / "run").mkdir()
        args = parse_global_args(configuration(folder, sides, flags))
        model, train_data, dev_data, _ = prepare(args, rank=0, mode="train")
        manager = TrainManager(
            rank=0, model=model, model_dir=args.model_dir, device=args.device,
            seed=args.seed, autocast=args.autocast, train_args=args.train,
            dev_args=set_validation_args(args.test),
        )  # fmt: skip
        seconds, tokens = time.perf_counter() - begun, 0
        for epoch in range(1, flags.epochs + 1):
            start = time.perf_counter()
            manager.stats.epochs, manager.args = epoch, manager.args._replace(epochs=epoch)
            manager.train_and_validate(train_data, dev_data)
            took = time.perf_counter() - start
            seconds += took
            line = {"epoch": epoch, "seconds": seconds, "epoch_seconds": took}
            line["tokens_per_second"] = (manager.stats.total_tokens - tokens) / took
            tokens = manager.stats.total_tokens
            line["chrf"] = chrf(manager, dev_data, list(references.values()))
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
