"""Fails one file operation of a command after another, and looks at what is left each time.

    LD_PRELOAD=faults.so python tests/helpers/s2s_faults.py FOLDER ACTION STRIDE

ACTION is train, start (from another run), resume, overwrite, decode, ensemble (two runs) or
evaluate. Of its operations, those of C++ included (`faults.c`), each STRIDE-th fails, alone or with
all that follow, with one error after the other. Prints JSON: how many faults there were, and what
was wrong.
"""

import contextlib
import ctypes
import errno
import io
import itertools
import json
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

from s2s_testing import SMALL, write_pairs

from s2s_jax import command_line
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning
from s2s_jax.runs.checkpointing import step_path
from s2s_jax.runs.folder import CONFIG, EVALUATION, METRICS, all_steps, holds_run, read_run
from s2s_jax.runs.steps import find_step
from s2s_jax.serving.main import run as decode
from s2s_jax.training import saving
from s2s_jax.training.main import run as train

MEMORY = 0  # In the place of an error's number: Python is out of memory.
ERRORS = (
    errno.EIO, MEMORY, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.EACCES, errno.ENOSPC,
)  # fmt: skip
EVENTS = {"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}
FLAGS = {
    "train": ["--epochs", 1],
    "start": ["--epochs", 1, "--start-from", "base"],
    "resume": ["--epochs", 2, "--resume"],
    "overwrite": ["--epochs", 2, "--overwrite"],
}
LAST = sys.maxsize

library = ctypes.CDLL(None)  # Holds what was preloaded.
library.faults_arm.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_long, ctypes.c_int]
library.faults_calls.restype = ctypes.c_long
armed = ("", 0, 0)  # Where, from and to which of Python's operations there is no memory.
calls = 0


def watch(event, arguments):
    """An audit hook."""
    global calls
    folder, first, last = armed
    if folder and event in EVENTS and str(arguments[0]).startswith(folder):
        calls += 1
        if first <= calls <= last:
            raise MemoryError


def arm(folder="", first=0, last=0, error=errno.EIO):
    """From the `first` to the `last` operation below the folder all fail; none any more without.

    Returns how many there were since it was last called.
    """
    global armed, calls
    counted = calls + library.faults_calls()
    armed, calls = (folder if error == MEMORY else "", first, last), 0
    library.faults_arm(b"" if error == MEMORY else os.fsencode(folder), first, last, error)
    return counted


