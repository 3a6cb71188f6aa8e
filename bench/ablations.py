"""What each part of the recipe `translator` gives at equal time.

    python bench/ablations.py --data fra.txt --seconds 120

Each variation is trained for so many seconds of wall time, compilation included, in a process of
its own, and judged on sources that it never saw. Since the time ends where it ends, the
learning rate is constant after the warm-up, and an average of the parameters (`--ema`) takes the
place of the cosine. The table goes into RESULTS.md.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from processes import HERE, Failed, run
from report import (
    Grid,
    conditions,
    conditions_text,
    markdown,
    number,
    rich_table,
    shown_command,
    with_problems,
    write_section,
)
from translator import prepare

VARIATIONS = {
    "all of it": {},
    "no attention": {"attention": "none", "attention_heads": 1, "attend_embeddings": False},
    "one head": {"attention_heads": 1},
    "attention to the encoder's outputs alone": {"attend_embeddings": False},
    "one direction": {"bidirectional": False},
    "characters": {"tokens": "char"},
    "subword sampling": {"subword_sampling": 0.1},
    "no label smoothing": {"label_smoothing": 0.0},
    "no dropout": {"dropout": 0.0},
    "no averaging": {"ema": 0.0},
}
BEAM = 5


def measure(name, train_file, validation_file, seconds):
    """Trains one variation in this process, until the time is over, and judges it."""
    from s2s_jax import Translator, train
    from s2s_jax.data.corpus import read_pairs
    from s2s_jax.evaluation.metrics import translation_metrics
    from s2s_jax.training.run import TrainingInterrupted

    references = {}
    for source, target in read_pairs(Path(validation_file)).pairs:
        references.setdefault(source, []).append(target)
    settings = {"schedule": "constant", "learning_rate": 4e-3, "ema": 0.999, **VARIATIONS[name]}
    # As at Ctrl-C, training stops after a batch, and what was reached is saved. A shell that
    # starts a script in the background has SIGINT ignored, but not SIGTERM.
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    with tempfile.TemporaryDirectory() as folder:
        run_folder, epochs = Path(folder) / "run", []
        try:
            train(
                train_file, validation=validation_file, recipe="translator", epochs=10_000,
                out=run_folder, callbacks=[epochs.append], **settings,
            )  # fmt: skip
        except TrainingInterrupted:
            translator = Translator.load(run_folder, "latest")
    figures = {"step": translator.origins[0][1], "epochs": len(epochs)}
    for beam in (1, BEAM):
        scores = translation_metrics(
            translator(list(references), beam=beam), list(references.values())
        )
        figures |= {f"{score}_{beam}": scores[score].score for score in ("chrf", "bleu")}
    return figures


def table(results, names):
    """The grid of what was measured so far."""
    rows = []
    for name in names:
        found = results.get(name) or {}
        rows.append(
            (
                name,
                number(found.get("step")),
                number(found.get("epochs")),
                *(
                    number(found.get(f"{score}_{beam}"), 1)
                    for beam in (1, BEAM)
                    for score in ("chrf", "bleu")
                ),
            )
        )
    beam = f"beam {BEAM}"
    headings = ("", "updates", "whole epochs", "chrF, greedy", "BLEU", f"chrF, {beam}", "BLEU")
    return Grid("The translator without each of its parts, at equal time", headings, rows)


def main():
    """Measures all variations, or one of them and prints a JSON object."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", required=True, help="fra.txt of manythings.org/anki")
    p.add_argument("--num-samples", type=int, default=0, metavar="N", help="0 for all")
    p.add_argument("--seconds", type=float, default=120, help="of training, for each")
    p.add_argument("--only", nargs="+", choices=VARIATIONS, default=list(VARIATIONS))
    p.add_argument("--results", type=Path, default=HERE / "RESULTS.md")
    p.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    flags = p.parse_args()
    if flags.measure:
        print(json.dumps(measure(*flags.measure, flags.seconds)))
        return
    facts = conditions(shown_command("bench/ablations.py", sys.argv[1:]))
    results, problems = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        parts = prepare(flags, Path(folder))
        for name in flags.only:
            print(f"ablations: {name}", file=sys.stderr, flush=True)
            command = [HERE / "ablations.py", "--data", flags.data, "--seconds", flags.seconds]
            cache = {"S2S_JAX_CACHE": f"{folder}/{name}"}  # Each compiles all that it needs.
            try:
                done = run([*command, "--measure", name, parts.train, parts.validation], cache)
                results[name] = done.records[-1]
            except Failed as error:
                problems[name] = f"failed: {error}"
            grid = with_problems(table(results, flags.only), problems)
            write_section(flags.results, "ablations", markdown(grid, conditions_text(facts)))
    Console(width=max(Console().width, 100)).print(rich_table(grid))


if __name__ == "__main__":
    main()
