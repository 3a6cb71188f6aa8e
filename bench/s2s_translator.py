"""The recipe `translator` of s2s_jax, with chrF after each epoch.

    python bench/s2s_translator.py --train train.tsv --validation dev.tsv --epochs 4

It prints one JSON object an epoch, as `pytorch_translator.py` does: seconds since the start,
compilation, validation and saving included, those of training in this epoch, target tokens a
second, and chrF of the greedy answers, whose time does not count.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from s2s_jax import Translator, train
from s2s_jax.data.corpus import read_pairs
from s2s_jax.evaluation.metrics import translation_metrics


class Judge:
    """A callback that translates after each epoch, with the clock stopped."""

    def __init__(self, folder, pairs):
        self.folder, self.references = folder, {}
        for source, target in pairs:
            self.references.setdefault(source, []).append(target)
        self.start = time.perf_counter()

    def __call__(self, metrics):
        seconds = time.perf_counter() - self.start
        answers = Translator.load(self.folder, "latest")(list(self.references), beam=1)
        chrf = translation_metrics(answers, list(self.references.values()))["chrf"].score
        line = {"epoch": metrics["epoch"], "seconds": seconds, "epoch_seconds": metrics["seconds"]}
        line["tokens_per_second"] = metrics["target_tokens_per_second"]
        print(json.dumps(line | {"chrf": chrf}), flush=True)
        self.start = time.perf_counter() - seconds


def main():
    """Trains; prints one JSON object an epoch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--vocab-size", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, help="by default the recipe's")
    parser.add_argument("--epochs", type=int, default=4)
    flags = parser.parse_args()
    pairs = read_pairs(Path(flags.validation)).pairs
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        judge = Judge(run, pairs)
        batch = {"batch_size": flags.batch_size} if flags.batch_size else {}
        train(
            flags.train, validation=flags.validation, recipe="translator", epochs=flags.epochs,
            vocab_size=flags.vocab_size, out=run, callbacks=[judge], **batch,
        )  # fmt: skip


if __name__ == "__main__":
    main()
