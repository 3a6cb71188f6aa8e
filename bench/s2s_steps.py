"""Training steps of s2s_jax under one setting, and the machine's speed at matrix products.

    python bench/s2s_steps.py --data fra.txt --units 512 --seconds 8

Steps are those of `train_epoch` in its shuffled order; intervals in which something was compiled
do not count. It prints one JSON object.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import jax
import numpy as np

from flops import training_flops
from s2s_jax.config import DataConfig, ModelConfig, TrainConfig
from s2s_jax.data.batching import Batches
from s2s_jax.data.preparation import prepare
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runtime.memory import keep_freed_memory
from s2s_jax.training.fitting.loop import train_epoch
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_state

_BEHIND = 10  # Steps after a compilation that the device may have done during it.


class Clock:
    """Adds up intervals without compilation, until they are enough."""

    def __init__(self, seconds, limit):
        self.wanted, self.end = seconds, time.perf_counter() + limit
        self.seconds = self.tokens = self.compiled = self.behind = 0
        jax.monitoring.register_event_duration_secs_listener(self.on_event)

    def on_event(self, name, seconds, **_):
        self.compiled += "compile" in name

    def start(self, progress):
        """An epoch begins."""
        self.before, self.then, self.compiled = progress.sums.tokens, time.perf_counter(), 0

    def on_step(self, progress):
        """A step is done; the device was some steps ahead while another was compiled."""
        self.behind = _BEHIND if self.compiled else max(self.behind - 1, 0)
        if not self.behind:
            self.seconds += time.perf_counter() - self.then
            self.tokens += progress.sums.tokens - self.before
        self.start(progress)

    def save(self, state, progress):
        """Nothing is kept."""

    def should_stop(self):
        """Whether enough was measured, or it has taken too long."""
        return self.seconds >= self.wanted or time.perf_counter() > self.end


def read_pairs(flags, folder):
    """A data file of the pairs that the setting asks for."""
    lines = [line for line in Path(flags.data).read_text("utf-8").split("\n") if "\t" in line]
    if flags.draw:
        # Pairs drawn from the whole file, which is sorted by length: only their number varies.
        lines = np.random.default_rng(0).permutation(lines)[: flags.draw]
    else:
        lines = lines[:10_000]
    pairs = [line.split("\t")[:2] for line in lines]
    groups = [pairs[i : i + flags.join] for i in range(0, len(pairs), flags.join)]
    path = Path(folder) / "pairs.txt"
    text = "".join(
        " ".join(s for s, _ in g) + "\t" + " ".join(t for _, t in g) + "\n" for g in groups
    )
    path.write_text(text, "utf-8")
    return path


def measure_training(prepared, units, batch_size, seconds):
    """Tokens a second, and the positions of an epoch, padded and real."""
    train = TrainConfig(batch_size=batch_size)
    sizes = (len(prepared.source_vocabulary), len(prepared.target_vocabulary))
    examples = prepared.encode(prepared.training)
    batches = Batches(examples, batch_size, seed=0)
    state = make_state(Seq2Seq(ModelConfig(*sizes, units)), train)
    clock, epoch = Clock(seconds, limit=60 + 4 * seconds), 0
    while not clock.should_stop():
        progress = TrainingProgress(epoch=epoch)
        clock.start(progress)
        state, progress, _ = train_epoch(
            state,
            progress,
            batches,
            save=clock.save,
            on_step=clock.on_step,
            should_stop=clock.should_stop,
        )
        epoch += 1
    if not clock.tokens:
        raise SystemExit("every interval held a compilation; give more --seconds")
    source, target = examples.lengths.sum(axis=0)
    shapes = [batch.source.shape + batch.targets.shape for batch in batches.epoch()]
    padded = sum(training_flops(n, s, t, units, sizes[1]) for n, s, _, t in shapes)
    useful = training_flops(1, int(source), int(target), units, sizes[1])
    epoch_seconds = int(target) / (clock.tokens / clock.seconds)
    return {
        "tokens_per_second": clock.tokens / clock.seconds,
        "epoch_seconds": epoch_seconds,
        "pairs": len(examples.sources),
        "mean_source": int(source) / len(examples.sources),
        "mean_target": int(target) / len(examples.sources),
        "padded_gflops": padded / epoch_seconds / 1e9,
        "useful_gflops": useful / epoch_seconds / 1e9,
    }


def matmul_gflops(rows, inner, columns, seconds=1.0):
    """The best speed at `[rows, inner] x [inner, columns]` in float32, in GFLOP/s."""
    repeats = max(1, int(2e9 / (2 * rows * inner * columns)))
    a = jax.random.normal(jax.random.key(0), (rows, inner))
    b = jax.random.normal(jax.random.key(1), (inner, columns)) / inner

    @jax.jit
    def products(a, b):
        # Each product needs the one before, and all its values: none of it can be left out.
        return jax.lax.fori_loop(0, repeats, lambda _, x: a + (x @ b).max(axis=1, keepdims=True), a)

    products(a, b).block_until_ready()
    best, begun = np.inf, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        products(a, b).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return repeats * 2 * rows * inner * columns / best / 1e9


def main():
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--draw", type=int, default=0, help="pairs drawn from the whole file")
    parser.add_argument("--join", type=int, default=1, help="neighbouring pairs made one")
    parser.add_argument("--seconds", type=float, default=8)
    flags = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        path = read_pairs(flags, folder)
        config = DataConfig(str(path), num_samples=0, max_source_length=0, max_target_length=0)
        prepared = prepare(config, seed=0)
    result = measure_training(prepared, flags.units, flags.batch_size, flags.seconds)
    result["peak_gflops"] = matmul_gflops(2048, 2048, 2048)
    result["step_gflops"] = matmul_gflops(flags.batch_size, flags.units, 4 * flags.units)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
