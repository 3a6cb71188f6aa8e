"""Parquet and Hugging Face datasets."""

import json

import pytest
from s2s_data_testing import error_of, read, write

from s2s_jax.data.corpus import Pair, Skipped

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

RECORDS = [
    {"id": "a", "translation": {"en": "Go.", "fr": "Va !"}},
    {"id": "b", "translation": {"en": "Two\nlines.", "fr": "Deux."}},
    {"id": "c", "translation": {"en": "Half.", "fr": None}},
]
PAIRS = [Pair("Go.", "Va !"), Pair("Two lines.", "Deux.")]
COLUMNS = "en,fr"


def save(folder, kind, records=RECORDS, name="data-00000-of-00001"):
    """A file as pyarrow, or the `save_to_disk` of Hugging Face, writes it."""
    folder.mkdir(exist_ok=True)
    table, path = pa.Table.from_pylist(records), folder / f"{name}.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file:
            make = pa.ipc.new_stream if kind == "arrow" else pa.ipc.new_file
            with make(file, table.schema) as writer:
                writer.write_table(table)
    return path


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_files_are_read(tmp_path, kind):
    path = save(tmp_path, kind)
    corpus = read(path, columns=COLUMNS)
    assert corpus.pairs == PAIRS and corpus.form == "fields translation.en and translation.fr"
    assert corpus.skipped == {"no text": Skipped(1, (3,))}
    assert read(path, num_samples=1, columns=COLUMNS).unread == 2
    assert "fields id, translation.en, translation.fr; give `columns`" in error_of(path)


def test_both_file_formats_of_arrow_are_read(tmp_path):
    path = save(tmp_path, "feather").rename(tmp_path / "a.arrow")
    assert read(path, columns=COLUMNS).pairs == PAIRS


def test_two_fields_of_text_need_no_names(tmp_path):
    path = save(tmp_path, "parquet", [{"n": 3, "q": "1+1", "a": "2"}])
    assert read(path).pairs == [Pair("1+1", "2")]
    assert read(path, columns="q,n").pairs == [Pair("1+1", "3")]


def test_a_saved_dataset_is_read_without_what_was_cached_beside_it(tmp_path):
    folder = tmp_path / "train"
    files = [save(folder, "arrow", [record], f"data-{n}").name for n, record in enumerate(RECORDS)]
    save(folder, "arrow", name="cache-123")
    state = {"_data_files": [{"filename": name} for name in files]}
    (folder / "state.json").write_text(json.dumps(state))
    corpus = read(folder, columns=COLUMNS)
    assert corpus.pairs == PAIRS and corpus.lines == [1, 2]
    (tmp_path / "dataset_dict.json").write_text("{}")
    assert "holds the parts train; give one of them" in error_of(tmp_path)


def test_the_parts_of_a_download_are_told_apart(tmp_path):
    for part in ("train-00000-of-00002", "train-00001-of-00002"):
        save(tmp_path, "parquet", [{"a": part, "b": "x"}], part)
    assert len(read(tmp_path).pairs) == 2
    save(tmp_path, "parquet", [{"a": "1", "b": "x"}], "test-00000-of-00001")
    assert "holds several parts" in error_of(tmp_path)


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"Go.\tVa !\n", "cannot be read"),
        (b"PAR1", "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_broken_files(tmp_path, name, content, words):
    assert words in error_of(write(tmp_path, name, content))
    assert "there is no" in error_of(tmp_path / f"missing.{name}")


def test_without_pyarrow(tmp_path, uninstall):
    uninstall("pyarrow")
    message = error_of(write(tmp_path, "a.parquet", b"PAR1"))
    assert "pip install pyarrow" in message
