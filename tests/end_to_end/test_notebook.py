"""The Colab notebook, from top to bottom, on a CPU without a network."""

import json
import os

import pytest
from s2s_testing import ROOT

NOTEBOOK = ROOT / "notebooks" / "s2s_colab.ipynb"


def test_no_outputs_are_committed():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.slow
def test_it_runs_and_runs_again_where_it_stopped(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra [notebook]")
    nbformat = pytest.importorskip("nbformat")
    settings = {"S2S_EPOCHS": "2", "S2S_NUM_SAMPLES": "300", "PYTHONPATH": str(ROOT)}
    # Nobody answers there: the download of fra-eng fails as it does without a network.
    settings |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    for name, value in settings.items():
        monkeypatch.setitem(os.environ, name, value)

    def outputs(notebook):
        return "".join(
            output.get("text", "") or output.get("data", {}).get("text/plain", "")
            for cell in notebook.cells
            if cell.cell_type == "code"
            for output in cell.outputs
        )

    def execute():
        notebook = nbformat.read(NOTEBOOK, as_version=4)
        where = {"metadata": {"path": str(tmp_path)}}
        client = nbclient.NotebookClient(notebook, timeout=250, resources=where)
        return client.execute()

    notebook = execute()
    printed = outputs(notebook)
    assert "The embedded corpus takes its place" in printed
    assert "epoch 2/2" in printed
    assert "Exactly right" in printed
    pictures = [
        o for c in notebook.cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 1
    errors = [o for c in notebook.cells for o in c.get("outputs", []) if o.get("name") == "stderr"]
    assert all("epoch" in error.text or "download" in error.text for error in errors)
    assert "after 2 epochs, up to epoch 4" in outputs(execute())
    metrics = (tmp_path / "checkpoints" / "sample" / "metrics.jsonl").read_text()
    assert metrics.count("\n") == 4
