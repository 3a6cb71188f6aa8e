"""Beam search with s2s_jax: the task that both programs share, and our own speed at it.

    python bench/s2s_beam.py checkpoints/translator --write-task task --data fra.txt
    python bench/s2s_beam.py checkpoints/translator --task task --seconds 10 --beam 5

The task is a folder as that of `s2s_decode.py`, for a model with attention; answers are ids.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
from flax.traverse_util import flatten_dict

from s2s_decode import measure
from s2s_jax import Translator
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.batches import decode_rows
from s2s_jax.decoding.config import DecodeConfig


def write_task(translator, folder, data, num_samples, sentences, beam):
    """Distinct sources of the data, drawn at random, with our answers to them."""
    lines = Path(data).read_text("utf-8").split("\n")[: num_samples or None]
    texts = sorted({line.split("\t")[0] for line in lines if "\t" in line})
    texts = random.Random(0).sample(texts, min(sentences, len(texts)))
    run = translator.run
    task = {
        "texts": texts,
        "rows": [run.source_encoder.encode(text).tolist() for text in texts],
        "max_length": run.config.max_length,
        "length_penalty": translator.searching(beam=beam).length_penalty,
    }
    task["answers"] = answer_ids(translator, task, beam)
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    params = flatten_dict(translator.params, sep="/")
    np.savez(folder / "weights.npz", **{name: np.asarray(leaf) for name, leaf in params.items()})


def answer_ids(translator, task, beam):
    """The best answers in ids, without the end."""
    rows = [np.array(row, np.int32) for row in task["rows"]]
    config = DecodeConfig(beam=beam, length_penalty=task["length_penalty"])
    found = decode_rows(
        translator.model, translator.params, rows, config, task["max_length"],
        mesh=translator.mesh,
    )  # fmt: skip
    ends = (Vocabulary.eos_id, Vocabulary.pad_id)
    return [[int(i) for i in best.ids if i not in ends] for best, *_ in found]


def main():
    """Writes the task, or measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--write-task", type=Path)
    parser.add_argument("--task", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--num-samples", type=int, default=0)
    parser.add_argument("--sentences", type=int, default=2048)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    flags = parser.parse_args()
    translator = Translator.load(flags.checkpoint)
    if flags.write_task:
        write_task(
            translator, flags.write_task, flags.data, flags.num_samples, flags.sentences,
            flags.beam,
        )  # fmt: skip
    else:
        task = json.loads((flags.task / "task.json").read_text(encoding="utf-8"))
        options = {"beam": flags.beam, "length_penalty": task["length_penalty"]}
        found = measure(translator, task["texts"], flags.seconds, **options)
        print(json.dumps(found | {"answers": answer_ids(translator, task, flags.beam)}))


if __name__ == "__main__":
    main()
