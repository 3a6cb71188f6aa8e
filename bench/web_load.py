"""Many people at the page of decode.py --web at once: response times, failures, memory.

    python bench/web_load.py --checkpoint checkpoints/fra --people 50 --requests 10000

Starts the server in a process of its own and asks it over HTTP, each person one question after
another, as the page does, without a pause (`--pause` for one). Prints the percentiles of the
response times, what was refused or failed, and the server's memory every tenth of the way. Ends
with status 1 where one of the bounds is missed.
"""

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FALLBACK = ["Go.", "I won!", "He runs.", "Who is it?", "We lost it.", "She came."]


def memory(pid: int) -> float:
    """Megabytes that a process has in memory (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def processor(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def texts_of(checkpoint: Path) -> list[str]:
    """Sources of the validation part, or a few of the tutorial's."""
    file = checkpoint / "validation.tsv"
    if not file.exists():
        return FALLBACK
    return [line.split("\t")[0] for line in file.read_text("utf-8").splitlines()]


async def post(streams, host: str, values: dict) -> tuple[int, bytes]:
    """Asks once over a connection that is kept open."""
    reader, writer = streams
    body = json.dumps(values).encode()
    head = f"POST /api/translate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", answer, re.I)[1])
    return int(answer.split()[1]), await reader.readexactly(length)


async def person(number: int, flags: argparse.Namespace, texts: list[str], left: list[int],
                 host: str, taken: list[float], failed: list[str]) -> None:  # fmt: skip
    """Asks until nothing is left to ask."""
    draw = random.Random(number)
    streams = await asyncio.open_connection(*host.split(":"))
    while left[0] > 0:
        left[0] -= 1
        await asyncio.sleep(draw.expovariate(1 / flags.pause) if flags.pause else 0)
        text = draw.choice(texts)
        values = {"text": text, "beam": flags.beam, "attention": True}
        values["n_best"] = min(flags.beam, 4)
        start = time.perf_counter()
        status, body = await post(streams, host, values)
        taken.append(time.perf_counter() - start)
        if status != 200 or "text" not in json.loads(body)["answers"][0]:
            failed.append(f"{status} {body[:100]!r}")
    streams[1].close()


async def crowd(flags: argparse.Namespace, host: str, pid: int) -> bool:
    """Everybody asks; prints what came out. Whether all bounds were met."""
    texts, left = texts_of(flags.checkpoint), [flags.requests]
    taken, failed, sizes = [], [], []

    async def watch() -> None:
        while True:
            if len(taken) >= len(sizes) * flags.requests / 10:
                sizes.append(memory(pid))
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    start, used = time.perf_counter(), processor(pid)
    people = (person(i, flags, texts, left, host, taken, failed) for i in range(flags.people))
    await asyncio.gather(*people)
    seconds, used = time.perf_counter() - start, processor(pid) - used
    watcher.cancel()
    sizes.append(memory(pid))
    taken.sort()
    p50, p95, p99 = (1000 * taken[int(len(taken) * q)] for q in (0.5, 0.95, 0.99))
    print(f"{len(taken):,} requests of {flags.people} people, beam {flags.beam}: "
          f"{len(taken) / seconds:.0f} a second, "
          f"{1000 * used / len(taken):.1f} ms of processor time each")  # fmt: skip
    print(f"response time: median {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, "
          f"longest {1000 * taken[-1]:.0f} ms")  # fmt: skip
    print(f"refused or failed: {len(failed)} {failed[:3] or ''}")
    print("memory, MB: " + " ".join(f"{size:.0f}" for size in sizes))
    # What is needed once, such as threads, is there after the first tenths.
    growth = sizes[-1] - sizes[len(sizes) // 3]
    print(f"memory grew by {growth:.1f} MB over the last two thirds")
    return p95 < flags.p95 and not failed and growth < flags.growth


def main() -> int:
    """Measures once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="run folder")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--beam", type=int, default=4, help="4 is what the page begins with")
    parser.add_argument("--pause", type=float, default=0, help="mean seconds between questions")
    parser.add_argument("--p95", type=float, default=300, help="bound in milliseconds")
    parser.add_argument("--growth", type=float, default=20, help="bound in megabytes")
    flags = parser.parse_args()
    command = [sys.executable, ROOT / "decode.py", "--web", "--port", 0]
    command += ["--checkpoint", flags.checkpoint]
    begun = time.perf_counter()
    server = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if found := re.match(r"http://(\S+) answers", line):
                break
        print(f"ready after {time.perf_counter() - begun:.1f} s")
        met = asyncio.run(crowd(flags, found[1], server.pid))
    finally:
        server.terminate()
        server.wait()
    print("all bounds met" if met else "a bound was missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
