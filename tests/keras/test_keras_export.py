"""What is refused is refused without Keras; the rest asks Keras itself, where it is installed."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_testing import PAIRS

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.building import build
from s2s_jax.keras.exporting import export_model, keras_view, own_characters
from s2s_jax.keras.importing import convert, import_model
from s2s_jax.keras.reading.graph import recognise
from s2s_jax.keras.reading.layers import parse
from s2s_jax.keras.request import ImportRequest
from s2s_jax.keras.weights import NEVER, vocab_sizes
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run, create_run

FIXTURE = Path(__file__).parent / "fixture"
NONE = Path("none")
EXPORTED = {
    "source_vocab_size",
    "target_vocab_size",
    "latent_dim",
    "embedding_dim",
    "recurrent_activation",
    "attention",
    "attention_heads",
    "attention_mix",
    "attend_embeddings",
    "bidirectional",
    "encoder_layers",
    "decoder_layers",
    "residual",
    "tie_embeddings",
    "writes_unk",
    "dropout",  # These have no part in answers.
    "token_dropout",
}


def random_run(tokens="char", embedding_dim=0, **parts):
    """A run that was begun here, with lively parameters."""
    sources, targets = zip(*PAIRS, strict=True)
    vocabularies = [Vocabulary.from_texts(texts, tokens) for texts in (sources, targets)]
    model = ModelConfig(*map(len, vocabularies), latent_dim=6, embedding_dim=embedding_dim,
                        **parts)  # fmt: skip
    run = Run(RunConfig(DataConfig(), model, TrainConfig(), 12, ""), *vocabularies)
    ids = np.zeros((1, 1), np.int32)
    params = jax.jit(Seq2Seq(model).init)(jax.random.key(1), ids, ids == 0, ids)["params"]
    return run, jax.tree.map(lambda x: np.asarray(x) * 3, params)


def test_the_export_knows_every_feature_of_a_model():
    """A new one is to be exported, or refused, before it is listed here."""
    every = {field.name for field in dataclasses.fields(ModelConfig)}
    assert every == EXPORTED


def test_subwords_have_no_place_in_an_export(tmp_path):
    create_run(tmp_path, random_run("subword")[0])
    with pytest.raises(UserError, match="no place for --tokens subword"):
        export_model(tmp_path, tmp_path / "s2s.keras", False, "best", False)


def test_without_keras_it_says_how_to_get_it(trained, tmp_path, uninstall):
    uninstall("keras")
    with pytest.raises(UserError, match="pip install keras"):
        export_model(trained[1], tmp_path / "s2s.keras", True, "best", False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "message"),
    [("s2s.onnx", r"\.keras or \.h5"), ("no/s2s.keras", "no such folder"), ("a.h5", "is there")],
)
def test_where_to_is_checked_first(trained, tmp_path, out, message):
    (tmp_path / "a.h5").touch()
    with pytest.raises(UserError, match=message):
        export_model(trained[1], tmp_path / out, False, "best", False)


@pytest.mark.parametrize(("tokens", "embedding_dim"), [("char", 0), ("word", 0), ("char", 4)])
def test_a_run_of_ours_has_the_tutorial_s_characters(tokens, embedding_dim):
    run, params = random_run(tokens, embedding_dim)
    characters, weights = keras_view(run, params, NONE)
    assert characters == own_characters(run)
    assert characters.target_characters[:2] == ("\t", "\n")
    assert (characters.input_characters[0] == "<pad>") == (embedding_dim > 0)
    assert ("<unk>" in characters.input_characters) == (tokens == "word")
    bias = weights["decoder"]["output"]["bias"]
    never = [c for c, b in zip(characters.target_characters, bias) if b == NEVER]  # noqa: B905
    assert never == ["\t"] + ["<unk>"] * (tokens == "word")
    assert vocab_sizes(weights)[0] == len(characters.input_characters)
    # Those rows are the run's.
    i = characters.input_characters.index(run.source_vocabulary.symbols[-1])
    rows = params["encoder"]["inputs"]
    wanted = rows["embedding"]["embedding"] if embedding_dim else rows["kernel"]
    found = weights["encoder"]["inputs"]
    found = found["embedding"]["embedding"] if embedding_dim else found["kernel"]
    np.testing.assert_array_equal(found[i], wanted[-1])


def test_names_that_do_not_fit_the_run_are_refused(tmp_path):
    run, params = random_run()
    path = tmp_path / "keras.json"
    path.write_text(json.dumps(own_characters(run).to_json()), encoding="utf-8")
    with pytest.raises(UserError, match="does not fit"):
        keras_view(run, params, path)


class Tutorial:
    """What the tutorial's decode loop needs, from the JSON beside an exported model."""

    def __init__(self, characters, ids):
        self.input_characters = list(characters["input_characters"])
        self.target_characters = list(characters["target_characters"])
        self.target_length = characters["max_decoder_seq_length"]
        self.source_length = characters.get("max_encoder_seq_length", 20)
        self.ids = ids
        self.padding = characters["source_padding"]

    def encoded(self, tokens, symbols, length):
        rows = np.zeros((1, length), "int32")
        rows[0, : len(tokens)] = [symbols.index(token) for token in tokens]
        if self.padding == "space" and symbols is self.input_characters:
            rows[0, len(tokens) :] = symbols.index(" ")
        one_hot = np.eye(len(symbols), dtype="float32")[rows]
        if self.padding != "space":
            one_hot[0, len(tokens) :] = 0
        return rows if self.ids else one_hot


