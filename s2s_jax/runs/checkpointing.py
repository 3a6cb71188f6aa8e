"""One step of a run: parameters, optimizer state and progress, saved and restored by orbax.

Arrays are saved as NumPy, so that a run restores on any device, and with a SHA-256 each, since
orbax returns flipped bits as values without an exception. A step's name is the number of
optimizer steps done; `steps` is about which of them there are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from s2s_jax.errors import Damaged, UserError
from s2s_jax.runs.integrity import Form, check_forms, hash_of_json, hashes_of_arrays
from s2s_jax.runtime.files import flush, machine_fault


def save_step(
    manager: ocp.CheckpointManager,
    params: Any,
    opt_state: Any,
    record: Mapping[str, Any],
    val_loss: float | None,
) -> None:
    """Saves one step, unless that very step is there already.

    Args:
      manager: the steps of the run.
      params: the parameters, a pytree of arrays.
      opt_state: the optimizer's state, likewise.
      record: how far training had come, in plain values; its "step" is the step's number.
      val_loss: None in the middle of an epoch and without a validation part.
    """
    if manager.latest_step() == record["step"]:
        return
    saved = {"params": _to_saved(params), "opt_state": _to_saved(opt_state)}
    hashes = {item: hashes_of_arrays(arrays) for item, arrays in saved.items()}
    record = {**record, "val_loss": val_loss, "hashes": hashes}
    record["hashes"]["progress"] = hash_of_json(record)
    manager.save(
        record["step"],
        args=ocp.args.Composite(
            # Orbax refuses an empty item; plain SGD keeps no state.
            **{item: ocp.args.StandardSave(arrays) for item, arrays in saved.items() if arrays},
            progress=ocp.args.JsonSave(record),
        ),
    )
    # Orbax flushes the arrays alone, and older steps are removed next.
    saved_in = Path(manager.directory) / str(record["step"])
    for path in (*saved_in.rglob("*"), saved_in, saved_in.parent):
        flush(path)


def restore_params(manager: ocp.CheckpointManager, step: int, like: Any) -> Any:
    """The parameters of a step, NumPy arrays in a tree like `like` (shapes or arrays).

    Raises:
      Damaged: when it is not what was saved, or of another shape.
      UserError: when it cannot be read now.
    """
    return _restore(manager, step, {"params": like})["params"]


def restore_state(
    manager: ocp.CheckpointManager, step: int, params: Any, opt_state: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Parameters and optimizer state of a step, in trees like those given, and its record.

    Raises:
      Damaged: when it is not what was saved, or of another shape.
      UserError: when it cannot be read now.
    """
    restored = _restore(manager, step, {"params": params, "opt_state": opt_state})
    return restored["params"], restored["opt_state"], restored["record"]


def read_val_loss(manager: ocp.CheckpointManager, step: int) -> float | None:
    """The validation loss that a step was saved with.

    Raises:
      Damaged: when the step is not what was saved.
      UserError: when it cannot be read now.
    """
    with naming_faults(_named(manager, step)):
        return _read_record(manager, step)["val_loss"]


@contextlib.contextmanager
def naming_faults(name: str) -> Iterator[None]:
    """Turns whatever reading raises into `Damaged`, or a `UserError` where `name` may be whole."""
    try:
        yield
    # Orbax and tensorstore raise bare Exception, ValueError, KeyError, ... on damaged files.
    except Exception as error:
        if fault := machine_fault(error):
            raise UserError(f"{name} cannot be read: {fault}; nothing was changed.") from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Damaged(f"{name} is damaged ({reason}).") from None


def _read_record(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """What was saved beside the arrays, checked against its hash."""
    arguments = ocp.args.Composite(progress=ocp.args.JsonRestore())
    record = manager.restore(step, args=arguments)["progress"]
    if record["hashes"].pop("progress") != hash_of_json(record):
        raise ValueError("progress differs from what was saved")
    if record["step"] != step:
        raise ValueError(f"it is a copy of step {record['step']}")
    if "val_loss" not in record:  # In early runs the history alone has it.
        ended = record["history"][-1:] if record["batch"] == 0 else []
        record["val_loss"] = ended[0].get("val_loss") if ended else None
    return record


def _restore(manager: ocp.CheckpointManager, step: int, like: Mapping[str, Any]) -> dict[str, Any]:
    """The items of `like` in trees like its values, and the "record"; all are checked."""
    with naming_faults(_named(manager, step)):
        record = _read_record(manager, step)
        hashes = record.pop("hashes")
        del record["val_loss"]
        restored: dict[str, Any] = {"record": record}
        for item, tree in like.items():
            wanted = _forms(tree)
            saved = {}
            if wanted:
                check_forms(Path(manager.directory) / str(step) / item, wanted)
                arguments = ocp.args.Composite(**{item: ocp.args.StandardRestore()})
                saved = manager.restore(step, args=arguments)[item]
            if hashes_of_arrays(saved) != hashes[item]:
                raise ValueError(f"{item} differ from what was saved")
            treedef = jax.tree.structure(tree)
            restored[item] = jax.tree.unflatten(treedef, [saved[name] for name in wanted])
        return restored


def _forms(tree: Any) -> dict[str, Form]:
    """The form of each leaf by its path, in the tree's order."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(path): (tuple(leaf.shape), np.dtype(leaf.dtype)) for path, leaf in leaves}


def _to_saved(tree: Any) -> dict[str, np.ndarray]:
    """A pytree as a flat dictionary of NumPy arrays, named by their paths."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.device_get(tree))
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def _named(manager: ocp.CheckpointManager, step: int) -> str:
    return f"step {step} in {manager.directory}"


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")
