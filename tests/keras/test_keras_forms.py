"""Models as people join them: those that ours can express answer as Keras does.

Each is made, asked and saved by Keras itself, with random weights.
"""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.keras.importing import convert
from s2s_jax.keras.reading.models import read_model
from s2s_jax.keras.request import ImportRequest

pytestmark = pytest.mark.slow

SOURCE, TARGET = ("", *"abcde"), ("", "\t", "\n", *"uvwxyz")
LENGTHS = (6, 7)  # Of the longest source and target.
UNITS = 6


@pytest.fixture(scope="module")
def keras():
    from s2s_jax.keras.building import import_keras

    pytest.importorskip("h5py")
    try:
        return import_keras()
    except UserError as error:
        pytest.skip(str(error))


class Form:
    """What the forms below are joined of."""

    def __init__(self, keras, masked=True, dims=(5, 5), one_hot=False):
        self.keras, self.layers = keras, keras.layers
        self.masked, self.one_hot, self.logits = masked, one_hot, False
        self.source, self.read = self._side(len(SOURCE), dims[0])
        self.target, self.written = self._side(len(TARGET), dims[1])

    def _side(self, size, dim):
        if self.one_hot:
            tensor = self.layers.Input((None, size))
            return tensor, self.layers.Masking()(tensor) if self.masked else tensor
        tensor = self.layers.Input((None,))
        return tensor, self.layers.Embedding(size, dim, mask_zero=self.masked)(tensor)

    def lstm(self, units=UNITS):
        return self.layers.LSTM(units, return_sequences=True, return_state=True)

    def both(self):
        """Outputs, h and c of a bidirectional layer, as tutorials join them."""
        join = self.layers.Concatenate
        outputs, fh, fc, bh, bc = self.layers.Bidirectional(self.lstm(UNITS // 2))(self.read)
        return outputs, join()([fh, bh]), join()([fc, bc])

    def decoder(self, h, c):
        return self.lstm()(self.written, initial_state=[h, c])[0]

    def softmax(self, tensor):
        return self.layers.Dense(len(TARGET), activation="softmax")(tensor)

    def model(self, outputs):
        return self.keras.Model([self.source, self.target], outputs)


def bidirectional(keras):
    form = Form(keras)
    _, h, c = form.both()
    return form, form.model(form.softmax(form.decoder(h, c)))


def bidirectional_reads_padding(keras):
    form = Form(keras, masked=False)
    _, h, c = form.both()
    return form, form.model(form.softmax(form.decoder(h, c)))


def attention_without_a_tanh_layer(keras):
    form = Form(keras)
    outputs, h, c = form.both()
    decoded = form.decoder(h, c)
    context = form.layers.Attention()([decoded, outputs])
    return form, form.model(form.softmax(form.layers.Concatenate()([decoded, context])))


def attention_with_a_narrow_tanh_layer(keras):
    form = Form(keras)
    outputs, h, c = form.lstm()(form.read)
    decoded = form.decoder(h, c)
    context = form.layers.Attention(use_scale=True, dropout=0.2)([decoded, outputs])
    joined = form.layers.Concatenate(axis=-1)([context, form.layers.Dropout(0.2)(decoded)])
    mixed = form.layers.TimeDistributed(form.layers.Dense(4, activation="tanh"))(joined)
    logits = form.layers.TimeDistributed(form.layers.Dense(len(TARGET)))(mixed)
    return form, form.model(form.layers.Activation("softmax")(logits))


def attention_with_projected_keys(keras):
    form = Form(keras, one_hot=True)
    outputs, h, c = form.both()
    decoded = form.decoder(h, c)
    keys = form.layers.Dense(UNITS)(outputs)
    context = form.layers.Attention()([decoded, outputs, keys])
    mixed = form.layers.Dense(UNITS, activation="tanh", use_bias=False)(
        form.layers.Concatenate()([decoded, context])
    )
    return form, form.model(form.softmax(mixed))


def attention_with_projected_queries(keras):
    form = Form(keras)
    outputs, h, c = form.lstm()(form.read)
    decoded = form.decoder(h, c)
    queries = form.layers.Dense(UNITS, use_bias=False)(decoded)
    context = form.layers.Attention()([queries, outputs])
    return form, form.model(form.softmax(form.layers.Concatenate()([context, decoded])))


def attention_of_dots(keras):
    form = Form(keras, masked=False)
    outputs, h, c = form.lstm()(form.read)
    decoded = form.decoder(h, c)
    weights = form.layers.Activation("softmax")(form.layers.Dot(axes=[2, 2])([decoded, outputs]))
    context = form.layers.Dot(axes=[2, 1])([weights, outputs])
    mixed = form.layers.Dense(UNITS, activation="tanh")(
        form.layers.Concatenate()([context, decoded])
    )
    return form, form.model(form.softmax(mixed))


def three_layers_handed_on(keras):
    form = Form(keras, one_hot=True)
    read, written, states = form.read, form.written, []
    for _ in range(3):
        read, h, c = form.lstm()(read)
        read = form.layers.Dropout(0.3)(read)
        states.append([h, c])
    for state in states:
        written, _, _ = form.lstm()(written, initial_state=state)
    return form, form.model(form.softmax(written))


def a_stack_before_one_lstm(keras):
    form = Form(keras)
    read, _, _ = form.lstm()(form.read)
    read, _, _ = form.lstm()(read)
    _, h, c = form.layers.LSTM(UNITS, return_state=True)(read)
    return form, form.model(form.softmax(form.decoder(h, c)))


def the_top_states_for_all_but_the_last(keras):
    form = Form(keras)
    read, _, _ = form.lstm()(form.read)
    _, h, c = form.lstm()(read)
    written = form.written
    for state in ([h, c], [h, c], None):
        written, _, _ = form.lstm()(written, initial_state=state)
    return form, form.model(form.softmax(written))


def averaged_states(keras):
    form = Form(keras)
    read, h1, c1 = form.lstm()(form.read)
    _, h2, c2 = form.lstm()(read)
    states = [form.layers.Average()([h1, h2]), form.layers.Add()([c1, c2])]
    written, _, _ = form.lstm()(form.written, initial_state=states)
    written, _, _ = form.lstm()(written, initial_state=[h1, c2])
    return form, form.model(form.softmax(written))


def dense_states(keras):
    form = Form(keras)
    _, h, c = form.both()
    h, c = form.layers.Dense(UNITS)(h), form.layers.Dense(UNITS, use_bias=False)(c)
    return form, form.model(form.softmax(form.decoder(h, c)))


def a_stack_with_attention_on_top(keras):
    form = Form(keras)
    read, h1, c1 = form.lstm()(form.read)
    read, h2, c2 = form.lstm()(read)
    written, _, _ = form.lstm()(form.written, initial_state=[h1, c1])
    written, _, _ = form.lstm()(written, initial_state=[h2, c2])
    context = form.layers.Attention()([written, read])
    return form, form.model(form.softmax(form.layers.Concatenate()([written, context])))


def added_layers(keras):
    form = Form(keras)
    read, h1, c1 = form.lstm()(form.read)
    above, h2, c2 = form.lstm()(read)
    read = form.layers.Add()([above, read])
    written, _, _ = form.lstm()(form.written, initial_state=[h1, c1])
    context = form.layers.Attention()([written, read])
    written = form.layers.Concatenate()([written, context])
    written = form.layers.Dense(UNITS, activation="tanh")(written)
    above, _, _ = form.lstm()(written, initial_state=[h2, c2])
    return form, form.model(form.softmax(form.layers.add([written, above])))


def a_shared_embedding(keras):
    form = Form(keras)
    shared = form.layers.Embedding(len(TARGET), 5, mask_zero=True)
    _, h, c = form.lstm()(shared(form.source))
    form.written = shared(form.target)
    return form, form.model(form.softmax(form.decoder(h, c)))


def embeddings_of_two_sizes(keras):
    form = Form(keras, dims=(3, 7))
    _, h, c = form.both()
    return form, form.model(form.softmax(form.decoder(h, c)))


def logits_alone(keras):
    form = Form(keras)
    _, h, c = form.lstm()(form.read)
    form.logits = True
    return form, form.model(form.layers.Dense(len(TARGET))(form.decoder(h, c)))


def two_linear_layers(keras):
    form = Form(keras)
    _, h, c = form.lstm()(form.read)
    logits = form.layers.Dense(len(TARGET))(form.layers.Dense(4)(form.decoder(h, c)))
    return form, form.model(form.layers.Softmax()(logits))


FORMS = [
    bidirectional, bidirectional_reads_padding, attention_without_a_tanh_layer,
    attention_with_a_narrow_tanh_layer, attention_with_projected_keys,
    attention_with_projected_queries, attention_of_dots, three_layers_handed_on,
    a_stack_before_one_lstm, the_top_states_for_all_but_the_last, averaged_states, dense_states,
    a_stack_with_attention_on_top, added_layers, a_shared_embedding, embeddings_of_two_sizes,
    logits_alone, two_linear_layers,
]  # fmt: skip


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
    names = names_of(tmp_path, model, "mask" if form.masked else "zeros")
    found = convert(ImportRequest(paths[:1], vocabulary=[names]))
    for one, other in zip(
        *(jax.tree.leaves(read_model([path]).params) for path in paths), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    for source in ("abc", "eabcd"):
        compare(found, form, model, source)


def additive(form, outputs, decoded):
    context = form.layers.AdditiveAttention()([decoded, outputs])
    return form.layers.Concatenate()([decoded, context])


def batch_normalization(form, outputs, decoded):
    return form.layers.BatchNormalization()(decoded)


def relu(form, outputs, decoded):
    return form.layers.Dense(4, activation="relu")(decoded)


def a_sum_with_a_number(form, outputs, decoded):
    return decoded + 1.0


def dots_that_read_padding(form, outputs, decoded):
    weights = form.layers.Softmax()(form.layers.Dot(axes=[2, 2])([decoded, outputs]))
    return form.layers.Concatenate()([form.layers.Dot(axes=[2, 1])([weights, outputs]), decoded])


def attention_to_itself(form, outputs, decoded):
    context = form.layers.Attention()([decoded, decoded])
    return form.layers.Concatenate()([context, decoded])


def a_wide_tanh_layer(form, outputs, decoded):
    context = form.layers.Attention()([decoded, outputs])
    joined = form.layers.Concatenate()([context, decoded])
    return form.layers.Dense(UNITS + 1, activation="tanh")(joined)


def concatenated_embeddings(form, outputs, decoded):
    return form.layers.Concatenate()([decoded, form.written])


def two_directions(form, outputs, decoded):
    lstm = form.layers.LSTM(UNITS // 2, return_sequences=True)
    return form.layers.Bidirectional(lstm)(decoded)


@pytest.mark.parametrize(
    ("above", "message"),
    [
        (additive, "AdditiveAttention 'additive_attention"),
        (batch_normalization, "BatchNormalization 'batch_normalization"),
        (relu, "'tanh' in Dense .*; found relu"),
        (a_sum_with_a_number, "LSTM's outputs; found tensor 0 of Add"),
        (dots_that_read_padding, "skips padding .*; found Dot"),
        (attention_to_itself, "an encoder of one stack of LSTMs"),
        (a_wide_tanh_layer, "no wider than the LSTMs, 6; found 7"),
        (concatenated_embeddings, "a context and the decoder's outputs in Concatenate"),
        (two_directions, "one direction in the decoder; found Bidirectional"),
    ],
)
def test_what_ours_cannot_express_is_refused_by_name(keras, tmp_path, above, message):
    form = Form(keras)
    outputs, h, c = form.lstm()(form.read)
    form.model(form.softmax(above(form, outputs, form.decoder(h, c)))).save(tmp_path / "s2s.keras")
    with pytest.raises(UserError, match=message) as error:
        read_model([tmp_path / "s2s.keras"])
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_other_kinds_of_models_are_refused_by_name(keras, tmp_path):
    layers = keras.layers
    form = Form(keras)
    path = tmp_path / "s2s.keras"
    keras.Sequential([layers.Input((6,)), layers.Embedding(5, 4), layers.LSTM(3)]).save(path)
    with pytest.raises(UserError, match="a functional model; found Sequential"):
        read_model([path])
    _, h, c = form.lstm()(form.read)
    inner = form.model(form.softmax(form.decoder(h, c)))
    source, target = layers.Input((None,)), layers.Input((None,))
    keras.Model([source, target], inner([source, target])).save(path)
    with pytest.raises(UserError, match="found Functional 'functional"):
        read_model([path])
    _, fh, fc, _, _ = layers.Bidirectional(form.lstm())(form.read)
    form.model(form.softmax(form.decoder(fh, fc))).save(path)
    with pytest.raises(UserError, match=r"as many units .*Bidirectional .* 6 \+ 6"):
        read_model([path])
    form = Form(keras)
    _, state = layers.GRU(UNITS, return_state=True)(form.read)
    written = layers.GRU(UNITS, return_sequences=True)(form.written, initial_state=state)
    form.model(form.softmax(written)).save(path)
    with pytest.raises(UserError, match="found GRU 'gru"):
        read_model([path])
