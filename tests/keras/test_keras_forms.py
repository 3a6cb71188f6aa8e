"""Models as people join them: those that ours can express answer as Keras does.

Each is made, asked and saved by Keras itself, with random weights.
"""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_keras_forms import FORMS, LENGTHS, SOURCE, TARGET

from s2s_jax.decoding.translator import Translator
from s2s_jax.keras.importing import convert
from s2s_jax.keras.reading.models import read_model
from s2s_jax.keras.request import ImportRequest

pytestmark = pytest.mark.slow


def lively(model):
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0, 0.7, array.shape) for array in model.get_weights()])
    bias = next(w for w in model.weights[::-1] if w.shape == (len(TARGET),))
    bias.assign(np.where([symbol in ("", "\t") for symbol in TARGET], -20, bias))
    return model


def names_of(folder, model, padding):
    """The JSON of symbols; a shared Embedding has as many on both sides."""
    spare = [f"<{i}>" for i in range(len(TARGET) - len(SOURCE))]
    shared = len(model.inputs) and sum("embedding" in layer.name for layer in model.layers) == 1
    path = folder / "names.json"
    path.write_text(json.dumps({
        "input_characters": [*SOURCE, *spare] if shared else SOURCE,
        "target_characters": TARGET, "tokens": "space" if shared else "char",
        "max_encoder_seq_length": LENGTHS[0], "max_decoder_seq_length": LENGTHS[1],
        "source_padding": padding,
    }))  # fmt: skip
    return path


@functools.partial(jax.jit, static_argnums=0)
def forward(model, params, *inputs):
    return jax.nn.softmax(model.apply({"params": params}, *inputs))


def compare(found, form, model, source):
    """Our answer is what Keras finds likeliest at every step, with the same probabilities."""
    translator = Translator(found.run, found.params)
    joined = " " if found.characters.target_tokenizer.kind == "space" else ""
    (answer,) = translator.translate([joined.join(source)])
    written = ["\t", *(answer.text.split() if joined else answer.text), *"\n" * answer.complete]
    rows = np.zeros((1, LENGTHS[0]), "int32")
    rows[0, : len(source)] = [SOURCE.index(symbol) for symbol in source]
    inputs = [rows, np.array([[TARGET.index(symbol) for symbol in written]])]
    places = found.characters.ids(found.run.source_vocabulary, found.run.target_vocabulary)
    reads = places.target_inputs[inputs[1]]
    if form.one_hot:
        inputs = [np.eye(n, dtype="float32")[ids] for n, ids in
                  zip((len(SOURCE), len(TARGET)), inputs, strict=True)]  # fmt: skip
        inputs[0][0, len(source) :] = 0
    wanted = np.asarray(model(inputs))
    if form.logits:
        wanted = np.asarray(jax.nn.softmax(wanted))
    likeliest = [TARGET[i] for i in wanted[0].argmax(axis=-1)]
    assert likeliest[: len(written) - 1] == written[1:]
    ids = found.run.source_encoder.encode(joined.join(source))[None]
    arrays = jax.tree.map(jnp.asarray, (ids, np.ones_like(ids, bool), reads))
    probabilities = np.asarray(forward(translator.model, translator.params, *arrays))
    np.testing.assert_allclose(probabilities[..., places.target_outputs], wanted, atol=1e-5)


@pytest.mark.parametrize("build", FORMS)
def test_answers_and_probabilities_are_keras_s(keras, tmp_path, build):
    form, model = build(keras)
    paths = [tmp_path / "s2s.keras", tmp_path / "s2s.h5"]
    for path in paths:
        lively(model).save(path)
    names = names_of(tmp_path, model, form.padding)
    found = convert(ImportRequest(paths[:1], vocabulary=[names]))
    for one, other in zip(
        *(jax.tree.leaves(read_model([path]).params) for path in paths), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    for source in ("abc", "eabcd"):
        compare(found, form, model, source)
