"""Models as people join them: those that ours cannot express are refused by name."""

import pytest
from s2s_keras_forms import SOURCE, UNITS, Form

from s2s_jax.errors import UserError
from s2s_jax.keras.reading.models import read_model

pytestmark = pytest.mark.slow


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


def attention_to_other_embeddings(form, outputs, decoded):
    other = form.layers.Embedding(len(SOURCE), 5, mask_zero=True)(form.source)
    found = form.layers.Concatenate()([outputs, other])
    queries = form.layers.Dense(UNITS + 5, use_bias=False)(decoded)
    context = form.layers.Attention()([queries, found])
    return form.layers.Concatenate()([context, decoded])


def attention_to_twice_the_outputs(form, outputs, decoded):
    found = form.layers.Concatenate()([outputs, outputs])
    queries = form.layers.Dense(2 * UNITS, use_bias=False)(decoded)
    context = form.layers.Attention()([queries, found])
    return form.layers.Concatenate()([context, decoded])


def heads_that_mix(form, outputs, decoded):
    context = form.layers.MultiHeadAttention(2, 3, use_bias=False)(decoded, outputs)
    return form.layers.Concatenate()([context, decoded])


def heads_with_biases(form, outputs, decoded):
    return form.layers.Concatenate()(
        [form.layers.MultiHeadAttention(2, 3)(decoded, outputs), decoded]
    )


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
        (attention_to_other_embeddings, "the Embedding that the encoder reads; found Embedding"),
        (attention_to_twice_the_outputs, "outputs, then its embeddings, in Concatenate"),
        (heads_that_mix, "a part each of queries and values; found mixtures"),
        (heads_with_biases, "use_bias False in MultiHeadAttention"),
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
    with pytest.raises(UserError, match="a functional model; found Sequential; train a model here"):
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
