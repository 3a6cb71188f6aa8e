"""Training steps on full batches of the tutorial's shape: s2s_jax, or PyTorch's nn.LSTM.

    python bench/accelerator_steps.py --batch-size 1024 --precision bfloat16 --dispatch 8
    python bench/accelerator_steps.py --peer --batch-size 1024

Every row is 16 source and 20 target tokens long, so that nothing is padded. It prints one JSON
object.
"""

import argparse
import json
import time
from collections.abc import Callable

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


def jax_steps(flags) -> Callable[[], None]:
    """A function that takes `flags.dispatch` steps in one dispatch and waits for them."""
    import jax
    import jax.numpy as jnp

    from s2s_jax.config import ModelConfig, TrainConfig
    from s2s_jax.data.batching import Batch
    from s2s_jax.model.seq2seq import Seq2Seq
    from s2s_jax.training.fitting.state import make_state
    from s2s_jax.training.fitting.step import compiled_steps

    model = Seq2Seq(ModelConfig(*SYMBOLS, flags.units), dtype=getattr(jnp, flags.precision))
    state = make_state(model, TrainConfig())
    source, target = draw(flags.batch_size)
    batch = Batch(source, source > 0, target[:, :-1], target[:, 1:], target[:, 1:] > 0)
    batches = jax.device_put(jax.tree.map(lambda x: np.stack([x] * flags.dispatch), batch))
    tokens = np.float32(flags.batch_size * TARGET)
    step = compiled_steps(None).train
    several = jax.jit(
        lambda state, batches: jax.lax.scan(lambda s, b: step(s, b, tokens), state, batches)
    )

    def take():
        nonlocal state
        state, sums = several(state, batches)
        jax.block_until_ready(sums)

    return take


def torch_steps(flags) -> Callable[[], None]:
    """The same for the peer, which dispatches its kernels one by one."""
    import torch

    from pytorch_lstm import Seq2Seq, batch_loss

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    model = Seq2Seq(*SYMBOLS, flags.units).to(device)
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    source, target = (torch.tensor(ids, dtype=torch.int64) for ids in draw(flags.batch_size))
    low = flags.precision == "bfloat16"

    def take():
        for _ in range(flags.dispatch):
            with torch.autocast(device, torch.bfloat16, enabled=low):
                loss = batch_loss(model, source, target, device)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        loss.item()

    return take


def main():
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", action="store_true", help="PyTorch in place of s2s_jax")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--dispatch", type=int, default=1, help="steps in one dispatch")
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3)
    flags = parser.parse_args()
    take = (torch_steps if flags.peer else jax_steps)(flags)
    for _ in range(3):  # Compiles, and lets the device wake up.
        take()
    taken, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < flags.seconds or not taken:
        take()
        taken += flags.dispatch
    tokens = taken * flags.batch_size * TARGET
    print(json.dumps({"tokens_per_second": tokens / seconds, "step_ms": 1000 * seconds / taken}))


if __name__ == "__main__":
    main()
