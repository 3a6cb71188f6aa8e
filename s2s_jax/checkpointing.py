"""The steps of a run: parameters, optimizer state and progress, kept by orbax.

Arrays are saved as NumPy, so that a run restores on any device, and with a SHA-256 each, since
orbax returns flipped bits as values without an exception. A step's name is the number of
optimizer steps done; the step of the best validation loss and the latest one are kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from s2s_jax.errors import UserError
from s2s_jax.losses import Sums
from s2s_jax.run_folder import STEPS

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
      seconds: training time of those batches.
      history: the metrics of each completed epoch, as in `metrics.jsonl`.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    sums: Sums = Sums(0.0, 0.0, 0.0)
    seconds: float = 0.0
    history: tuple[dict[str, Any], ...] = ()


@contextlib.contextmanager
def open_steps(folder: Path, *, writable: bool = False) -> Iterator[ocp.CheckpointManager]:
    """Orbax's manager of a run's steps; only the trainer asks for a writable one.

    Raises:
      UserError: when there is no step to read.
    """

    def val_loss(metrics: Mapping[str, float]) -> float:
        return metrics.get("val_loss", math.inf)

    best = checkpoint_managers.BestN(
        get_metric_fn=val_loss, reverse=True, n=1, keep_checkpoints_without_metrics=False
    )
    options = ocp.CheckpointManagerOptions(
        best_fn=val_loss,
        best_mode="min",
        preservation_policy=checkpoint_managers.AnyPreservationPolicy(
            [checkpoint_managers.LatestN(n=1), best]
        ),
        enable_async_checkpointing=False,
        create=writable,
        cleanup_tmp_directories=writable,
        read_only=not writable,
    )
    steps = (folder / STEPS).absolute()
    if not writable and not steps.is_dir():
        raise UserError(f"{folder} holds no finished step yet; let train.py reach its first save.")
    try:
        manager = ocp.CheckpointManager(steps, options=options)
    # Opening reads the metrics of every step, which may be damaged.
    except Exception as error:
        raise UserError(_damaged(steps, error)) from None
    with manager:
        if not writable and manager.latest_step() is None:
            raise UserError(
                f"{folder} holds no finished step yet; let train.py reach its first save."
            )
        yield manager


def find_step(manager: ocp.CheckpointManager, which: str | int) -> int:
    """The number of the step that "best", "latest" or a number asks for.

    "best" is the latest where training had no validation part.

    Raises:
      UserError: when there is no such step.
    """
    steps = manager.all_steps()
    if which == "latest":
        return manager.latest_step()
    if which == "best":
        best = manager.best_step()
        return manager.latest_step() if best is None else best
    if str(which) not in map(str, steps):
        kept = ", ".join(map(str, sorted(steps)))
        raise UserError(f"--step must be best, latest or one of {kept}; got {which}.")
    return int(which)


def save_step(
    manager: ocp.CheckpointManager,
    params: Any,
    opt_state: Any,
    progress: Progress,
    val_loss: float | None,
) -> None:
    """Saves one step, unless that very step is there already.

    `val_loss` is None in the middle of an epoch and without a validation part; such a step is
    kept only as the latest.
    """
    if manager.latest_step() == progress.step:
        return
    saved = {"params": _to_saved(params), "opt_state": _to_saved(opt_state)}
    record = dataclasses.asdict(progress) | {"sums": [float(x) for x in progress.sums]}
    record["hashes"] = {item: _hashes(arrays) for item, arrays in saved.items()}
    record["hashes"]["progress"] = _hash_of_record(record)
    manager.save(
        progress.step,
        args=ocp.args.Composite(
            # Orbax refuses an empty item; plain SGD keeps no state.
            **{item: ocp.args.StandardSave(arrays) for item, arrays in saved.items() if arrays},
            progress=ocp.args.JsonSave(record),
        ),
        metrics=None if val_loss is None else {"val_loss": val_loss},
    )


def restore_params(manager: ocp.CheckpointManager, step: int, like: Any) -> Any:
    """The parameters of a step, NumPy arrays in a tree like `like` (shapes or arrays).

    Raises:
      UserError: when the step is damaged or of another shape.
    """
    restored = _restore(manager, step, ["params"])
    return _like(like, restored["params"], manager, step)


def restore_state(
    manager: ocp.CheckpointManager, step: int, params: Any, opt_state: Any
) -> tuple[Any, Any, Progress]:
    """Parameters, optimizer state and progress of a step, in trees like those given.

    Raises:
      UserError: when the step is damaged or of another shape.
    """
    items = ["params"] + (["opt_state"] if jax.tree.leaves(opt_state) else [])
    restored = {"opt_state": {}} | _restore(manager, step, items)
    record = dict(restored["progress"])
    del record["hashes"]
    record |= {"sums": Sums(*record["sums"]), "history": tuple(record["history"])}
    return (
        _like(params, restored["params"], manager, step),
        _like(opt_state, restored["opt_state"], manager, step),
        Progress(**record),
    )


def _restore(manager: ocp.CheckpointManager, step: int, items: list[str]) -> dict[str, Any]:
    """The items and "progress" of a step, each array checked against its hash."""
    arguments = {item: ocp.args.StandardRestore() for item in items}
    try:
        composite = manager.restore(
            step, args=ocp.args.Composite(**arguments, progress=ocp.args.JsonRestore())
        )
        restored = {item: composite[item] for item in [*items, "progress"]}
        record = restored["progress"]
        hashes = record["hashes"]
        if hashes.pop("progress") != _hash_of_record(record):
            raise ValueError("progress differs from what was saved")
        for item in items:
            if _hashes(restored[item]) != hashes[item]:
                raise ValueError(f"{item} differ from what was saved")
    # Orbax and tensorstore raise bare Exception, ValueError, KeyError, ... on damaged files.
    except Exception as error:
        raise UserError(_damaged(f"step {step} in {manager.directory}", error)) from None
    return restored


def _damaged(what: Any, error: Exception) -> str:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return f"{what} is damaged ({reason}); use another --step, or a copy of the run."


def _to_saved(tree: Any) -> dict[str, np.ndarray]:
    """A pytree as a flat dictionary of NumPy arrays, named by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.device_get(tree))
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


def _like(tree: Any, saved: Mapping[str, np.ndarray], manager: Any, step: int) -> Any:
    """The inverse of `_to_saved`: the saved arrays in a tree like `tree`."""
    leaves, treedef = jax.tree_util.tree_flatten_with_path(tree)
    wanted = {_name(path): (tuple(leaf.shape), np.dtype(leaf.dtype)) for path, leaf in leaves}
    found = {name: (array.shape, array.dtype) for name, array in saved.items()}
    if wanted != found:
        odd = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise UserError(
            f"step {step} in {manager.directory} does not fit config.json "
            f"({odd[0]}: wanted {wanted.get(odd[0])}, found {found.get(odd[0])}); "
            "both must come from the same run."
        )
    return jax.tree_util.tree_unflatten(treedef, [saved[_name(path)] for path, _ in leaves])


def _hash_of_record(record: Mapping[str, Any]) -> str:
    """SHA-256 of the progress and of the arrays' hashes, as JSON gives them back."""
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _hashes(saved: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in saved.items()
    }
