"""The exported decoder, run by the example alone."""

import dataclasses
import json
import runpy
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest
from s2s_testing import PAIRS, ROOT

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.export import export
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run

EXAMPLE = ROOT / "examples" / "run_exported.py"
TEXTS = ["He eats.", "", "  Tom   runs. ", "日本", "Mary ßthinks.", "e\u0301", "e" * 40]


def test_the_example_alone_answers_as_the_translator_does(trained, tmp_path, run_here):
    _, folder = trained
    path = tmp_path / "tiny.s2s"
    done = run_here("decode.py", "--checkpoint", folder, "--export", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(path) in done.stdout
    texts = TEXTS + [source for source, _ in PAIRS]
    # Without this package: an import of it fails.
    code = "import runpy, sys; sys.modules['s2s_jax'] = None; runpy.run_path(sys.argv.pop(1))"
    found = subprocess.run(
        [sys.executable, "-c", code, EXAMPLE, path, *texts],
        cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    assert found.stdout.split("\n")[:-1] == Translator.load(folder)(texts)


@pytest.fixture(scope="module")
def translator():
    """Words, so that <unk> and the space before a word matter; attention; random parameters."""
    vocabularies = [
        Vocabulary.from_texts(texts * 2, "word") for texts in (["a b, c d."], ["u' v w. x"])
    ]
    model = ModelConfig(
        *map(len, vocabularies), 8, 4, attention="luong", attention_heads=2,
        attend_embeddings=True, bidirectional=True,
    )  # fmt: skip
    tokens = np.zeros((1, 1), np.int32)
    init = jax.jit(Seq2Seq(model).init)
    params = init(jax.random.key(1), tokens, tokens == 0, tokens)["params"]
    params = jax.tree.map(lambda x: x * 4, params)
    config = RunConfig(DataConfig(), model, TrainConfig(), 9, "", 0, 6, " b")
    return Translator(Run(config, *vocabularies), params)


@pytest.fixture(
    scope="module",
    params=[("grapheme", "space"), ("subword", "subword"), ("decomposed", "decomposed")],
)
def mixed(translator, request):
    """Symbols that are left out when unseen, to others that have a space between them."""
    source = Vocabulary.from_texts(["a b, c d."], request.param[0])
    target = Vocabulary.from_texts(["u' v w. x"], request.param[1])
    config, model = translator.run.config, ModelConfig(len(source), len(target), 8)
    config = dataclasses.replace(config, model=model, source_length=0, source_filler="<pad>")
    tokens = np.zeros((1, 1), np.int32)
    params = jax.jit(Seq2Seq(model).init)(jax.random.key(0), tokens, tokens == 0, tokens)["params"]
    return Translator(Run(config, source, target), jax.tree.map(lambda x: x * 4, params))


def run_example(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["run_exported.py", *map(str, arguments)])
    runpy.run_path(str(EXAMPLE))
    return capsys.readouterr().out.split("\n")[:-1]


def test_words_unknown_ones_and_another_limit(translator, tmp_path, monkeypatch, capsys):
    path, texts = tmp_path / "words.s2s", ["a b, c d.", "a zebra", "d", "c c c c c c c"]
    export(translator, path, max_length=5)
    found = run_example(monkeypatch, capsys, path, *texts)
    assert found == translator(texts, max_length=5)
    assert len(set(found)) > 1


def test_tokens_are_divided_and_joined_as_on_each_side_of_the_run(
    mixed, tmp_path, monkeypatch, capsys
):
    path, texts = tmp_path / "mixed.s2s", ["a b, c d.", "b\u0301a", "d", "ccc", "a▁ b\t"]
    export(mixed, path)
    found = run_example(monkeypatch, capsys, path, *texts)
    assert found == mixed(texts)
    assert any(" " in answer for answer in found)


def test_files_of_the_first_format_are_divided_as_they_were(
    translator, tmp_path, monkeypatch, capsys
):
    path, text = tmp_path / "words.s2s", "a b, c d."
    export(translator, path)
    with zipfile.ZipFile(path) as file:
        manifest, program = (file.read(name) for name in ("manifest.json", "decoder.bin"))
    manifest = json.loads(manifest) | {
        "format": 1, "tokens": "word", "token_pattern": r"\s*(?:\w+['’]?|[^\w\s])",
    }  # fmt: skip
    del manifest["source_tokens"], manifest["target_tokens"]
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("manifest.json", json.dumps(manifest))
        file.writestr("decoder.bin", program)
    assert run_example(monkeypatch, capsys, path, text) == translator([text])


def test_a_damaged_file_answers_nothing_wrong(translator, tmp_path, monkeypatch, capsys):
    path = tmp_path / "words.s2s"
    export(translator, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(len(whole), size=20):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            found = run_example(monkeypatch, capsys, path, "a b")
        except (Exception, SystemExit):
            continue
        assert found == translator(["a b"])
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit):
        run_example(monkeypatch, capsys, path, "a b")
    assert "not a zip file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "texts", "words"),
    [
        (None, [], "give a file and texts"),
        ("flatbuffers", ["a b"], "pip install flatbuffers"),
        ("regex", ["a b"], "pip install regex"),
    ],
)
def test_mistakes_with_an_exported_file_are_one_line(
    translator, tmp_path, monkeypatch, uninstall, capsys, missing, texts, words
):
    path = tmp_path / "words.s2s"
    export(translator, path)
    if missing is not None:
        uninstall(missing)
    with pytest.raises(SystemExit) as leaving:
        run_example(monkeypatch, capsys, path, *texts)
    said = capsys.readouterr().err
    assert leaving.value.code == 2
    assert words in said and said.count("\n") == 1


def test_mistakes_are_named(translator, trained, tmp_path, uninstall):
    with pytest.raises(UserError, match="cannot be written"):
        export(translator, tmp_path / "missing" / "words.s2s")
    uninstall("flatbuffers")
    with pytest.raises(UserError, match="needs flatbuffers; install it with"):
        export(translator, tmp_path / "words.s2s")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 but no archive", b"{}"])
def test_the_example_says_in_one_line_what_it_cannot_run(tmp_path, monkeypatch, capsys, content):
    path = tmp_path / "nope.s2s"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as leaving:
        run_example(monkeypatch, capsys, path, "a b")
    assert leaving.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"{path} is not what decode.py --export wrote: ")
    assert printed.count("\n") == 1
