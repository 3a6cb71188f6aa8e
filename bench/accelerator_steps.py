"""Training steps on full batches of the tutorial's shape: s2s_jax, or PyTorch's nn.LSTM.

    python bench/accelerator_steps.py 1024:bfloat16:8 64:float32:1
    python bench/accelerator_steps.py --peer 1024:float32:1

An argument is a row of the table: batch size, precision, steps in one dispatch. Every sentence is
16 source and 20 target tokens long, so that nothing is padded. It prints one JSON object a row.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SOURCE, TARGET = 16, 20  # Positions; the means of the tutorial's batches.
SYMBOLS = 75, 94


def draw(rows):
    """Random ids: sources `[rows, 16]` and targets `[rows, 21]`, the first a `<bos>`."""
    rng = np.random.default_rng(0)
    source = rng.integers(4, SYMBOLS[0], (rows, SOURCE))
    target = rng.integers(4, SYMBOLS[1], (rows, TARGET + 1))
    target[:, 0] = 1
    return source.astype(np.int32), target.astype(np.int32)


class Row(NamedTuple):
    """What is measured."""

    batch_size: int
    precision: str
    dispatch: int


def row(text: str) -> Row:
    """Of the command line; ValueError when it is none."""
    size, precision, dispatch = text.split(":")
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f"precision {precision}")
    return Row(int(size), precision, int(dispatch))


def jax_steps(row: Row, units: int) -> Callable[[], None]:
    """A function that takes `row.dispatch` steps in one dispatch and waits for them."""
    import jax
    import jax.numpy as jnp

    from s2s_jax.config import ModelConfig, TrainConfig
    from s2s_jax.data.batching import Batch
    from s2s_jax.model.seq2seq import Seq2Seq
    from s2s_jax.runtime.compilation import step_options
    from s2s_jax.training.fitting.state import make_state
    from s2s_jax.training.fitting.step import Steps, compiled_steps

    model = Seq2Seq(ModelConfig(*SYMBOLS, units), dtype=getattr(jnp, row.precision))
    state = make_state(model, TrainConfig())
    source, target = draw(row.batch_size)
    batch = Batch(source, source > 0, target[:, :-1], target[:, 1:], target[:, 1:] > 0)
    batches = jax.device_put(jax.tree.map(lambda x: np.stack([x] * row.dispatch), batch))
    tokens = np.float32(row.batch_size * TARGET)
    # Options of the compiler belong to the outermost jit alone, so that the steps go in without.
    step = Steps(*(compiled.__wrapped__ for compiled in compiled_steps(None))).train
    several = jax.jit(
        lambda state, batches: jax.lax.scan(lambda s, b: step(s, b, tokens), state, batches),
        compiler_options=step_options(),
    )

    def take():
        nonlocal state
        state, sums = several(state, batches)
        jax.block_until_ready(sums)

    return take


def torch_steps(row: Row, units: int) -> Callable[[], None]:
    """The same for the peer, which dispatches its kernels one by one."""
    import torch

    from pytorch_lstm import Seq2Seq, batch_loss

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    model = Seq2Seq(*SYMBOLS, units).to(device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    source, target = (torch.tensor(ids, dtype=torch.int64) for ids in draw(row.batch_size))
    low = row.precision == "bfloat16"

    def take():
        for _ in range(row.dispatch):
            with torch.autocast(device, torch.bfloat16, enabled=low):
                loss = batch_loss(model, source, target, device)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return take


def main():
    """Measures, and prints one JSON object a row."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=row, nargs="+", metavar="SIZE:PRECISION:DISPATCH")
    parser.add_argument("--peer", action="store_true", help="PyTorch in place of s2s_jax")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3)
    flags = parser.parse_args()
    for asked in flags.rows:
        start = time.perf_counter()
        take = (torch_steps if flags.peer else jax_steps)(asked, flags.units)
        for _ in range(3):  # Compiles, and lets the device wake up.
            take()
        taken, ready = 0, time.perf_counter()
        while (seconds := time.perf_counter() - ready) < flags.seconds or not taken:
            take()
            taken += asked.dispatch
        figures = {
            **asked._asdict(),
            "tokens_per_second": taken * asked.batch_size * TARGET / seconds,
            "step_ms": 1000 * seconds / taken,
            "ready_s": ready - start,
        }
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
