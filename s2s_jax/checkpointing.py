"""One step of a run: parameters, optimizer state and progress, saved and restored by orbax.

Arrays are saved as NumPy, so that a run restores on any device, and with a SHA-256 each, since
orbax returns flipped bits as values without an exception. A step's name is the number of
optimizer steps done; `steps` is about which of them there are.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from s2s_jax.errors import UserError
from s2s_jax.integrity import check_sizes, hash_of_json, hashes_of_arrays
from s2s_jax.losses import Sums

logging.getLogger("absl").setLevel(logging.ERROR)  # 59 lines a save otherwise.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # Repeats what a failed read raises.


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run has come; with the seed, all that the order of the batches depends on.

    Attributes:
      step: optimizer steps done.
      epoch: epochs completed.
      batch: batches done of the epoch after that (0 at an epoch's end).
      sums: loss, right answers and tokens of those batches.
      skipped: those batches whose loss or gradient was not finite, and which changed nothing.
      skipped_in_row: the last so many batches were skipped, those of earlier epochs included.
      seconds: training time of those batches.
      history: the metrics of each completed epoch, as in `metrics.jsonl`.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    sums: Sums = Sums(0.0, 0.0, 0.0)
    skipped: int = 0
    skipped_in_row: int = 0
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()


def save_step(
    manager: ocp.CheckpointManager,
    params: Any,
    opt_state: Any,
    progress: Progress,
    val_loss: float | None,
) -> None:
    """Saves one step, unless that very step is there already.

    `val_loss` is None in the middle of an epoch and without a validation part.
    """
    if manager.latest_step() == progress.step:
        return
    saved = {"params": _to_saved(params), "opt_state": _to_saved(opt_state)}
    record = dataclasses.asdict(progress) | {"sums": [float(x) for x in progress.sums]}
    record["val_loss"] = val_loss
    record["hashes"] = {item: hashes_of_arrays(arrays) for item, arrays in saved.items()}
    record["hashes"]["progress"] = hash_of_json(record)
    manager.save(
        progress.step,
        args=ocp.args.Composite(
            # Orbax refuses an empty item; plain SGD keeps no state.
            **{item: ocp.args.StandardSave(arrays) for item, arrays in saved.items() if arrays},
            progress=ocp.args.JsonSave(record),
        ),
    )


def restore_params(manager: ocp.CheckpointManager, step: int, like: Any) -> Any:
    """The parameters of a step, NumPy arrays in a tree like `like` (shapes or arrays).

    Raises:
      UserError: when the step is damaged or of another shape.
    """
    return _restore(manager, step, {"params": like})["params"]


def restore_state(
    manager: ocp.CheckpointManager, step: int, params: Any, opt_state: Any
) -> tuple[Any, Any, Progress]:
    """Parameters, optimizer state and progress of a step, in trees like those given.

    Raises:
      UserError: when the step is damaged or of another shape.
    """
    restored = _restore(manager, step, {"params": params, "opt_state": opt_state})
    return restored["params"], restored["opt_state"], restored["progress"]


def read_val_loss(manager: ocp.CheckpointManager, step: int) -> float | None:
    """The validation loss that a step was saved with.

    Raises:
      UserError: when the step is damaged.
    """
    with _naming_damage(manager, step):
        return _read_record(manager, step)["val_loss"]


@contextlib.contextmanager
def _naming_damage(manager: ocp.CheckpointManager, step: int) -> Iterator[None]:
    """Turns whatever damaged files raise into a `UserError`."""
    try:
        yield
    # Orbax and tensorstore raise bare Exception, ValueError, KeyError, ... on damaged files.
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(f"step {step} in {manager.directory} is damaged ({reason}).") from None


def _read_record(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """What was saved beside the arrays, checked against its hash."""
    arguments = ocp.args.Composite(progress=ocp.args.JsonRestore())
    record = manager.restore(step, args=arguments)["progress"]
    if record["hashes"].pop("progress") != hash_of_json(record):
        raise ValueError("progress differs from what was saved")
    if record["step"] != step:
        raise ValueError(f"it is a copy of step {record['step']}")
    return record


def _restore(manager: ocp.CheckpointManager, step: int, like: Mapping[str, Any]) -> dict[str, Any]:
    """The items of `like` in trees like its values, and "progress"; all are checked."""
    with _naming_damage(manager, step):
        record = _read_record(manager, step)
        hashes = record.pop("hashes")
        del record["val_loss"]
        record |= {"sums": Sums(*record["sums"]), "history": tuple(record["history"])}
        restored = {"progress": Progress(**record)}
        for item, tree in like.items():
            wanted = _described(tree)
            saved = {}
            if wanted:
                check_sizes(Path(manager.directory) / str(step) / item, wanted)
                arguments = ocp.args.Composite(**{item: ocp.args.StandardRestore()})
                saved = manager.restore(step, args=arguments)[item]
            if hashes_of_arrays(saved) != hashes[item]:
                raise ValueError(f"{item} differ from what was saved")
            treedef = jax.tree.structure(tree)
            restored[item] = jax.tree.unflatten(treedef, [saved[name] for name in wanted])
        return restored


def _described(tree: Any) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """The shape and the dtype of each leaf, by its path, in the tree's order."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(path): (tuple(leaf.shape), np.dtype(leaf.dtype)) for path, leaf in leaves}


def _to_saved(tree: Any) -> dict[str, np.ndarray]:
    """A pytree as a flat dictionary of NumPy arrays, named by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.device_get(tree))
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
