"""Pronouncers beside yoyodyne's attentive LSTM: the same words, the same wall time.

    python bench/pronouncers.py g2p --yoyodyne-python yoyovenv/bin/python

Each language is trained by `train.py --recipe transducer`, and then yoyodyne for as long as that
took from process start to end; its own start does not count. Both hold a twentieth of the words of
`<language>_train.tsv` out to choose by: the epoch with the fewest wrong answers. Yoyodyne's layers
have the sizes of the recipe, with Adam at its usual rate. `<language>_dev.tsv` is read at the end
alone; an answer is wrong unless it is one of the word's references. The table goes into RESULTS.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from processes import HERE, ROOT, run, version_of
from report import (
    Grid,
    conditions,
    conditions_text,
    markdown,
    rich_table,
    shown_command,
    write_section,
)
from translator import divide, read_pairs

BEAM = 5


def ours(folder, language, work):
    """The share of wrong answers, and the seconds of training."""
    train = ["--data", folder / f"{language}_train.tsv", "--recipe", "transducer"]
    done = run([ROOT / "train.py", *train, "--out", work / "run"], {"S2S_JAX_CACHE": str(work)})
    judge = ["--evaluate", folder / f"{language}_dev.tsv", "--beam", BEAM, "--json"]
    judged = run([ROOT / "decode.py", "--checkpoint", work / "run", *judge])
    return judged.records[0]["sequence_error_rate"], done.seconds


def configuration(work, parts, seconds):
    """As yoyodyne's configuration file holds it."""
    return {
        "seed_everything": 0,
        "trainer": {
            "max_time": {"seconds": round(seconds)}, "max_epochs": 10_000, "accelerator": "cpu",
            "gradient_clip_val": 1.0, "enable_progress_bar": False,
        },
        "model": {
            "class_path": "yoyodyne.models.SoftAttentionLSTMModel",
            "init_args": {
                "source_encoder": {
                    "class_path": "yoyodyne.models.modules.LSTMEncoder",
                    "init_args": {"dropout": 0.3, "embedding_size": 128, "hidden_size": 128},
                },
                "decoder_dropout": 0.3, "decoder_hidden_size": 256, "embedding_size": 128,
                "label_smoothing": 0.1,
                "optimizer": {
                    "class_path": "yoyodyne.optimizers.Adam", "init_args": {"lr": 1e-3},
                },
            },
        },
        "data": {
            "model_dir": str(work / "model"), "train": str(parts.train),
            "val": str(parts.validation), "predict": str(work / "words.tsv"),
            "source_sep": "", "target_sep": " ", "batch_size": 32,
        },
        "checkpoint": {
            "dirpath": str(work / "steps"), "filename": "best", "mode": "max",
            "monitor": "val_accuracy",
        },
        "prediction": {"path": str(work / "answers.txt")},
    }  # fmt: skip


def yoyodyne(folder, language, work, python, seconds):
    """The share of wrong answers after so many seconds of training."""
    pairs = read_pairs(folder / f"{language}_train.tsv")
    parts = divide(pairs, len({word for word, _ in pairs}) // 20, work)
    references = {}
    for word, sounds in read_pairs(folder / f"{language}_dev.tsv"):
        references.setdefault(word, set()).add(sounds)
    (work / "words.tsv").write_text("".join(f"{word}\t\n" for word in references), "utf-8")
    (work / "config.yaml").write_text(json.dumps(configuration(work, parts, seconds)), "utf-8")
    for command in (["fit"], ["predict", "--ckpt_path", work / "steps" / "best.ckpt"]):
        call = [Path(python).with_name("yoyodyne"), *command, "--config", work / "config.yaml"]
        done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=work)
        if done.returncode:
            sys.exit(f"{language}: yoyodyne failed\n{done.stderr}")
    answers = (work / "answers.txt").read_text("utf-8").splitlines()
    right = [a in references[word] for word, a in zip(references, answers, strict=True)]
    return 1 - sum(right) / len(right)


def main():
    """Measures the languages asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="of <language>_train.tsv and _dev.tsv")
    parser.add_argument("--languages", nargs="+", default=["ady", "arm", "bul"])
    parser.add_argument("--yoyodyne-python", required=True, help="the Python that has yoyodyne")
    parser.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    flags = parser.parse_args()
    facts = conditions(shown_command("bench/pronouncers.py", sys.argv[1:]))
    for package in ("yoyodyne", "torch"):
        facts["versions"] |= version_of(package, flags.yoyodyne_python)
    rows = []
    for language in flags.languages:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            rate, seconds = ours(flags.folder, language, work)
            other = yoyodyne(flags.folder, language, work, flags.yoyodyne_python, seconds)
        rows.append((language, f"{rate:.1%}", f"{other:.1%}", f"{seconds:.0f}"))
        print(f"{language}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
        table = Grid(
            "Pronouncers",
            ("language", "s2s_jax, wrong", "yoyodyne, wrong", "seconds of training, each"),
            rows,
            ("One run of each; answers to `_dev.tsv`, s2s_jax with a beam of 5, yoyodyne greedy.",),
        )
        write_section(flags.results, "pronouncers", markdown(table, conditions_text(facts)))
    Console(width=100).print(rich_table(table))


if __name__ == "__main__":
    main()
