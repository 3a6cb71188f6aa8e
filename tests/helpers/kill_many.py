"""Kills a training run again and again, and compares its end with that of a run left in peace.

    python tests/helpers/kill_many.py --kills 200 [--seed N]

The run is tiny and saves after every second step, so that most kills fall into a save. After each
kill the folder must still be decoded from, once it holds a step.
"""

import argparse
import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from s2s_testing import write_pairs  # noqa: E402

FLAGS = "--recipe tutorial --latent-dim 16 --batch-size 4 --optimizer adam --clip-norm 1 "
FLAGS += "--save-every 2 --resume"
STEPS_A_KILL = 24  # So many optimizer steps are reached before a process is killed, on average.
_EPOCH = 4  # Steps of an epoch: 16 training pairs in batches of 4.


class Killed(NamedTuple):
    """What the kills came upon, and whether the end was that of the run left in peace."""

    kills: int
    in_saves: int
    before_steps: int
    seconds: float
    same: bool


def start(data: Path, out: Path, epochs: int) -> subprocess.Popen:
    command = [sys.executable, ROOT / "train.py", "--data", data, "--out", out, "--epochs", epochs]
    return subprocess.Popen(
        [*map(str, command), *FLAGS.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end_of(run: Path) -> tuple:
    """Arrays, progress and metrics at a run's end, without the times that it took."""
    import jax

    from s2s_jax.model.seq2seq import Seq2Seq
    from s2s_jax.runs.checkpointing import restore_state
    from s2s_jax.runs.folder import read_run
    from s2s_jax.runs.steps import find_step
    from s2s_jax.training.fitting.progress import TrainingProgress
    from s2s_jax.training.fitting.state import make_state

    def timeless(epoch: dict) -> dict:
        return {name: value for name, value in epoch.items() if "second" not in name}

    config = read_run(run).config
    like = jax.eval_shape(lambda: make_state(Seq2Seq(config.model), config.train))
    found = []
    for which in ("best", "latest"):
        step = find_step(run, which)
        state = restore_state(run, step, like.params, like.opt_state)
        arrays = [leaf.tobytes() for leaf in jax.tree.leaves(state[:2])]
        progress = TrainingProgress.from_record(state[2])
        history = [timeless(epoch) for epoch in progress.history]
        progress = dataclasses.replace(progress, seconds=0.0, history=tuple(history))
        found.append((step, arrays, progress))
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return found, [timeless(json.loads(line)) for line in lines]


def names(run: Path) -> set[str]:
    """Of the steps, whole or not."""
    return {path.name for path in (run / "steps").glob("*")}


def leftovers(run: Path) -> list[Path]:
    """What a save that was killed left half done."""
    files = (*run.glob(".*.tmp*"), *(run / "steps").glob("*"))
    return [file for file in files if not file.name.isdecimal()]


def kill_many(folder: Path, kills: int, seed: int) -> Killed:
    """Trains one run with so many kills and one without, and compares them."""
    from s2s_jax.decoding.translator import Translator
    from s2s_jax.errors import UserError

    chance, begun = random.Random(seed), time.monotonic()
    data, run = write_pairs(folder / "pairs.txt"), folder / "killed"
    epochs = kills * STEPS_A_KILL // _EPOCH
    in_saves = before_steps = 0
    for number in range(kills):
        before = names(run)
        process = start(data, run, epochs)
        if chance.random() < 0.9:  # Else also while it reads and compiles.
            while names(run) <= before and process.poll() is None:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.8))
        else:
            time.sleep(chance.uniform(0, 3))
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate()
        assert process.returncode == -signal.SIGKILL, (number, process.returncode, said.decode())
        in_saves += bool(leftovers(run))
        try:
            Translator.load(run, "latest")
        except UserError as error:
            known = ("no finished step", "no such run", "not a run folder")
            assert any(words in str(error) for words in known), error
            before_steps += 1
    for out in (run, folder / "peace"):
        process = start(data, out, epochs)
        _, said = process.communicate()
        assert process.returncode == 0 and not said, said.decode()
        assert not leftovers(out), leftovers(out)
    same = end_of(run) == end_of(folder / "peace")
    return Killed(kills, in_saves, before_steps, time.monotonic() - begun, same)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("S2S_JAX_CACHE", str(Path(folder) / "cache"))
        found = kill_many(Path(folder), flags.kills, flags.seed)
    print(
        f"{found.kills} kills, {found.in_saves} of them inside a save, {found.before_steps} before "
        f"the first step was whole, {found.seconds:.0f} s; the end is "
        f"{'bit-identical' if found.same else 'DIFFERENT'}"
    )
    sys.exit(not found.same)


if __name__ == "__main__":
    main()
