"""Long work under watch: 60,000 pairs trained, 1,000,000 lines decoded, each interrupted once.

    python tests/helpers/load.py train --data fra.txt
    python tests/helpers/load.py decode --checkpoint checkpoints/fra

Prints the memory of the process over time as a row of bars, before and after the interruption.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BARS = "▁▂▃▄▅▆▇█"
LINES = 1_000_000


def resident(pid: int) -> float:
    """Megabytes that a process has in memory (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def watched(command: list, stop_after: float = 0, **streams) -> tuple[int, list[float]]:
    """Runs a command; interrupts it after some seconds if asked; samples its memory."""
    process = subprocess.Popen([sys.executable, *map(str, command)], **streams)
    samples, begun = [], time.monotonic()
    while process.poll() is None:
        if (memory := resident(process.pid)) > 0:
            samples.append(memory)
        if stop_after and time.monotonic() - begun > stop_after:
            process.send_signal(signal.SIGINT)
            stop_after = 0
        time.sleep(1)
    return process.returncode, samples


def curve(samples: list[float], width: int = 60) -> str:
    """The samples as bars from zero to the highest, with first, median and highest in words."""
    most = max(samples)
    thinned = [samples[i * len(samples) // width] for i in range(min(width, len(samples)))]
    bars = "".join(BARS[min(7, int(8 * x / (most + 1)))] for x in thinned)
    later = sorted(samples[len(samples) // 5 :])
    return (
        f"{bars}  median {later[len(later) // 2]:.0f} MB, highest {most:.0f} MB, {len(samples)} s"
    )


def train(flags: argparse.Namespace) -> None:
    out = Path(tempfile.mkdtemp()) / "run"
    command = [ROOT / "train.py", "--data", flags.data, "--num-samples", flags.pairs]
    command += ["--epochs", flags.epochs, "--save-every", 100, "--out", out, "--resume"]
    for stop_after in (flags.stop_after, 0):
        status, samples = watched(command, stop_after, stdout=subprocess.DEVNULL)
        print(f"train.py ended with {status}: {curve(samples)}", flush=True)
    assert status == 0


def decode(flags: argparse.Namespace) -> None:
    """Interrupted, it goes on with the lines that have no answer yet."""
    sentences = ["Go.", "I won!", "He eats.", "Tom runs fast.", "She sleeps.", "Who are you?"]
    command = [ROOT / "decode.py", "--checkpoint", flags.checkpoint]
    folder = Path(tempfile.mkdtemp())
    done = 0
    for stop_after in (flags.stop_after, 0):
        reading, writing = os.pipe()

        def feed(first: int, writing: int = writing) -> None:
            with contextlib.suppress(BrokenPipeError), open(writing, "wb") as pipe:
                for number in range(first, flags.lines):
                    pipe.write(sentences[number % 6].encode() + b"\n")

        feeder = threading.Thread(target=feed, args=(done,))
        feeder.start()
        with (folder / "answers").open("ab") as answers:
            os.set_inheritable(writing, False)
            status, samples = watched(
                command, stop_after, stdin=reading, stdout=answers, stderr=subprocess.DEVNULL
            )
        os.close(reading)
        feeder.join()
        found = (folder / "answers").read_bytes()
        done = found.count(b"\n")
        print(f"decode.py ended with {status} after {done:,} lines: {curve(samples)}", flush=True)
        assert found.endswith(b"\n")
    lines = found.split(b"\n")
    assert done == flags.lines
    assert all(line == lines[number % 6] for number, line in enumerate(lines[:-1]))
    print(f"all {done:,} lines are answered, each as the first time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "decode"])
    parser.add_argument("--data", default="sample")
    parser.add_argument("--checkpoint", default="")
    parser.add_argument("--pairs", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--stop-after", type=float, default=40)
    flags = parser.parse_args()
    # What is started in the background of a script ignores Ctrl-C, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (train if flags.what == "train" else decode)(flags)


if __name__ == "__main__":
    main()
