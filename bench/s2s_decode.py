"""Decoding with s2s_jax as a library: the task that all programs share, and our own speed at it.

    python bench/s2s_decode.py checkpoints/fra --write-task task --data fra.txt
    python bench/s2s_decode.py checkpoints/fra --task task --seconds 10

The task is a folder: `task.json` holds the sentences, their ids and our answers, `weights.npz`
the parameters, so that peers decode the same sentences with the same model.
"""

import argparse
import json
import random
import time
from pathlib import Path

import numpy as np

from s2s_jax import Translator


def write_task(translator, folder, data, num_samples, sentences):
    """Distinct sources of the data, drawn at random, with our answers to them."""
    with open(data, encoding="utf-8") as file:
        lines = file.read().split("\n")[: num_samples or None]
    texts = sorted({line.split("\t")[0] for line in lines if "\t" in line})
    random.Random(0).shuffle(texts)
    texts = texts[:sentences]
    encode = translator.run.source_encoder.encode
    answers = translator(texts, beam=1)
    task = {
        "texts": texts,
        "rows": [encode(text).tolist() for text in texts],
        "symbols": list(translator.run.target_vocabulary.symbols),
        "max_length": translator.run.config.max_length,
        "answers": answers,
    }
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    weights = {}
    for side in ("encoder", "decoder"):
        params = translator.params[side]
        weights[f"{side}_kernel"] = params["inputs"]["kernel"]
        weights[f"{side}_bias"] = params["inputs"]["bias"]
        weights[f"{side}_recurrent_kernel"] = params["cell"]["recurrent_kernel"]
    output = translator.params["decoder"]["output"]
    weights |= {"output_kernel": output["kernel"], "output_bias": output["bias"]}
    np.savez(folder / "weights.npz", **{name: np.asarray(w) for name, w in weights.items()})


def measure(translator, texts, seconds, **options):
    """Milliseconds for one sentence and sentences a second in bulk, both warm."""
    answers = translator(texts, **options)  # Compiles; so does one sentence.
    translator(texts[:1], **options)
    times, begun = [], time.perf_counter()
    for text in texts:
        start = time.perf_counter()
        translator([text], **options)
        times.append(time.perf_counter() - start)
        if time.perf_counter() - begun > seconds:
            break
    passes, begun = 0, time.perf_counter()
    while not passes or time.perf_counter() - begun < seconds:
        translator(texts, **options)
        passes += 1
    rate = passes * len(texts) / (time.perf_counter() - begun)
    return {"one_ms": float(np.mean(times)) * 1e3, "sentences_per_second": rate, "answers": answers}


def main():
    """Writes the task, or measures and prints one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("--write-task", type=Path)
    parser.add_argument("--task", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--num-samples", type=int, default=10_000)
    parser.add_argument("--sentences", type=int, default=2048)
    parser.add_argument("--seconds", type=float, default=10)
    flags = parser.parse_args()
    translator = Translator.load(flags.checkpoint)
    if flags.write_task:
        write_task(translator, flags.write_task, flags.data, flags.num_samples, flags.sentences)
    else:
        task = json.loads((flags.task / "task.json").read_text(encoding="utf-8"))
        print(json.dumps(measure(translator, task["texts"], flags.seconds)))


if __name__ == "__main__":
    main()