PARTS = [
    {"attention": "luong"},
    {"attention": "luong", "bidirectional": True, "embedding_dim": 4, "tie_embeddings": True},
    {"bidirectional": True, "encoder_layers": 2},
    {"encoder_layers": 3, "decoder_layers": 2, "attention": "luong", "bidirectional": True},
    {"decoder_layers": 2, "embedding_dim": 4, "tie_embeddings": True},
    {"decoder_layers": 2, "encoder_layers": 2, "residual": False, "attention": "luong"},
    {"attention": "luong", "attention_mix": False, "embedding_dim": 4, "tie_embeddings": True},
    {"attention": "luong", "bidirectional": True, "embedding_dim": 4, "attend_embeddings": True},
    {"attention": "luong", "attention_heads": 3, "bidirectional": True, "decoder_layers": 2},
    {
        "attention": "luong", "attention_heads": 2, "attend_embeddings": True, "embedding_dim": 4,
        "bidirectional": True, "tie_embeddings": True,
    },
]  # fmt: skip


@pytest.mark.slow
def test_states_that_are_joined_along_another_axis_are_refused_at_any_depth():
    keras = pytest.importorskip("keras")
    run, params = random_run(bidirectional=True, encoder_layers=2)
    _, weights = keras_view(run, params, NONE)
    config = json.loads(build(keras, run.config, weights)["training"].to_json())
    joins = [layer for layer in config["config"]["layers"] if layer["class_name"] == "Concatenate"]
    assert len(joins) == 6  # h and c of each of two layers, and of both.
    for join in joins:
        recognise(parse(config))
        join["config"]["axis"] = 0
        with pytest.raises(UserError, match="axis -1 in Concatenate"):
            recognise(parse(config))
        join["config"]["axis"] = -1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tokens", "parts"),
    [("char", {}), ("word", {}), ("char", {"embedding_dim": 4})] + [("char", p) for p in PARTS],
    ids=str,
)
def test_keras_gives_the_answers_and_probabilities_of_our_run(tmp_path, tokens, parts):
    keras = pytest.importorskip("keras")
    from s2s_keras_tutorial import decode_sequence

    run, params = random_run(tokens, **parts)
    embedding_dim = run.config.model.embedding_dim
    characters, weights = keras_view(run, params, NONE)
    models = build(keras, run.config, weights)
    data = Tutorial(characters.to_json() | {"max_decoder_seq_length": 11}, embedding_dim > 0)
    translator = Translator(run, params)
    vocabulary = run.source_vocabulary
    for source, target in PAIRS[::5]:
        known = [vocabulary.symbols[i] for i in run.source_encoder.encode(source)]
        # The decoder's attention does not know what is padding.
        length = len(known) if run.config.model.attention == "luong" else 20
        inputs = data.encoded(known, data.input_characters, length)
        (answer,) = translator.translate([source])
        if tokens == "char":
            decoded = decode_sequence(models["encoder"], models["decoder"], data, inputs)
            assert decoded == answer.text + ("\n" if answer.complete else "")
        ids = np.append(Vocabulary.bos_id, run.target_vocabulary.encode(target))
        named = {Vocabulary.bos_id: "\t"}
        reads = [named.get(i, run.target_vocabulary.symbols[i]) for i in ids.tolist()]
        reads = data.encoded(reads, data.target_characters, len(ids))
        found = np.asarray(models["training"]([inputs, reads]))[0]
        rows = (run.source_encoder.encode(source)[None], np.ones((1, len(known)), bool), ids[None])
        arrays = jax.tree.map(jnp.asarray, rows)
        logits = translator.model.apply({"params": translator.params}, *arrays)[0]
        # What decoding never writes has no share.
        logits = logits.at[:, [Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id]].set(-1e9)
        places = characters.ids(vocabulary, run.target_vocabulary).target_outputs
        wanted = np.asarray(jax.nn.softmax(logits))[:, places]
        np.testing.assert_allclose(found, wanted, atol=1e-5)

    # And it comes back, whole or in halves.
    models["training"].save(tmp_path / "whole.keras")
    models["encoder"].save(tmp_path / "encoder.h5")
    models["decoder"].save(tmp_path / "decoder.h5")
    names = tmp_path / "names.json"
    names.write_text(json.dumps(characters.to_json()), encoding="utf-8")
    sources = [source for source, _ in PAIRS[::5]]
    for files in (["whole.keras"], ["decoder.h5", "encoder.h5"]):
        again = convert(ImportRequest([tmp_path / f for f in files], vocabulary=[names]))
        assert again.config.model.attention == run.config.model.attention
        assert again.config.model.tie_embeddings == run.config.model.tie_embeddings
        assert again.config.model.attend_embeddings == run.config.model.attend_embeddings
        assert again.config.model.attention_heads == run.config.model.attention_heads
        assert Translator(again.run, again.params)(sources) == translator(sources)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_of_an_imported_run_are_keras_s_again(tmp_path, suffix):
    keras = pytest.importorskip("keras")
    from s2s_keras_tutorial import Data, decode_sequence, read_pairs

    asked = ImportRequest(
        [FIXTURE / "tutorial.keras"], str(FIXTURE / "pairs.txt"), 24, out=tmp_path / "r"
    )
    import_model(asked)
    out = tmp_path / f"s2s{suffix}"
    arguments = (tmp_path / "r", out, True, "best", False)
    assert export_model(*arguments) == 0
    with pytest.raises(UserError, match="is there already"):
        export_model(*arguments)
    again = convert(asked._replace(models=[out]))
    for one, other in zip(
        jax.tree.leaves(again.params), jax.tree.leaves(convert(asked).params), strict=True
    ):
        assert one.tobytes() == other.tobytes()
    encoder, decoder = (
        keras.models.load_model(tmp_path / f"s2s_{name}{suffix}") for name in ("encoder", "decoder")
    )
    expected = json.loads((FIXTURE / "expected.json").read_text(encoding="utf-8"))
    data = Data(read_pairs())
    for source, text in expected["tutorial.keras"]["decoded"].items():
        assert decode_sequence(encoder, decoder, data, data.source([source])) == text


