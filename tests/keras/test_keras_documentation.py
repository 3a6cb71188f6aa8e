"""Everything that docs/keras.md tells a reader to type, on files of that name."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from s2s_keras_tutorial import FIXTURE, Data, decode_sequence, read_pairs
from s2s_testing import ROOT

from s2s_jax.keras.exporting import export_model
from s2s_jax.keras.importing import import_model
from s2s_jax.keras.request import ImportRequest

PAGE = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for language, block in BLOCKS if not language for line in block.splitlines()]
IN_TABLES = re.findall(r"`(import .*?|--vocabulary .*?)`", PAGE)
EXPECTED = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def files(tmp_path):
    """The files that the page names, of a small tutorial's model."""
    copies = {
        "tutorial.h5": ["s2s.h5"],
        "keras2_encoder.h5": ["encoder_model.h5"],
        "keras2_decoder.h5": ["decoder_model.h5"],
        "words.h5": ["words.h5"],
        "words.txt": ["words.txt"],
        "input_token_index.json": ["input_token_index.json"],
        "target_token_index.json": ["target_token_index.json"],
    }
    for name, targets in copies.items():
        for target in targets:
            shutil.copy(FIXTURE / name, tmp_path / target)
    lines = (FIXTURE / "pairs.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "fra.txt").write_text("".join(lines[:24]), encoding="utf-8")
    with zipfile.ZipFile(FIXTURE / "tutorial.keras") as archive:
        (tmp_path / "s2s.weights.h5").write_bytes(archive.read("model.weights.h5"))
        (tmp_path / "s2s.json").write_bytes(archive.read("config.json"))
    halves = {"encoder": {"lstm": "lstm"}, "decoder": {"lstm_1": "lstm", "dense": "dense"}}
    with h5py.File(tmp_path / "s2s.weights.h5") as whole:
        for half, layers in halves.items():
            with h5py.File(tmp_path / f"{half}.weights.h5", "w") as file:
                for there, here in layers.items():
                    whole.copy(f"layers/{there}", file, f"layers/{here}")
    return tmp_path


def type_here(run_here, line, *more):
    """A command line of the page, in this process."""
    program, *arguments = shlex.split(line)
    assert program == "python"
    script = arguments.pop(0)
    if script == "-m":
        assert arguments.pop(0) == "s2s_jax.keras"
        script = "s2s_jax/keras/__main__.py"
    done = run_here(script, *arguments, *more)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_the_commands_of_the_page(files, run_here):
    assert len(COMMANDS) == 5
    for line in COMMANDS:
        if " export " not in line:
            type_here(run_here, line, *(["--epochs", 1] if "--resume" in line else []))


@pytest.mark.slow
def test_the_imports_in_the_tables_of_the_page(files, run_here):
    imports = [command for command in IN_TABLES if command.startswith("import")]
    assert len(imports) == 5
    for command in imports:
        printed = type_here(run_here, f"python -m s2s_jax.keras {command}", "--overwrite")
        assert "15 source and 20 target symbols" in printed


@pytest.fixture(scope="module", params=["tutorial.keras", "masked.keras", "reserved.keras"])
def exported(request, tmp_path_factory):
    """A folder with the exported models, what Keras answered, and how it encodes texts."""
    pytest.importorskip("tensorflow")
    name, folder = request.param, tmp_path_factory.mktemp("exported")
    expected = EXPECTED[name]
    names = folder / "characters.json"
    names.write_text(json.dumps({**expected, "source_padding": expected["padding"]}))
    import_model(ImportRequest([FIXTURE / name], vocabulary=[names], out=folder / "run"))
    out = folder / "s2s.keras"
    assert export_model(folder / "run", out, True, "best", False) == 0
    lists = [expected["input_characters"], expected["target_characters"]]
    return folder, expected["decoded"], Data(read_pairs(), ids="reserved" in name, lists=lists)


def run_recipe(folder, words):
    """Runs the page's program for a format."""
    (program,) = [block for language, block in BLOCKS if language == "python" and words in block]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def floats(call):
    """A function of float32 arrays, some of them in a list."""

    def converted(arrays):
        arrays = arrays if isinstance(arrays, list) else [arrays]
        return [np.asarray(x) for x in call(*(np.asarray(a, np.float32) for a in arrays))]

    return converted


def check_answers(encoder, decoder, decoded, data):
    for source, text in decoded.items():
        inputs = data.source([source])
        assert decode_sequence(floats(encoder), floats(decoder), data, inputs) == text


@pytest.mark.slow
def test_a_saved_model_gives_the_answers_of_keras(exported):
    import tensorflow as tf

    folder, decoded, data = exported
    run_recipe(folder, ".export(name)")
    encoder, decoder = (tf.saved_model.load(str(folder / f"s2s_{half}"))
                        for half in ("encoder", "decoder"))  # fmt: skip
    check_answers(encoder.serve, lambda *x: decoder.serve(list(x)), decoded, data)


@pytest.mark.slow
def test_litert_gives_the_answers_of_keras(exported):
    import tensorflow as tf

    folder, decoded, data = exported
    run_recipe(folder, "litert")
    runners = [
        tf.lite.Interpreter(str(folder / f"s2s_{half}.tflite")).get_signature_runner()
        for half in ("encoder", "decoder")
    ]

    def call(runner):
        def run(*arrays):
            found = runner(**dict(zip(sorted(runner.get_input_details()), arrays, strict=True)))
            return [found[name] for name in sorted(found)]

        return run

    check_answers(*map(call, runners), decoded, data)


@pytest.mark.slow
def test_onnx_gives_the_answers_of_keras(exported):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    folder, decoded, data = exported
    run_recipe(folder, "onnx")
    sessions = [runtime.InferenceSession(folder / f"s2s_{half}.onnx")
                for half in ("encoder", "decoder")]  # fmt: skip

    def call(session):
        names = [item.name for item in session.get_inputs()]
        return lambda *arrays: session.run(None, dict(zip(names, arrays, strict=True)))

    check_answers(*map(call, sessions), decoded, data)
