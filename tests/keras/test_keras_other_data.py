"""Data that are not those of the training, or not as the model read them, are told from them."""

import json

import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.keras.importing import convert, import_model
from s2s_jax.keras.request import ImportRequest

INDEX = [json.loads((FIXTURE / f"{side}_token_index.json").read_text("utf-8"))
         for side in ("input", "target")]  # fmt: skip
ORDERS = json.loads((FIXTURE / "orders.json").read_text(encoding="utf-8"))


def words(folder, data, *values):
    """Asks for a model of words with this text as its data, and these vocabularies."""
    (folder / "data.txt").write_text(data, encoding="utf-8")
    for i, value in enumerate(values):
        (folder / f"{i}.json").write_text(json.dumps(value), encoding="utf-8")
    return ImportRequest(
        [FIXTURE / "words.h5"],
        str(folder / "data.txt"),
        vocabulary=[folder / "0.json", folder / "1.json"],
        out=folder / "run",
    )


@pytest.mark.parametrize(
    ("change", "missing"), [(str.upper, "AM"), (lambda target: f"START {target} END", "END")]
)
def test_targets_that_the_model_cannot_write_are_named(tmp_path, capsys, change, missing):
    lines = (FIXTURE / "words.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines]
    data = "".join(f"{source}\t{change(target)}\n" for source, target in pairs)
    import_model(words(tmp_path, data, *INDEX))
    printed = capsys.readouterr().out
    assert f"4 of 4 targets, such as {change('I am fine .')!r}, hold what the model" in printed
    assert f"cannot write ('{missing}')" in printed and "nothing around a target" in printed
    assert "no data show how" in printed and "Validation loss" not in printed
    assert "--resume" not in printed


@pytest.mark.parametrize("name", ORDERS)
def test_such_targets_do_not_hide_the_order_of_the_others(tmp_path, capsys, name):
    path, keys = tmp_path / "characters.json", ("input_characters", "target_characters")
    path.write_text(json.dumps({key: ORDERS[name][key] for key in keys}), encoding="utf-8")
    lines = (FIXTURE / "pairs.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    data = tmp_path / "data.txt"
    data.write_text("".join(["Go.\t0123456789\n", *lines[:24]]), encoding="utf-8")
    asked = ImportRequest([FIXTURE / name], str(data), 25, [path])
    characters = convert(asked).characters
    found = (characters.source_padding, characters.source_backwards)
    assert found == {"before.h5": ("zeros-before", False), "backwards.h5": ("mask", True)}[name]
    assert "chance" not in capsys.readouterr().out


def test_symbols_in_another_order_are_told_by_the_likelihood_of_the_data(tmp_path, capsys):
    data = (FIXTURE / "words.txt").read_text(encoding="utf-8")
    convert(words(tmp_path, data, *INDEX))
    assert "chance" not in capsys.readouterr().out
    target = list(INDEX[1])
    convert(words(tmp_path, data, INDEX[0], target[:2] + target[:1:-1]))
    printed = capsys.readouterr().out
    assert "targets less likely than chance does" in printed and "check --vocabulary" in printed
