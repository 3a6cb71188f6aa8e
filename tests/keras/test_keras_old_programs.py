"""Slips of programs that people copy, which Keras let pass and which are in their models."""

import json
import shlex
import subprocess
import sys

import pytest
from s2s_keras_tutorial import FIXTURE

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.importing import convert
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.symbols import load, read_vocabularies, start_and_end

MADE = json.loads((FIXTURE / "layouts.json").read_text(encoding="utf-8"))
NAMES = ("input_characters", "target_characters")
LENGTHS = {f"max_{side}coder_seq_length": 9 for side in ("en", "de")}


def saved(folder, *values):
    paths = [folder / f"{number}.json" for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_text(json.dumps(value), encoding="utf-8")
    return paths


def masked(folder, source="<PAD>", target="[pad]"):
    """Asks for a model with masks on both sides, whose lists begin with these symbols."""
    made = MADE["wrapped2"]
    lists = [[first, *made[key][1:]] for first, key in zip((source, target), NAMES, strict=True)]
    values = {**dict(zip(NAMES, lists, strict=True)), **LENGTHS}
    return ImportRequest([FIXTURE / "wrapped2.h5"], vocabulary=saved(folder, values))


def test_an_index_from_1_may_count_one_more_than_the_encoder_can_read(tmp_path, capsys):
    index = {"go": 1, "no": 2, "zoo": 3}
    paths = saved(tmp_path, index, ["", "start", "end", "va"])
    source, _, _ = read_vocabularies(paths, (3, 4))
    assert source.symbols == ("", "go", "no")
    assert "from 1 to 3, but the model's 3 symbols from 0: it cannot read 'zoo'" in (
        capsys.readouterr().out
    )
    for values, sizes in (([index, ["a"]], (2, 1)), ([["a"], index], (1, 3))):
        with pytest.raises(UserError, match="but the index has numbers from 1 to 3"):
            read_vocabularies(saved(tmp_path, *values), sizes)


def test_a_symbol_of_number_0_that_the_encoder_s_mask_skips_may_be_given_as_empty(tmp_path):
    with pytest.raises(UserError, match=r'found \'x\'; give .* or "" in its place .* skips it'):
        convert(masked(tmp_path, source="x", target=""))
    with pytest.raises(UserError, match=r"found 'x'; give the lists .* --vocabulary\.$"):
        convert(masked(tmp_path, source="", target="x"))


@pytest.mark.parametrize("names", [("<PAD>", "[pad]"), ("_PAD_", "PAD")])
def test_the_number_0_is_padding_by_any_of_its_names(tmp_path, names):
    lists = [[name, *MADE["wrapped2"][key][1:]] for name, key in zip(names, NAMES, strict=True)]
    asked = masked(tmp_path)._replace(
        vocabulary=saved(tmp_path, *lists), max_encoder_seq_length=13, max_decoder_seq_length=20
    )
    found = convert(asked)
    assert found.characters.source_tokenizer.kind == "char"
    expected = {text: answer.strip() for text, answer in MADE["wrapped2"]["decoded"].items()}
    answers = Translator(found.run, found.params)(list(expected))
    assert dict(zip(expected, answers, strict=True)) == expected


@pytest.mark.parametrize(
    "pair", [("sostok", "eostok"), ("_START_", "_END_"), ("[SOS]", "[EOS]"), ("BOS", "EOS")]
)
def test_what_stands_around_a_target_is_recognised(pair):
    assert start_and_end(["", *pair, "va"]) == pair


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("go\nno\n é\n", ["go", "no", " é"]),
        ("{'go': 0, \"it's\": 1}", {"go": 0, "it's": 1}),
        ("['go', 'no']\n", ["go", "no"]),
    ],
)
def test_the_message_for_a_text_turns_it_into_json(tmp_path, text, values):
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="JSON was expected; turn a text") as error:
        load(path)
    assert "\n" not in str(error.value)
    program, *arguments = shlex.split(str(error.value).split("into it: ")[1])
    assert program == "python"
    subprocess.run([sys.executable, *arguments], check=True)
    assert load(tmp_path / "words.json") == values


@pytest.mark.parametrize(
    "text",
    [
        'word,index\ngo,0\n",",1\n7,2\n',
        "index;word\n0;go\n1;,\n2;7\n",
        "\ufeffgo\t0\r\n,\t1\r\n7\t2\r\n",
    ],
)
def test_an_index_may_be_a_table(tmp_path, text):
    (tmp_path / "index.csv").write_text(text, encoding="utf-8", newline="")
    assert load(tmp_path / "index.csv") == {"go": 0, ",": 1, "7": 2}


@pytest.mark.parametrize(
    "text", ["7,0\n8,1\n", "go,0\ngo,1\n", "go\nno\n", ",word,index\n0,go,0\n"]
)
def test_a_table_that_does_not_tell_symbols_from_numbers_is_none(tmp_path, text):
    (tmp_path / "index.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="JSON was expected"):
        load(tmp_path / "index.csv")


@pytest.mark.parametrize(("counts", "told"), [((1, 1), True), ((0, 1), True), ((2, 1), False)])
def test_a_list_without_the_padding_of_number_0_is_told_so(tmp_path, counts, told):
    lists = [MADE["wrapped2"][key][n:] for n, key in zip(counts, NAMES, strict=True)]
    asked = masked(tmp_path)._replace(vocabulary=saved(tmp_path, *lists))
    with pytest.raises(UserError, match="the model has 16 source and 21 target") as error:
        convert(asked)
    assert ('"" first where the number 0 is padding' in str(error.value)) == told
