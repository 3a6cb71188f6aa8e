"""What a run keeps for TensorBoard, read back."""

import importlib.util
import struct
from collections import defaultdict

import pytest
from s2s_pictures import any_fonts as any_fonts
from s2s_pictures import make_translator, save_run, size_of_png

from s2s_jax import train
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import RunWarning
from s2s_jax.pictures.tensorboard import LOGS, TensorBoard
from s2s_jax.runs.folder import VALIDATION, write_evaluation
from s2s_jax.training.repeated import carry_out_runs
from s2s_jax.training.request import request_for


def events(folder):
    """The values of each tag, in the order of their steps."""
    from tensorboardX.proto.event_pb2 import Event

    found = defaultdict(list)
    for file in sorted((folder / LOGS).rglob("events*")):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            for value in event.summary.value:
                found[value.tag].append((event.step, value))
    return found


def epoch(number, **more):
    return {"epoch": number, "loss": 1.0 / number, "val_loss": 2.0, "learning_rate": 0.5} | more


def test_both_parts_are_in_one_chart_by_their_epochs(tmp_path):
    pytest.importorskip("tensorboardX")
    board = TensorBoard(tmp_path)
    for number in (1, 2):
        board.on_epoch(epoch(number, val_loss=None if number == 1 else 3.0))
    found = {
        tag: [(step, value.simple_value) for step, value in values]
        for tag, values in events(tmp_path).items()
    }
    assert found == {
        "loss/training": [(1, 1.0), (2, 0.5)],
        "loss/validation": [(2, 3.0)],
        "learning_rate/training": [(1, 0.5), (2, 0.5)],
    }


def test_a_resumed_run_goes_on_and_a_new_one_begins_anew(tmp_path):
    pytest.importorskip("tensorboardX")
    TensorBoard(tmp_path).on_epoch(epoch(1))
    TensorBoard(tmp_path).on_epoch(epoch(2))
    assert len(events(tmp_path)["loss/training"]) == 2
    TensorBoard(tmp_path).on_epoch(epoch(1))
    assert len(events(tmp_path)["loss/training"]) == 1


@pytest.mark.usefixtures("any_fonts")
def test_the_end_has_answers_pictures_and_settings(tmp_path):
    pytest.importorskip("tensorboardX")
    folder = save_run(tmp_path / "run", make_translator())
    (folder / VALIDATION).write_text("abc\tuv\tu|v\n???\tuv\tuv\n", "utf-8")
    write_evaluation(folder, {"sentences": 2, "exact": 1, "cer": 0.25})
    board = TensorBoard(folder)
    board.on_end(Translator.load(folder))
    assert not (folder / LOGS).exists()  # Nothing was trained.
    board.on_epoch(epoch(1))
    board.on_end(Translator.load(folder))
    found = events(folder)
    ((_, text),) = found["answers/text_summary"]
    assert b"| abc | uv | u\\|v |" in text.tensor.string_val[0]
    if importlib.util.find_spec("matplotlib"):
        ((_, image),) = found["attention/0"]  # The other text cannot be drawn.
        assert min(size_of_png(image.image.encoded_image_string)) > 50
    assert found["best/cer"][0][1].simple_value == 0.25
    started = str(found["_hparams_/session_start_info"][0][1])
    assert "latent_dim" in started and "rmsprop" in started


def test_a_log_that_cannot_be_written_does_not_end_the_run(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "run").write_text("a file, where the folder of the run should be")
    with pytest.warns(RunWarning, match=r"tensorboard cannot be written .*training goes on"):
        TensorBoard(tmp_path / "run").on_epoch(epoch(2))


def test_each_run_of_several_has_its_log(tmp_path):
    pytest.importorskip("tensorboardX")
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}{b}\t{b}{a}\n" for a in "abc" for b in "de"))
    settings = {"data": str(tmp_path / "pairs.tsv"), "epochs": 1, "latent_dim": 4}
    request = request_for(settings | {"tensorboard": True, "out": tmp_path / "run"})
    for run in carry_out_runs(request, 2):
        assert "loss/training" in events(run.folder)


def test_train_listens(tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    monkeypatch.chdir(tmp_path)
    pairs = [(f"{a}{b}", f"{b}{a}") for a in "abc" for b in "de"]
    run = train(pairs, epochs=1, latent_dim=4, batch_size=4, tensorboard=True)
    assert {"loss/training", "loss/validation"} <= set(events(run.folder))