@pytest.mark.slow
def test_files_of_our_run_are_trained_on_by_keras_and_come_back(trained, tmp_path):
    keras = pytest.importorskip("keras")
    out = tmp_path / "s2s.keras"
    export_model(trained[1], out, False, "best", False)
    training = keras.models.load_model(out)
    assert training.optimizer.name == "adam"
    names = tmp_path / "s2s_characters.json"
    found = convert(ImportRequest([out], vocabulary=[names]))
    sources = [source for source, _ in PAIRS]
    assert Translator(found.run, found.params)(sources) == Translator.load(trained[1])(sources)
    import_model(ImportRequest([out], vocabulary=[names], out=tmp_path / "r"))
    export_model(tmp_path / "r", tmp_path / "again.keras", False, "best", False)
    assert (tmp_path / "again_characters.json").read_text() == names.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras2.h5", "keras3.keras"])
def test_hard_gates_are_those_of_keras_3_again(tmp_path, name):
    keras = pytest.importorskip("keras")
    from s2s_keras_tutorial import Data, decode_sequence, read_pairs

    layouts = json.loads((FIXTURE / "layouts.json").read_text(encoding="utf-8"))
    expected = layouts[name.split(".")[0]]
    names = tmp_path / "names.json"
    keys = ("input_characters", "target_characters", "max_encoder_seq_length",
            "max_decoder_seq_length")  # fmt: skip
    names.write_text(json.dumps({key: expected[key] for key in keys}))
    import_model(ImportRequest([FIXTURE / name], vocabulary=[names], out=tmp_path / "r"))
    out = tmp_path / "s2s.keras"
    export_model(tmp_path / "r", out, True, "best", False)
    lists = [expected[key] for key in keys[:2]]
    data = Data(read_pairs(), ids=name == "keras3.keras", lists=lists)
    training, encoder, decoder = (
        keras.models.load_model(tmp_path / f"s2s{half}.keras")
        for half in ("", "_encoder", "_decoder")
    )
    for source, text in expected["decoded"].items():
        assert decode_sequence(encoder, decoder, data, data.source([source])) == text
    found = np.asarray(training([data.source(data.sources[:1]), data.target(data.targets[:1])]))[0]
    np.testing.assert_allclose(found, expected["probabilities"], atol=1e-5)
