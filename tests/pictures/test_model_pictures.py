"""Pictures of models, checked against the models themselves."""

import itertools
import re

import jax
import pytest
from s2s_pictures import size_of_png
from s2s_testing import write_pairs

from s2s_jax.config import ModelConfig
from s2s_jax.model.seq2seq import param_shapes
from s2s_jax.pictures.diagram import parameter_counts, three_views
from s2s_jax.pictures.models import draw_model, mermaid, write_model

TUTORIAL = ModelConfig(71, 90, 256)
CONFIGS = [
    ModelConfig(
        11, 13, 8, embedding_dim=size, attention=attention, bidirectional=both,
        attend_embeddings=bool(size) and attention == "luong" and both,
        encoder_layers=layers, decoder_layers=layers, tie_embeddings=tied,
    )
    for size, attention, both, layers, tied in itertools.product(
        (0, 6), ("none", "luong"), (False, True), (1, 3), (False, True)
    )
    if size or not tied
]  # fmt: skip


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_every_parameter_stands_in_a_box_of_the_training_view(config):
    counts = parameter_counts(config)
    assert sum(counts.values()) == sum(x.size for x in jax.tree.leaves(param_shapes(config)))
    training, encode, step = three_views(config)
    assert set(counts) == {box.key for box in training.boxes if box.part}
    # The two views of decoding are made of the same boxes, and leave none out.
    kept = {box for view in (encode, step) for box in view.boxes if box.part}
    assert kept == {box for box in training.boxes if box.part}


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_arrows_lead_from_box_to_box_and_from_the_bottom_to_the_top(config):
    for view in three_views(config):
        rows = {box.key: box for box in view.boxes}
        assert len(rows) == len(view.boxes) == len({(box.column, box.row) for box in view.boxes})
        for source, target, _ in view.arrows:
            below, above = rows[source], rows[target]
            assert below.column < above.column or below.row < above.row
        # Nothing stands alone.
        assert {key for arrow in view.arrows for key in arrow[:2]} == set(rows)


def test_the_views_of_the_tutorials_model():
    training, encode, step = three_views(TUTORIAL)
    assert [box.title for box in training.boxes] == [
        "source", "LSTM", "target, shifted right", "LSTM", "output", "logits",
    ]  # fmt: skip
    assert [box.title for box in encode.boxes] == ["source", "LSTM", "carry (c, h)"]
    assert step.boxes[0].title == "last token"
    assert parameter_counts(TUTORIAL) == {"read_1": 335872, "write_1": 355328, "output": 23130}


@pytest.mark.parametrize("config", [TUTORIAL, *CONFIGS[-2:]], ids=str)
def test_mermaid_declares_each_box_once_and_links_what_it_declared(config):
    text = "\n".join(mermaid(config))
    declared = re.findall(r'^    (\w+)\["[^"]*"\]:::(?:encoder|decoder|data)$', text, re.M)
    assert len(declared) == len(set(declared)) == sum(len(v.boxes) for v in three_views(config))
    links = re.findall(r'^    (\w+) (?:-- "[^"]+" )?--> (\w+)$', text, re.M)
    assert len(links) == sum(len(view.arrows) for view in three_views(config))
    assert {name for link in links for name in link} == set(declared)
    assert text.count("subgraph") == len(re.findall("^  end$", text, re.M)) == 3


@pytest.mark.parametrize("config", [TUTORIAL, CONFIGS[-1]], ids=str)
def test_the_picture_has_all_boxes_and_no_text_leaves_its_box(config):
    pytest.importorskip("matplotlib")
    figure = draw_model(config)
    (axes,) = figure.axes
    boxes = sum(len(view.boxes) for view in three_views(config))
    assert len(axes.patches) == boxes
    figure.draw_without_rendering()
    frames = [patch.get_window_extent() for patch in axes.patches]
    inside = 0
    for text in axes.texts:
        extent = text.get_window_extent()
        middle = ((extent.x0 + extent.x1) / 2, (extent.y0 + extent.y1) / 2)
        for frame in frames:
            if frame.contains(*middle) and text.get_text():
                inside += 1
                assert frame.x0 <= extent.x0 and extent.x1 <= frame.x1, text
    assert inside > boxes


def test_pictures_of_models_are_written(tmp_path):
    pytest.importorskip("matplotlib")
    write_model(TUTORIAL, tmp_path / "model.png")
    width, height = size_of_png((tmp_path / "model.png").read_bytes())
    assert 1000 < width < 3000 and 400 < height < 1000


def test_summary_draws_the_model_of_the_data(run_here, tmp_path):
    pytest.importorskip("matplotlib")
    write_pairs(tmp_path / "tiny.txt")
    request = ["--data", "tiny.txt", "--latent-dim", 8, "--summary"]
    table = run_here("train.py", *request).stdout
    assert "Total Parameters" in table
    for name in ("model.svg", "model.mmd"):
        done = run_here("train.py", *request, name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (count,) = re.findall(r"Total Parameters: ([\d,]+)", table)
    assert f"<!-- {count} parameters; " in (tmp_path / "model.svg").read_text("utf-8")
    assert (tmp_path / "model.mmd").read_text().startswith("flowchart BT\n")
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.dot", "--summary needs a file name that ends in .png, .svg or .mmd, not"),
        ("nowhere/model.mmd", "nowhere/model.mmd cannot be written"),
    ],
)
def test_bad_requests_are_one_line(run_here, tmp_path, name, message):
    write_pairs(tmp_path / "tiny.txt")
    done = run_here("train.py", "--data", "tiny.txt", "--summary", name)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and message in done.stderr
