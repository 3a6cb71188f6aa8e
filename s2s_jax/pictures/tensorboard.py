"""A run kept for TensorBoard: figures, examples, pictures and settings."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning, UserError
from s2s_jax.pictures.answers import explain
from s2s_jax.pictures.card import example_rows, markdown_table
from s2s_jax.pictures.drawing import save_figure
from s2s_jax.pictures.heatmap import draw
from s2s_jax.runs.folder import VALIDATION
from s2s_jax.runs.history import read_evaluation

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter

LOGS = "tensorboard"
"""Where a run folder keeps it."""

_PICTURES = 4


class TensorBoard:
    """Writes what `tensorboard --logdir checkpoints` shows.

    Nothing is written before the first epoch ends. A disk that is full costs the log, not the run.
    """

    def __init__(self, folder: Path) -> None:
        """Prepares to write into a run folder.

        Raises:
          UserError: where tensorboardX is missing.
        """
        if importlib.util.find_spec("tensorboardX") is None:
            raise UserError(
                "`tensorboard` needs tensorboardX; install it with: pip install tensorboardX"
            )
        self._folder, self._logs = folder, folder / LOGS
        self._epoch = 0

    def on_epoch(self, metrics: dict[str, Any]) -> None:
        """Writes an epoch's figures, those of both parts into one chart."""
        self._epoch = metrics["epoch"]
        if self._epoch == 1:  # What lies there is of a run that this one replaces.
            shutil.rmtree(self._logs, ignore_errors=True)

        def write(writer: SummaryWriter) -> None:
            """Writes the figures."""
            for name, value in metrics.items():
                part = "validation" if name.startswith("val_") else "training"
                if value is not None and name != "epoch":
                    chart = f"{name.removeprefix('val_')}/{part}"
                    writer.add_scalar(chart, value, self._epoch)

        self._write(write, "epoch")

    def on_end(self, translator: Translator) -> None:
        """Writes some answers, what they looked at, and the settings with what they led to."""
        if not self._epoch:  # Nothing was trained.
            return
        rows = example_rows(self._folder / VALIDATION)
        chosen, figures = settings(translator), final_figures(self._folder)

        def write(writer: SummaryWriter) -> None:
            """Writes answers, pictures and settings."""
            if rows:
                table = "\n".join(markdown_table(("source", "reference", "answer"), rows))
                writer.add_text("answers", table, self._epoch)
            for number, picture in enumerate(_pictures(translator, [row[0] for row in rows])):
                writer.add_image(f"attention/{number}", picture, self._epoch, dataformats="HWC")
            writer.add_hparams(chosen, figures, name=".", global_step=self._epoch)

        self._write(write, "last")

    def _write(self, write: Callable[[SummaryWriter], None], name: str) -> None:
        """Lets a function write to a file, which is then whole."""
        from tensorboardX import SummaryWriter  # Here: it is an extra.

        # One writer for the whole run would lose what it has queued when the run is killed.
        # Files of one second have one name, unless they are told apart.
        suffix = f".{self._epoch:06}.{name}"
        try:
            with SummaryWriter(str(self._logs), filename_suffix=suffix) as writer:
                write(writer)
        except OSError as error:
            said = f"{self._logs} cannot be written ({error.strerror or error}); training goes on."
            warnings.warn(RunWarning(said), stacklevel=3)


def settings(translator: Translator) -> dict[str, bool | int | float | str]:
    """The settings of a run, as plain values by their names."""
    return {
        name: value if isinstance(value, (bool, int, float, str)) else str(value)
        for section in translator.run.config.sections
        for name, value in ((name, getattr(section, name)) for name in section.options())
    }


def final_figures(folder: Path) -> dict[str, float]:
    """The figures of the evaluation, by names that tell them from those of the epochs."""
    return {
        f"best/{name}": value
        for name, value in read_evaluation(folder).items()
        if isinstance(value, float)
    }


def _pictures(translator: Translator, texts: list[str]) -> Iterator[np.ndarray]:
    """Attention pictures of the answers to some texts, as arrays of pixels."""
    if importlib.util.find_spec("matplotlib") is None:
        return
    from PIL import Image  # Which matplotlib brings.

    for found in translator.translate(texts[:_PICTURES], translator.searching(scores=True)):
        with contextlib.suppress(UserError), io.BytesIO() as data:  # One may be too long.
            save_figure(draw(explain(translator, found)), data, "png")
            yield np.asarray(Image.open(data).convert("RGB"))
