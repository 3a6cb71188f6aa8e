"""Programs to be measured: each in a process of its own, its lines stamped as they come."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Failed(Exception):
    """A program ended with an error; says which one in a line."""


class Finished(NamedTuple):
    """What a process printed and took.

    Attributes:
      lines: each line of standard output, with the seconds from the start of the process.
      seconds: from the start of the process to its end.
      peak_mb: the largest resident set (host memory, libraries included).
    """

    lines: list[tuple[float, str]]
    seconds: float
    peak_mb: float

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines that are JSON objects."""
        return [json.loads(line) for _, line in self.lines if line.startswith("{")]


def run(
    command: list[Any],
    environment: dict[str, str] | None = None,
    until: Callable[[float, str], bool] | None = None,
    python: str = sys.executable,
) -> Finished:
    """Runs a Python program of this checkout to its end.

    Args:
      command: the script and its arguments.
      environment: variables to add.
      until: is told each line with its seconds; true ends the process there.
      python: the interpreter, of another environment where a peer does not go with ours.

    Raises:
      Failed: when the program ends with an error of its own.
    """
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Filtered tracebacks end with a remark of JAX's instead of the error.
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "JAX_TRACEBACK_FILTERING": "off"}
    variables = {**quiet, "PYTHONPATH": paths, **(environment or {})}
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            [python, *map(str, command)],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        lines, stopped = [], False
        try:
            for line in process.stdout:
                lines.append((time.perf_counter() - start, line.rstrip("\n")))
                if until is not None and until(*lines[-1]):
                    stopped = True
                    process.terminate()
                    break
            process.stdout.close()
            # wait4 instead of wait: it tells the memory of this one child.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and not stopped:
            errors.seek(0)
            said = errors.read().strip().splitlines() or [f"status {process.returncode}"]
            raise Failed(said[-1][:200])
        return Finished(lines, time.perf_counter() - start, usage.ru_maxrss / 1000)


def version_of(package: str, python: str) -> dict[str, str]:
    """The version of a package that another Python has; empty where it has none."""
    find = "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))"
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        done = subprocess.run(
            [python, "-c", find, package], capture_output=True, text=True, check=True
        )
        return {package: done.stdout.strip()}
    return {}


def missing(packages: tuple[str, ...], python: str = sys.executable) -> str | None:
    """What a peer's row says when a package that it needs is not there."""
    find = (
        "import sys, importlib.util as u; print(*[n for n in sys.argv[1:] if not u.find_spec(n)])"
    )
    try:
        done = subprocess.run(
            [python, "-c", find, *packages], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return f"{python} does not run"
    absent = done.stdout.split()
    return f"not installed: {', '.join(absent)}" if absent else None
