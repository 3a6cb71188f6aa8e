"""Files as Keras writes them, made with h5py alone."""

import json

import h5py
import numpy as np
from s2s_keras_tutorial import FIXTURE

# As many as the tutorial's slice of fra.txt has: 71 and 90, with the tab and the newline.
SOURCE_CHARACTERS = [chr(0x21 + i) for i in range(71)]
TARGET_CHARACTERS = [chr(0x21 + i) for i in range(88)]


def write_tutorial_data(path, pairs=12):
    """Lines that hold these characters and no others."""
    rng = np.random.default_rng(0)
    lines = []
    for i in range(pairs):
        sides = [
            SOURCE_CHARACTERS[i::pairs] + list(rng.choice(SOURCE_CHARACTERS, 8)),
            TARGET_CHARACTERS[i::pairs] + list(rng.choice(TARGET_CHARACTERS, 12)),
        ]
        lines.append("\t".join("".join(side) for side in sides) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return path


def write_tutorial_model(path, units=256):
    """An untrained model of the tutorial's size: 71 and 90 characters, 256 units."""
    sizes = {"lstm": (71, 4 * units), "lstm_1": (90, 4 * units), "dense": (units, 90)}
    rng = np.random.default_rng(1)
    with h5py.File(FIXTURE / "tutorial.h5") as fixture, h5py.File(path, "w") as file:
        config = json.loads(fixture.attrs["model_config"])
        for layer in config["config"]["layers"]:
            if layer["class_name"] == "LSTM":
                layer["config"]["units"] = units
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = fixture.attrs["keras_version"]
        for layer, shape in sizes.items():
            group = file.create_group(f"model_weights/{layer}")
            arrays = {"kernel": shape, "bias": shape[1:]}
            if layer != "dense":
                arrays = {"kernel": shape, "recurrent_kernel": (units, 4 * units),
                          "bias": shape[1:]}  # fmt: skip
            for name, size in arrays.items():
                group[f"{layer}/{name}"] = rng.normal(0, 0.05, size).astype("f4")
            group.attrs["weight_names"] = [f"{layer}/{name}" for name in arrays]
    return path
