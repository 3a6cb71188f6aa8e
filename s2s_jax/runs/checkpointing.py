"""One step of a run: parameters, optimizer state and progress, saved and restored by orbax.

Arrays are saved as NumPy, so that a run restores on any device, and with a SHA-256 each, since
orbax returns flipped bits as values without an exception. A step's name is the number of
optimizer steps done; `steps` says which of them exist. What reads one raises `Damaged` when it is
not what was saved, or of another shape, and another `UserError` when it cannot be read now.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from s2s_jax.errors import Damaged, UserError
from s2s_jax.runs.folder import STEPS, clean_steps
from s2s_jax.runs.integrity import check_forms, forms_of, hash_of_json, hashes_of_arrays
from s2s_jax.runtime.files import flush, is_there, machine_fault, read_all, shown

_Read = TypeVar("_Read")


def step_path(folder: Path, step: int | str) -> Path:
    """Where a run folder has a step."""
    return (folder / STEPS / str(step)).absolute()


def save_step(
    folder: Path,
    params: Any,
    opt_state: Any,
    record: Mapping[str, Any],
    val_loss: float | None,
    average: Any = None,
    val_error: float | None = None,
) -> None:
    """Saves one step of a run, unless that very step is there already, and reads it back.

    Args:
      folder: of the run.
      params: the parameters, a pytree of arrays.
      opt_state: the optimizer's state, likewise.
      record: how far training had come, in plain values; its "step" is the step's number.
      val_loss: None in the middle of an epoch and without a validation part.
      average: the average of the parameters, a tree like them; None where none is kept.
      val_error: the error rate that counts before the loss, if any does.

    Raises:
      Damaged: when it was not written whole; nothing is left of it.
    """
    clean_steps(folder)
    path = step_path(folder, record["step"])
    if not is_there(path):
        trees = {"params": params, "opt_state": opt_state}
        if average is not None:
            trees["average"] = average
        arrays = jax.tree.map(np.asarray, jax.device_get(trees))
        saved = {item: _flat(tree) for item, tree in arrays.items()}
        hashes = {item: hashes_of_arrays(arrays) for item, arrays in saved.items()}
        record = {**record, "val_loss": val_loss, "hashes": hashes}
        if val_error is not None:
            record["val_error"] = val_error
        record["hashes"]["progress"] = hash_of_json(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        _checkpointer().save(
            path,
            args=ocp.args.Composite(
                # Orbax refuses an empty item; plain SGD keeps no state.
                **{item: ocp.args.StandardSave(arrays) for item, arrays in saved.items() if arrays},
                progress=ocp.args.JsonSave(record),
            ),
        )
        try:
            _restore(folder, record["step"], trees)
        except (Damaged, UserError):
            shutil.rmtree(path)  # Orbax says nothing of some faults of the machine.
            raise
    # Orbax flushes the arrays alone, and older steps are removed next.
    for written in (*path.rglob("*"), path, path.parent):
        flush(written)


@contextlib.contextmanager
def beginning(folder: Path) -> Iterator[None]:
    """In the block the step that a run begins with is saved; no later one could take its place.

    Raises:
      UserError: when it cannot be saved.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # Tensorstore raises ValueError, RuntimeError, ...
        cause = machine_fault(error) or shown(f"{type(error).__name__}: {error}")
        raise UserError(
            f"the first step of {folder} could not be saved: {cause}; when that is mended, begin "
            "the run again with `overwrite`."
        ) from None


def _checkpointer() -> ocp.Checkpointer:
    """For this process alone: one saves what all have, and any may read."""
    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix=str(here)
    )
    options = ocp.CompositeOptions(multiprocessing_options=alone)
    return ocp.Checkpointer(
        ocp.CompositeCheckpointHandler(composite_options=options), multiprocessing_options=alone
    )


def restore_params(folder: Path, step: int, like: Any) -> Any:
    """The parameters that a step decodes with: their average, where one was kept.

    They are NumPy arrays in a tree like `like` (shapes or arrays).
    """
    record = _reading(folder, step, lambda: _read_record(folder, step))
    item = "average" if "average" in record["hashes"] else "params"
    return _restore(folder, step, {item: like})[item]


def restore_state(
    folder: Path, step: int, params: Any, opt_state: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """The parameters and optimizer state of a step, in trees like those given, and its record."""
    restored = _restore(folder, step, {"params": params, "opt_state": opt_state})
    return restored["params"], restored["opt_state"], restored["record"]


def read_rank(folder: Path, step: int) -> tuple[float, float] | None:
    """What the best step has the least of: the error rate, 0 where none counts, then the loss.

    They are those of the validation part; None for a step that was saved without.
    """
    record = _reading(folder, step, lambda: _read_record(folder, step))
    loss = record["val_loss"]
    return None if loss is None else (record.get("val_error", 0.0), loss)


def _reading(folder: Path, step: int, read: Callable[[], _Read]) -> _Read:
    """What `read` returns; whatever it raises becomes `Damaged`, or `UserError` if it may pass.

    Orbax takes a file that it cannot look at for missing. So a step is damaged only if each of its
    files can be read, and `read` fails again.
    """
    path = step_path(folder, step)
    try:
        try:
            return read()
        # Orbax and tensorstore raise bare Exception, ValueError, KeyError, ... on damaged files.
        except Exception as error:
            if machine_fault(error):
                raise
            read_all(path)
            return read()
    except Exception as error:
        if fault := machine_fault(error):
            message = f"step {step} in {path.parent} cannot be read: {fault}"
            raise UserError(f"{message}; nothing was changed.") from None
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise Damaged(f"step {step} in {path.parent} is damaged ({reason}).") from None


def _read_record(folder: Path, step: int) -> dict[str, Any]:
    """What was saved beside the arrays, checked against its hash."""
    file = step_path(folder, step) / "progress" / "metadata"
    record = json.loads(file.read_text(encoding="utf-8"))
    if record["hashes"].pop("progress") != hash_of_json(record):
        raise ValueError("progress differs from what was saved")
    if record["step"] != step:
        raise ValueError(f"it is a copy of step {record['step']}")
    if "val_loss" not in record:  # In early runs the history alone has it.
        ended = record["history"][-1:] if record["batch"] == 0 else []
        record["val_loss"] = ended[0].get("val_loss") if ended else None
    return record


def _restore(folder: Path, step: int, like: Mapping[str, Any]) -> dict[str, Any]:
    """The items of `like` in trees like its values, and the "record"; all are checked."""

    def read() -> dict[str, Any]:
        """Raises whatever Orbax does of a damaged file, or `ValueError`; see `_reading`."""
        record = _read_record(folder, step)
        hashes = record.pop("hashes")
        del record["val_loss"]
        record.pop("val_error", None)
        restored: dict[str, Any] = {"record": record}
        handler = ocp.StandardCheckpointHandler()
        for item, tree in like.items():
            saved, wanted = {}, forms_of(_flat(tree))
            if wanted:  # Plain SGD keeps no state.
                path = step_path(folder, step) / item
                check_forms(path, wanted)
                saved = handler.restore(epath.Path(path), args=ocp.args.StandardRestore())
            if hashes_of_arrays(saved) != hashes[item]:
                raise ValueError(f"{item} differ from what was saved")
            treedef = jax.tree.structure(tree)
            restored[item] = jax.tree.unflatten(treedef, [saved[name] for name in wanted])
        return restored

    return _reading(folder, step, read)


def _flat(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their paths, in its order."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
