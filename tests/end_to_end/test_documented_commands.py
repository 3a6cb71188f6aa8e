"""Every command that the README and the docs print, run as it is typed, on data of a user's size.

Training is cut to one epoch; nothing else is changed.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import islice

import pytest
from s2s_testing import ROOT

from s2s_jax.data.embedded import embedded_pairs

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
RUN = ("python train.py", "python decode.py", "python -m s2s_jax", "python examples/")
TRIED_ELSEWHERE = {
    r"python3 -m venv|pip install|uv run": "the suite itself is run in such an environment",
    r"python bench/": "tests/test_bench.py",
    r"python tests/helpers/": "figures of long runs",
    r"s2s-\w+": "tests/test_packaging.py",
    r"sphinx-build": "tests/test_docs.py",
    r"--web": "tests/serving/web/test_server.py",
    r"--mlflow": "tests/pictures/test_tracking.py",
    r"examples/search\.py": "tests/examples/test_examples.py",
    r"words\.h5": "tests/keras/test_keras_documentation.py",
}
PAIRS = 10_500  # As many as the tutorial reads, and some more.


def printed_commands():
    """The command lines in the pages' blocks, each once, without what is said of them."""
    found = {}
    for page in PAGES:
        for block in re.findall(
            r"^```(?:sh|console|bash)?\n(.*?)^```", page.read_text("utf-8"), re.S | re.M
        ):
            for line in block.replace("\\\n", " ").splitlines():
                command = re.split(r"\s+#\s", line)[0].strip()
                if re.match(r"(\S+ -f \S+ \| )?(python3?|pip|uv|s2s-\w+|sphinx-build)\b", command):
                    found[re.sub(r"^tail -f", "cat", command)] = page.name
    return found


def elsewhere(command):
    return any(re.search(pattern, command) for pattern in TRIED_ELSEWHERE)


def test_every_printed_command_is_run_here_or_elsewhere():
    commands = printed_commands()
    assert len(commands) > 15
    for command in commands:
        assert elsewhere(command) or command.removeprefix("cat log.txt | ").startswith(RUN), command


def prepare(folder):
    """A clone as a user has it, with the files that the commands name."""
    for name in ("train.py", "decode.py", "s2s_jax", "examples"):
        (folder / name).symlink_to(ROOT / name)
    pairs = list(islice(embedded_pairs(7), PAIRS))
    lines = [f"{source}\t{target}\n" for source, target in pairs]
    for name in ("fra.txt", "cmn.txt", "fra.tsv", "my.tsv"):
        (folder / name).write_text("".join(lines), "utf-8")
    (folder / "pairs.txt").write_text("".join(lines[:20]), "utf-8")
    sofas = "".join(f"{number} sofas.\tソファー{number}。\n" for number in range(1, 99))
    (folder / "sofa.tsv").write_text(sofas, "shift_jis")
    for name, part in (
        ("train", pairs[:2000]),
        ("dev", pairs[2000:2100]),
        ("test", pairs[2100:2200]),
    ):
        (folder / f"{name}.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in part), "utf-8")
        for side, language in enumerate(("en", "fr")):
            texts = "".join(f"{pair[side]}\n" for pair in part)
            (folder / f"{name}.{language}").write_text(texts, "utf-8")
    (folder / "g2p").mkdir()
    for path in ("words.tsv", "names.tsv", "spelling.tsv", "g2p/en_train.tsv", "g2p/en_dev.tsv"):
        words = {word.lower() for source, _ in pairs[:200] for word in source.split()}
        (folder / path).write_text("".join(f"{w}\t{' '.join(w)}\n" for w in sorted(words)), "utf-8")
    sources = "".join(f"{source}\n" for source, _ in pairs[:20])
    for name in ("sentences.txt", "in.txt", "log.txt"):
        (folder / name).write_text(sources, "utf-8")
    return folder


def as_tried(command):
    """The command for this interpreter, with one epoch of training, in place of what was there."""
    words = shlex.split(command, posix=True)
    if "train.py" in words:
        command += "" if "--epochs" in words or "--summary" in words else " --epochs 1"
        command += "" if "--resume" in words or "--summary" in words else " --overwrite"
    if "examples/g2p.py" in words:
        command += " --epochs 1"
    return re.sub(r"\bpython\b", shlex.quote(sys.executable), command)


@pytest.mark.slow
@pytest.mark.timeout(2700)  # Some fifty processes, a third of which train.
def test_every_printed_command_does_what_it_should(tmp_path):
    folder = prepare(tmp_path)
    environment = {**os.environ, "COLUMNS": "79", "XLA_FLAGS": ""}
    for command, page in printed_commands().items():
        if elsewhere(command):
            continue
        if "s2s.h5" in command and not (folder / "s2s.h5").exists():
            shutil.copy(ROOT / "tests/keras/fixture/tutorial.h5", folder / "s2s.h5")
            # Its first 24 lines are what the fixture's model was trained on.
            pairs = (ROOT / "tests/keras/fixture/pairs.txt").read_text("utf-8").splitlines(True)
            (folder / "fra.txt").write_text("".join(pairs[:24]), "utf-8")
        done = subprocess.run(
            as_tried(command), shell=True, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{page}: {command}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stderr, f"{page}: {command}\n{done.stderr[-2000:]}"