def command(run, *arguments):
    """The status, the output and what was complained of by a command, in this process."""
    sys.argv = ["s2s", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            command_line.main(run)
        except SystemExit as leaving:
            return leaving.code, out.getvalue(), err.getvalue()


class Action:
    """What is repeated with fault after fault, in a folder that is as it was before each time."""

    def __init__(self, root, name):
        self.name, self.folder, self.kept = name, root / "work", root / "kept"
        self.run, self.data = self.folder / "run", self.folder / "pairs.txt"
        self.begins = name in ("train", "start")
        self.answers = name in ("decode", "ensemble", "evaluate")
        self.folder.mkdir(exist_ok=True)
        write_pairs(self.data)
        if not self.begins and not self.run.exists():  # A test may have laid one there.
            assert self.train("--epochs", 1)[0] == 0
        if name in ("start", "ensemble"):
            assert self.train("--epochs", 1, "--seed", 1, out=self.folder / "base")[0] == 0
        shutil.copytree(self.folder, self.kept)
        self.before = all_steps(self.run)

    def train(self, *flags, out=None):
        settings = [] if "--start-from" in flags else [*SMALL, "--ema", 0.9]
        given = [self.folder / flag if flag == "base" else flag for flag in flags]
        return command(train, "--out", out or self.run, "--data", self.data, *settings, *given)

    def act(self, again=False):
        """Does it, or repeats it as a user would."""
        if self.name == "decode":
            return command(decode, "--checkpoint", self.run, "He eats.", "Tom runs.")
        if self.name == "ensemble":
            runs = ["--checkpoint", self.run, "--checkpoint", self.folder / "base"]
            return command(decode, *runs, "He eats.", "Tom runs.")
        if self.name == "evaluate":
            asked = ["--checkpoint", self.run, "--evaluate", self.data]
            status, said, complaint = command(decode, *asked)
            return status, re.sub(r"Speed.*", "", said), complaint
        repeated = {"train": ["--resume"], "start": ["--overwrite"]}.get(self.name, [])
        return self.train(*FLAGS[self.name], *(repeated if again else []))

    def act_with(self, first, last, error):
        """Does it with a fault, in a fresh folder."""
        shutil.rmtree(self.folder)
        shutil.copytree(self.kept, self.folder)
        arm(str(self.folder), first, last, error)
        try:
            return self.act()
        finally:
            self.counted = arm()

    def end(self):
        """What it comes to: the parameters of the best step and of the latest."""
        steps = {all_steps(self.run)[-1], find_step(self.run, "best")}
        files = {n: step_path(self.run, n) / "progress" / "metadata" for n in steps}
        return {n: json.loads(file.read_text())["hashes"]["params"] for n, file in files.items()}

    def check_folder(self):
        """Raises unless all that was whole can be read."""
        if self.name == "overwrite" and not (self.run / CONFIG).exists():
            # Where nothing could be moved back, either, the old run lies there under other names.
            assert (self.run / f"{CONFIG}.removed").exists(), "the old run is gone"
            return
        if not holds_run(self.run):
            assert self.begins, "the run is gone"
            return
        assert not (self.run / "steps-damaged").exists(), "a step was called damaged"
        steps = all_steps(self.run)
        if self.answers or self.name == "resume":
            assert steps and steps[-1] >= self.before[-1], f"of {self.before} are left {steps}"
        if not self.begins:
            read_run(self.run)
        for step in (*steps, *["best"] * bool(steps)):
            Translator.load(self.run, step)
        if (self.run / METRICS).exists():
            [json.loads(line) for line in (self.run / METRICS).read_text().splitlines()]
        if (self.run / EVALUATION).exists():
            json.loads((self.run / EVALUATION).read_text())

    def check(self, error, done, answer, wanted):
        """Raises unless a fault was named or did no harm, and the command can be repeated."""
        status, said, complaint = done
        cause = os.strerror(error) if error else "out of memory"
        assert status in (0, 2), f"status {status}"
        assert "Traceback" not in complaint and "damaged" not in complaint, "what it says"
        if status == 2:
            line = complaint.splitlines()[-1]
            assert complaint.count("error:") == 1 and cause in line, f"{cause} is not what it says"
        elif self.answers:
            assert said == answer, f"it answers {said}"
        with warnings.catch_warnings():
            warnings.simplefilter("error", RunWarning)
            self.check_folder()
        status, said, complaint_again = self.act(again=True)
        assert status == 0, f"repeated, it says {complaint_again}"
        assert (said == answer) if self.answers else (self.end() == wanted), "repeated"
        self.check_folder()


def sweep(root, name, stride):
    """The number of faults, and what was wrong."""
    action, wrong = Action(root, name), []
    assert action.act()[0] == 0
    wanted, counts = action.end(), {}
    for error in (MEMORY, errno.EIO):
        status, answer, _ = action.act_with(0, 0, error)
        assert status == 0
        counts[error] = action.counted
    places = range(1, counts[errno.EIO] + 1, stride)
    turns = itertools.cycle(itertools.product(ERRORS, (True, False)))
    for place, (error, alone) in zip(places, turns, strict=False):
        first = 1 + place % counts[MEMORY] if error == MEMORY else place
        done = None
        try:
            done = action.act_with(first, first if alone else LAST, error)
            action.check(error, done, answer, wanted)
        except Exception as problem:
            fault = f"{name} {first} {'alone' if alone else 'on'} {errno.errorcode.get(error)}"
            wrong.append(
                f"{fault}: {type(problem).__name__} {problem}; it said: {done and done[2]}"
            )
            print(wrong[-1], file=sys.stderr, flush=True)
    return len(places), wrong


if __name__ == "__main__":
    # A run that waits at its end until it can be saved: then the fault passes.
    saving._PAUSE = 0
    saving.time = type("Time", (), {"sleep": staticmethod(lambda _: arm())})
    sys.addaudithook(watch)
    folder, action, stride = sys.argv[1:]
    print(json.dumps(sweep(Path(folder).resolve(), action, int(stride))))
