"""The Colab notebook, from top to bottom, on a CPU without a network."""

import importlib.util
import json
import os

import pytest
from s2s_testing import ROOT

from s2s_jax.data.embedded import embedded_pairs

NOTEBOOK = ROOT / "notebooks" / "s2s_colab.ipynb"


def test_no_outputs_are_committed():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_what_is_missing_is_installed_beside_a_package_that_is_there(monkeypatch):
    """Where s2s_jax was installed without the packages of the pictures and the page."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    (cell,) = [c for c in cells if any("%pip" in line for line in c["source"])]
    code = "".join(cell["source"]).replace("%pip install -q {packages}", "asked = packages")
    there, values = {"s2s_jax", "sacrebleu", "matplotlib", "ipywidgets"}, {}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    exec(code, values)
    assert values["asked"] == "sentencepiece starlette uvicorn"
    there |= {"sentencepiece", "starlette", "uvicorn"}
    exec(code, values := {})
    assert "asked" not in values
    there.remove("s2s_jax")
    exec(code.replace('source = ""', 'source = "git+https://host/my copy"'), values)
    assert values["asked"] == "'git+https://host/my copy'"


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Runs the notebook with other settings; gives its output."""
    nbclient = pytest.importorskip("nbclient", reason="needs the extra [notebook]")
    nbformat = pytest.importorskip("nbformat")
    # Nobody answers there: the download of fra-eng fails as it does without a network.
    settings = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "", "PYTHONPATH": str(ROOT)}
    for name, value in (settings | {"XLA_FLAGS": ""}).items():  # Optimized, as users run it.
        monkeypatch.setitem(os.environ, name, value)

    def run(**values):
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for name, value in values.items():
            (cell,) = [c for c in code if f"\n{name} = " in f"\n{c.source}"]
            cell.source += f"\n{name} = {value!r}"
        where = {"metadata": {"path": str(tmp_path)}}
        nbclient.NotebookClient(notebook, timeout=600, resources=where).execute()
        outputs = [output for cell in code for output in cell.outputs]
        pictures = [o for o in outputs if "image/png" in o.get("data", {})]
        assert len(pictures) == 2  # The curves, and what an answer looked at.
        # A line in HTML would be an area, and might have a scroll bar, of its own.
        assert not [o for o in outputs if "loss" in o.get("data", {}).get("text/html", "")]
        errors = [o for o in outputs if o.get("name") == "stderr"]
        assert all("download" in error.text for error in errors), errors
        return "".join(o.text for o in outputs if o.get("name") == "stdout")

    return run


@pytest.mark.slow
def test_it_trains_on_a_file_and_goes_on_where_it_stopped(execute, data_file, tmp_path):
    assert "epoch 2/2" in execute(data=str(data_file), epochs=2)
    assert "after 2 epochs, up to epoch 4" in execute(data=str(data_file), epochs=4)
    metrics = (tmp_path / "checkpoints" / data_file.stem / "metrics.jsonl").read_text()
    assert metrics.count("\n") == 4


@pytest.mark.slow
def test_without_a_network_it_learns_the_embedded_corpus(execute):
    printed = execute(settings={"epochs": 1})
    assert "The embedded corpus takes its place" in printed
    assert "30,000 pairs" in printed
    known = {source for source, _ in embedded_pairs()}
    lines = printed.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("Go. "))
    asked = [line[:30].strip() for line in lines[first : first + 3]]
    assert asked == ["Go.", "I won!", "I'm happy."] and known.issuperset(asked)
    assert lines[first + 3]  # The answer to what is typed.
