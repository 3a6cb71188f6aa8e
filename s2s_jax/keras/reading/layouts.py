"""Where the weights of a layer stand in an HDF5 file of Keras, and how they are read.

Links out of the file are not followed, and no array is read that the file does not hold.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

WEIGHTED = (
    "Embedding", "LSTM", "CuDNNLSTM", "Bidirectional", "Dense", "TimeDistributed", "Attention",
    "MultiHeadAttention",
)  # fmt: skip
"""Layers that may have weights."""

_ARCHIVED = {
    "TimeDistributed": "time_distributed",
    "MultiHeadAttention": "multi_head_attention",
}
_INSIDE = {
    "LSTM": ("cell/vars",),
    "TimeDistributed": ("layer/vars",),
    "Bidirectional": ("forward_layer/cell/vars", "backward_layer/cell/vars"),
    "MultiHeadAttention": tuple(
        f"{part}_dense/vars" for part in ("query", "key", "value", "output")
    ),
}

_GROUPS = ("layers", "_layer_checkpoint_dependencies")  # Of Keras 3 and of tf.keras 2.12.
# A layer by the names of its weights, where no configuration says what it is.
_WEIGHT_NAMES = {
    ("embeddings",): "Embedding",
    ("kernel", "recurrent_kernel", "bias"): "LSTM",
    ("kernel", "bias"): "Dense",
}


class LegacyLayout(NamedTuple):
    """`.h5` of `model.save` and, before Keras 3, of `save_weights`.

    Weights are named by an attribute of their layer's group.
    """

    file: Any

    @property
    def root(self) -> str:
        """The group that holds the layers."""
        return "model_weights" if "model_weights" in self.file else ""

    def kinds(self) -> dict[str, str]:
        """The class of every layer by its name, as far as the names of the weights tell it."""
        group = member(self.file, self.root)
        layers = [text(name) for name in group.attrs.get("layer_names", sorted(group))]
        return {layer: self._kind(layer) for layer in layers}

    def _kind(self, layer: str) -> str:
        names = self._weight_names(layer)
        if not names:
            return "Masking" if "masking" in layer else "InputLayer"
        kinds = tuple(re.sub(r":\d+$", "", name).rsplit("/", 1)[-1] for name in names)
        kind = _WEIGHT_NAMES.get(kinds, f"a layer of {len(names)} weights")
        if kind == "LSTM":
            (units, gates), (biases,) = (
                member(self.file, f"{self.root}/{layer}/{name}").shape for name in names[1:]
            )
            kind = {4 * units: "LSTM", 3 * units: "GRU"}.get(gates, "SimpleRNN")
            kind = "CuDNNLSTM" if kind == "LSTM" and biases == 8 * units else kind
        return kind

    def _weight_names(self, layer: str) -> list[str]:
        group = member(self.file, f"{self.root}/{layer}")
        return [text(name) for name in group.attrs.get("weight_names", ())]

    def names(self, kinds: Mapping[str, str]) -> dict[str, list[str]]:
        """Paths of the weights of each layer that has any."""
        return {
            layer: [f"{self.root}/{layer}/{name}" for name in self._weight_names(layer)]
            for layer, kind in kinds.items()
            if kind in WEIGHTED
        }


class ArchiveLayout(NamedTuple):
    """`.weights.h5`, alone or in a `.keras` archive.

    A layer is named by its class and its turn, whatever its own name.
    """

    file: Any

    @staticmethod
    def fits(file: Any) -> bool:
        """Whether a file has this layout; otherwise it has the other."""
        return any(group in file for group in _GROUPS)

    @property
    def root(self) -> str:
        """The group that holds the layers."""
        return next((group for group in _GROUPS if group in self.file), _GROUPS[0])

    def kinds(self) -> dict[str, str]:
        """The class of every layer by its name."""
        kinds = {}
        turns = sorted(member(self.file, self.root), key=lambda key: (len(key), key))
        for key in turns:
            kind = re.sub(r"_\d+$", "", key)
            known = {_archived(name): name for name in ("Masking", *WEIGHTED)}
            if kind == "dropout" or (kind not in known and not self._holds_weights(key)):
                continue
            group = self.file.get(f"{self.root}/{key}/vars")
            name = key if group is None else text(group.attrs.get("name", key))
            kinds[name] = known.get(kind, kind)
        return kinds

    def _holds_weights(self, key: str) -> bool:
        found: list[str] = []
        member(self.file, f"{self.root}/{key}").visititems(
            lambda name, item: found.append(name) if hasattr(item, "shape") else None
        )
        return bool(found)

    def names(self, kinds: Mapping[str, str]) -> dict[str, list[str]]:
        """Paths of the weights of each layer that has any."""
        turns: Counter[str] = Counter()
        names = {}
        for layer, kind in kinds.items():
            if kind not in WEIGHTED:
                continue
            key = _archived(kind) + (f"_{turns[kind]}" if turns[kind] else "")
            turns[kind] += 1
            group = member(self.file, f"{self.root}/{key}/vars")
            if text(group.attrs.get("name", layer)) != layer:
                found = shown(text(group.attrs["name"]), 40)
                raise UserError(
                    f"expected the weights of {shown(layer, 40)!r} in {key}, not {found}."
                )
            groups = [f"{self.root}/{key}/{inside}" for inside in _INSIDE.get(kind, ("vars",))]
            names[layer] = [
                f"{inside}/{i}" for inside in groups for i in range(len(member(self.file, inside)))
            ]
        return names


def _archived(kind: str) -> str:
    """The name of the first layer of a class in an archive."""
    return _ARCHIVED.get(kind, kind.lower())


def read_array(file: Any, name: str, size: int) -> np.ndarray:
    """One weight, float32, of an HDF5 file that takes `size` bytes.

    Raises:
      UserError: if it has another type, or takes more or less of the file than it should.
    """
    dataset = member(file, name)
    if getattr(dataset, "dtype", None) != np.float32:
        found = getattr(dataset, "dtype", "a group")
        raise UserError(f"{shown(name)} was expected to be float32; found {found}.")
    # Keras stores arrays as they are; one that fills itself in on reading may be of any size.
    stored = dataset.id.get_storage_size()
    if stored != dataset.nbytes or stored > size or dataset.external:
        raise UserError(
            f"{shown(name)} was expected to take {dataset.nbytes} bytes in the file; found "
            f"{stored} of {size}; save the model with Keras again."
        )
    return dataset[()]


def member(group: Any, path: str) -> Any:
    """What a path names inside the file itself: links that lead elsewhere are not followed."""
    import h5py

    for name in _parts(path):
        link = group.get(name, getlink=True) if isinstance(group, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            raise UserError(f"expected {shown(path)} in the file; found none.")
        group = group[name]
    return group


def _parts(path: str) -> Iterator[str]:
    return (part for part in path.split("/") if part not in ("", "."))


def text(value: Any) -> str:
    """A name as HDF5 stores it, in either of its types."""
    return value.decode() if isinstance(value, bytes) else str(value)
