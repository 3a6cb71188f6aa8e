"""Parquet files and folders of Hugging Face datasets, read with pyarrow a batch at a time."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from s2s_jax.data.reading.files import open_regular, reading
from s2s_jax.errors import UserError
from s2s_jax.runtime.files import shown

if TYPE_CHECKING:
    import pyarrow as pa

_KINDS = (".parquet", ".arrow")
_ROWS = 4096  # Of a batch.


def is_arrow(path: Path) -> bool:
    """Whether this is a file or folder that `ArrowData` reads."""
    if os.path.isdir(path):  # Unlike Path, it takes any text.
        return any(any(path.glob(f"*{kind}")) for kind in _KINDS) or any(path.glob("*/state.json"))
    return path.suffix.lower() in _KINDS


@dataclass(frozen=True)
class ArrowData:
    """The rows of Parquet or Arrow files that belong together."""

    path: Path
    files: Sequence[Path]

    @classmethod
    def open(cls, path: Path) -> "ArrowData":
        """Finds the files of some data.

        Raises:
          UserError: it is no file, or holds several parts; or pyarrow is not installed.
        """
        if not path.is_dir():
            open_regular(path).close()
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise UserError(
                f"{shown(path)} is read with pyarrow; install it with: pip install pyarrow"
            ) from error
        return cls(path, _files(path))

    def fields(self, numbers: bool) -> list[str]:
        """The names of the fields that hold text, or whole numbers as well."""
        import pyarrow as pa

        first = next(self._tables(), None)
        schema = [] if first is None else first.schema
        return [
            field.name
            for field in schema
            if pa.types.is_string(field.type)
            or pa.types.is_large_string(field.type)
            or (numbers and pa.types.is_integer(field.type))
        ]

    def rows(self, fields: tuple[str, str]) -> Iterator[tuple[str | int | None, str | int | None]]:
        """The values of two fields, row by row."""
        for table in self._tables():
            yield from zip(*(table[field].to_pylist() for field in fields), strict=True)

    def count(self) -> int:
        """The number of rows."""
        import pyarrow.parquet as pq

        with reading(self.path):
            return sum(
                pq.read_metadata(file).num_rows
                if file.suffix.lower() == ".parquet"
                else sum(batch.num_rows for batch in _batches(file))
                for file in self.files
            )

    def _tables(self) -> "Iterator[pa.Table]":
        """The batches, with nested fields under names with dots."""
        import pyarrow as pa

        with reading(self.path):
            for file in self.files:
                for batch in _batches(file):
                    table = pa.Table.from_batches([batch])
                    while any(pa.types.is_struct(field.type) for field in table.schema):
                        table = table.flatten()
                    yield table


def _batches(file: Path) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix.lower() == ".parquet":
        yield from pq.ParquetFile(file).iter_batches(_ROWS)
        return
    with pa.memory_map(str(file)) as source:
        try:
            yield from pa.ipc.open_stream(source)
        except pa.ArrowInvalid:  # The other of Arrow's two file formats.
            source.seek(0)
            reader = pa.ipc.open_file(source)
            yield from map(reader.get_batch, range(reader.num_record_batches))


def _files(path: Path) -> list[Path]:
    """The files of one part."""
    if not path.is_dir():
        return [path]
    parts = sorted(state.parent.name for state in path.glob("*/state.json"))
    if parts:
        raise UserError(
            f"{shown(path)} holds the parts {shown(', '.join(parts))}; give one of them as `data`,"
            f" such as {shown(path / parts[-1])}, and another as `validation`"
        )
    state = path / "state.json"
    if state.exists():
        with reading(path):
            listed = json.loads(state.read_text("utf-8"))["_data_files"]
            return [path / Path(entry["filename"]).name for entry in listed]
    files = sorted(file for kind in _KINDS for file in path.glob(f"*{kind}"))
    # Datasets of the Hub name their files train-00000-of-00002.parquet.
    if len({file.stem.partition("-")[0] for file in files}) > 1:
        names = ", ".join(file.name for file in files)
        raise UserError(
            f"{shown(path)} holds several parts, {shown(names)}; give the file of one, or a folder"
            " with the files of one"
        )
    return files
