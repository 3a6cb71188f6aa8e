"""What several tests share: a tiny corpus, random pairs, and the scripts as a user runs them."""

import contextlib
import logging
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from s2s_jax.data.batching import Examples
from s2s_jax.data.vocabulary import Vocabulary

ROOT = Path(__file__).resolve().parents[2]

# Targets of two lengths only: two shapes to compile.
PAIRS = [
    (f"{subject} {verb}.", f"{sujet} {verbe}.")
    for subject, sujet in (("He", "Il"), ("She", "Elle"), ("Tom", "Thom"), ("Mary", "Mary"))
    for verb, verbe in (
        ("eats", "mange"),
        ("sleeps", "somme"),
        ("runs", "court"),
        ("talks", "parle"),
        ("thinks", "pense"),
    )
]


def write_pairs(path: Path, pairs=PAIRS) -> Path:
    """A data file of pairs."""
    path.write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    return path


def run_script(script, *arguments, cwd, stdin="", timeout=120, **options):
    """train.py or decode.py as a user runs them, from another folder."""
    return subprocess.run(
        [sys.executable, str(ROOT / script), *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
        **options,
    )


# The tutorial's recipe, since few pairs have another, which holds none of them out.
SMALL = ["--recipe", "tutorial", "--latent-dim", 32, "--batch-size", 4, "--optimizer", "adam"]
SMALL += ["--learning-rate", 0.02]


def draw(pairs, seed):
    """Random pairs of few lengths, so that few shapes are compiled."""
    rng = np.random.default_rng(seed)
    return Examples(
        [rng.integers(4, 12, rng.choice([1, 3, 5])).astype(np.int32) for _ in range(pairs)],
        [rng.integers(4, 14, rng.choice([1, 6])).astype(np.int32) for _ in range(pairs)],
    )


@contextlib.contextmanager
def compilations(caplog):
    """A list that, at the end, holds the names of the functions compiled inside."""
    names = []
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        yield names
    for record in caplog.records:
        names += re.findall(r"^Compiling (?:jit\()?(\w+)", record.getMessage())


def greedy_by_definition(translator, text, limit):
    """The answer to a text by chained decode steps, of at most `limit` symbols."""
    model, variables = translator.model, {"params": translator.params}
    encode, step = (
        jax.jit(lambda *state, view=view: model.apply(variables, *state, method=view))
        for view in ("encode", "decode_step")
    )
    ids = jnp.asarray(translator.run.source_vocabulary.encode(text))[None]
    carry, memory = encode(ids, ids > 0)
    token, written = jnp.array([Vocabulary.bos_id]), []
    while len(written) < limit:
        carry, logits = step(carry, memory, token)
        allowed = np.asarray(logits[0]).copy()
        allowed[[Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id]] = -np.inf
        token = jnp.array([allowed.argmax()])
        if token[0] == Vocabulary.eos_id:
            break
        written.append(token[0])
    return translator.run.target_vocabulary.decode(written)
