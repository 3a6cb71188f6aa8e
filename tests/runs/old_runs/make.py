"""Makes the archives beside it with the code of the time; run once, and never with newer code.

    PYTHONPATH=OLD python tests/runs/old_runs/make.py character words keras    OLD at daee6de
    PYTHONPATH=OLD python tests/runs/old_runs/make.py unhashed                 OLD at c08898d

Each archive holds a run as that code left it, and `expected.json` and `expected.npz`: what it
answered, and the state after one more epoch. `test_old_runs.py` asks today's code for the same.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
KERAS = HERE.parents[1] / "keras" / "fixture"
SMALL = ["--latent-dim", 12, "--batch-size", 4]
RUNS = {
    # The tutorial's kind, finished: characters, one-hot, RMSProp.
    "character": ["--epochs", 30, "--learning-rate", 0.01],
    # Stopped in the middle of an epoch: words, embeddings, Adam, clipped gradients.
    "words": ["--tokens", "word", "--embedding-dim", 6, "--optimizer", "adam", "--learning-rate",
              0.01, "--clip-norm", 1, "--epochs", 100_000, "--save-every", 7],
    # Of the time before config.json and the steps held hashes of everything.
    "unhashed": ["--epochs", 30, "--optimizer", "adam", "--learning-rate", 0.02],
}  # fmt: skip


def code() -> Path:
    """The checkout that is imported."""
    import s2s_jax

    return Path(s2s_jax.__file__).resolve().parents[1]


def run_script(script, *arguments, module=()):
    command = [sys.executable, *(module or [code() / script]), *arguments]
    done = subprocess.run(
        [*map(str, command)], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def stop_in_an_epoch(run, *arguments):
    """Trains until Ctrl-C comes in the middle of an epoch that is not the first."""
    command = [sys.executable, code() / "train.py", *arguments, "--out", run]
    while not run.exists() or state(run)[1]["batch"] == 0:
        shutil.rmtree(run, ignore_errors=True)
        process = subprocess.Popen(
            [*map(str, command)], cwd=HERE, stdout=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if re.search(r"\b40/", line):
                process.send_signal(signal.SIGINT)
        assert process.wait() in (130, -2), process.returncode


def state(run):
    """The arrays and the record of the latest step, as orbax gives them to anybody."""
    import numpy as np
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager((run / "steps").absolute()) as manager:
        step = manager.latest_step()
        items = {item: ocp.args.StandardRestore() for item in ("params", "opt_state")}
        found = manager.restore(
            step, args=ocp.args.Composite(**items, progress=ocp.args.JsonRestore())
        )
    arrays = {
        f"{item}/{name}": np.asarray(array) for item in items for name, array in found[item].items()
    }
    return arrays, found["progress"]


def make(name):
    run, data = HERE / name, KERAS / "pairs.txt" if name == "keras" else HERE / "pairs.txt"
    shutil.rmtree(run, ignore_errors=True)
    data = os.path.relpath(data, HERE)
    if name == "keras":
        module = ["-m", "s2s_jax.keras"]
        run_script("", "import", KERAS / "spaces.keras", "--data", data, "--num-samples", 24,
                   "--out", name, module=module)  # fmt: skip
    elif name == "words":
        stop_in_an_epoch(run, "--data", data, *SMALL, *RUNS[name])
    else:
        run_script("train.py", "--data", data, "--out", name, *SMALL, *RUNS[name])
    sources = [line.split("\t")[0] for line in (HERE / data).read_text("utf-8").splitlines()]
    texts = [*dict.fromkeys(sources), "", "he eat.", "Tom."]

    def answers(folder):
        return run_script("decode.py", "--checkpoint", folder, "--", *texts).splitlines()

    import numpy as np

    expected = {"texts": texts, "answers": answers(run)}
    with tempfile.TemporaryDirectory() as folder:
        resumed = shutil.copytree(run, Path(folder) / name)
        epochs = state(run)[1]["epoch"] + 1
        again = ["--data", data, "--out", resumed, "--resume", "--epochs", epochs]
        if (run / "evaluation.json").exists():  # A finished run goes on for so many more.
            again = [*again[:-1], 1]
        run_script("train.py", *again)
        arrays, record = state(resumed)
        expected |= {"epochs": epochs, "step": record["step"], "history": record["history"]}
        expected["resumed_answers"] = answers(resumed)
        np.savez_compressed(run / "expected.npz", **arrays)
    (run / "expected.json").write_text(json.dumps(expected, ensure_ascii=False), encoding="utf-8")
    with tarfile.open(HERE / f"{name}.tar.gz", "w:gz") as archive:
        archive.add(run, name)
    shutil.rmtree(run)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        make(wanted)
