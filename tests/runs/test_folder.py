import dataclasses
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import (
    CONFIG,
    METRICS,
    SOURCE_VOCABULARY,
    STEPS,
    TARGET_VOCABULARY,
    Run,
    create_run,
    holds_run,
    newest_run,
    read_run,
    write_config,
    write_evaluation,
    write_metrics,
)

FILES = [CONFIG, SOURCE_VOCABULARY, TARGET_VOCABULARY]


def make_run(source="abc é\t\u2028\U0001f600", target="àçx"):
    vocabularies = Vocabulary.from_texts([source]), Vocabulary.from_texts([target])
    model = ModelConfig(*map(len, vocabularies), latent_dim=8)
    config = RunConfig(DataConfig(data="données.txt"), model, TrainConfig(), 12, "ab12")
    return Run(config, *vocabularies)


def read_or_none(folder):
    """The run, or None after a user error of one line."""
    try:
        return read_run(folder)
    except UserError as error:
        assert "\n" not in str(error)
        return None


@settings(max_examples=30)
@given(st.text(), st.text())
def test_a_run_comes_back_as_it_was_written(tmp_path_factory, source, target):
    folder = tmp_path_factory.mktemp("run")
    run = make_run(source, target)
    create_run(folder, run)
    assert read_run(folder) == run


def test_a_run_can_be_moved(tmp_path):
    run = make_run()
    create_run(tmp_path / "deep" / "down", run)
    (tmp_path / "deep" / "down").rename(tmp_path / "élsewhere")
    assert read_run(tmp_path / "élsewhere") == run


def test_a_new_run_replaces_the_old_one_and_leaves_other_files_alone(tmp_path):
    create_run(tmp_path, make_run("old", "alt"))
    (tmp_path / STEPS / "7").mkdir(parents=True)
    write_metrics(tmp_path, [{"epoch": 1}])
    write_evaluation(tmp_path, {"exact": 1})
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "loss.png").write_bytes(b"png")
    new = make_run("new", "neu")
    create_run(tmp_path, new)
    assert read_run(tmp_path) == new
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*FILES, "notes.txt", "plots"]
    )
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "plots" / "loss.png").read_bytes() == b"png"


def test_steps_that_are_a_link_to_another_disk_are_emptied_too(tmp_path):
    disk = tmp_path / "disk"
    (disk / "7").mkdir(parents=True)
    (disk / "8.orbax-checkpoint-tmp").mkdir()
    (disk / "9").touch()
    (disk / "2024 photos").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / STEPS).symlink_to(disk)
    create_run(tmp_path / "run", make_run())
    # Old steps left in place would be taken for those of the new run.
    assert [path.name for path in disk.iterdir()] == ["2024 photos"]


def test_a_folder_holds_a_run_once_it_was_begun(tmp_path):
    assert not holds_run(tmp_path)
    assert not holds_run(tmp_path / "missing")
    (tmp_path / "notes.txt").touch()
    assert not holds_run(tmp_path)
    create_run(tmp_path, make_run())
    assert holds_run(tmp_path)


def test_a_file_where_the_folder_should_be_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="`out`"):
        create_run(tmp_path / "file", make_run())
    with pytest.raises(UserError, match="`out`"):
        create_run(tmp_path / "file" / "run", make_run())
    assert (tmp_path / "file").read_text() == "mine"


def test_a_config_can_be_replaced(tmp_path):
    run = make_run()
    create_run(tmp_path, run)
    config = dataclasses.replace(run.config, train=TrainConfig(epochs=200))
    write_config(tmp_path, run._replace(config=config))
    assert read_run(tmp_path) == run._replace(config=config)


def test_metrics_are_one_object_a_line(tmp_path):
    history = [{"epoch": 1, "loss": 2.5}, {"epoch": 2, "loss": 1.5, "val_loss": float("inf")}]
    write_metrics(tmp_path, history[:1])
    write_metrics(tmp_path, history)
    assert [json.loads(line) for line in (tmp_path / METRICS).open()] == history


def test_what_is_no_run_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no such run folder.*missing"):
        read_run(tmp_path / "missing")
    with pytest.raises(UserError, match=r"not a run folder.*config\.json"):
        read_run(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="no such run folder"):
        read_run(tmp_path / "file")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, name):
    create_run(tmp_path, make_run())
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=name):
        read_run(tmp_path)


def test_a_newer_format_is_refused(tmp_path):
    run = make_run()
    create_run(tmp_path, run)
    newer = run.config.to_dict() | {"format": RunConfig.FORMAT + 1, "beams": 4}
    (tmp_path / CONFIG).write_text(json.dumps(newer))
    with pytest.raises(UserError, match=rf"config\.json.*format {RunConfig.FORMAT} .*2"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", [SOURCE_VOCABULARY, TARGET_VOCABULARY])
def test_a_vocabulary_of_another_size_is_refused(tmp_path, name):
    create_run(tmp_path, make_run("abc", "abc"))
    other = Vocabulary.from_texts(["abcd"])
    (tmp_path / name).write_text(json.dumps(other.to_dict()))
    with pytest.raises(UserError, match=f"{name} has 8 symbols but the model expects 7"):
        read_run(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_off_anywhere_is_a_user_error(tmp_path, name):
    run = make_run()
    create_run(tmp_path, run)
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        found = read_or_none(tmp_path)
        # Without its last line feed a file still says all that it said.
        assert found is None or (found == run and length == len(whole) - 1)


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_raises_nothing_but_a_user_error(tmp_path, name, bit):
    create_run(tmp_path, make_run())
    whole = (tmp_path / name).read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= bit
        (tmp_path / name).write_bytes(damaged)
        read_or_none(tmp_path)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"null", b"[]", b"{}", b"7", b"[" * 100_000, b'"\\ud800"']
)
def test_other_content_is_a_user_error(tmp_path, name, content):
    create_run(tmp_path, make_run())
    (tmp_path / name).write_bytes(content)
    assert read_or_none(tmp_path) is None


def test_the_newest_run_is_the_one_whose_steps_were_written_last(tmp_path):
    for time, name in ((300, "b"), (100, "a"), (200, "c")):
        create_run(tmp_path / name, make_run())
        (tmp_path / name / STEPS / "10").mkdir(parents=True)
        os.utime(tmp_path / name / STEPS, (time, time))
    (tmp_path / "no_run" / STEPS).mkdir(parents=True)
    create_run(tmp_path / "no_steps", make_run())
    create_run(tmp_path / "begun", make_run())
    (tmp_path / "begun" / STEPS / "10.orbax-checkpoint-tmp").mkdir(parents=True)
    (tmp_path / "file").touch()
    assert newest_run(tmp_path) == tmp_path / "b"


def test_no_run_at_all_names_the_folder_looked_into(tmp_path):
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match=f"{root}.*train.py.*`checkpoint`"):
            newest_run(root)


def test_a_filler_that_is_no_symbol_is_refused(tmp_path):
    run = make_run()
    config = dataclasses.replace(run.config, source_length=5, source_filler="#")
    create_run(tmp_path, run._replace(config=config))
    with pytest.raises(UserError, match="source_filler"):
        read_run(tmp_path)
