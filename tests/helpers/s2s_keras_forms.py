"""Models as people join them of Keras's layers; each function returns a `Form` and its model."""

SOURCE, TARGET = ("", *"abcde"), ("", "\t", "\n", *"uvwxyz")
LENGTHS = (6, 7)  # Of the longest source and target.
UNITS = 6


class Form:
    """What the forms below are joined of."""

    def __init__(self, keras, masked=True, dims=(5, 5), one_hot=False):
        self.keras, self.layers = keras, keras.layers
        self.masked, self.one_hot, self.logits = masked, one_hot, False
        self.padding = "mask" if masked else "zeros"
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


def attention_to_outputs_and_embeddings(keras):
    form = Form(keras)
    outputs, h, c = form.both()
    found = form.layers.Concatenate()([outputs, form.read])
    decoded = form.decoder(h, c)
    queries = form.layers.Dense(found.shape[-1], use_bias=False)(decoded)
    context = form.layers.Attention(use_scale=True)([queries, found])
    return form, form.model(form.softmax(form.layers.Concatenate()([decoded, context])))


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


def an_encoder_that_goes_backwards(keras):
    form = Form(keras)
    _, h, c = form.layers.LSTM(UNITS, return_state=True, go_backwards=True)(form.read)
    return form, form.model(form.softmax(form.decoder(h, c)))


def a_stack_that_goes_backwards_through_padding(keras):
    form = Form(keras, masked=False)
    form.padding = "zeros-before"  # That is how the encoder reads it.
    settings = {"return_sequences": True, "return_state": True}
    read, _, _ = form.layers.LSTM(UNITS, go_backwards=True, **settings)(form.read)
    read, h, c = form.lstm()(read)
    decoded = form.decoder(h, c)
    context = form.layers.Attention()([decoded, read])
    return form, form.model(form.softmax(form.layers.Concatenate()([decoded, context])))


FORMS = [
    bidirectional, bidirectional_reads_padding, attention_without_a_tanh_layer,
    attention_with_a_narrow_tanh_layer, attention_with_projected_keys,
    attention_with_projected_queries, attention_to_outputs_and_embeddings, attention_of_dots,
    three_layers_handed_on, a_stack_before_one_lstm, the_top_states_for_all_but_the_last,
    averaged_states, dense_states, a_stack_with_attention_on_top, added_layers,
    a_shared_embedding, embeddings_of_two_sizes, logits_alone, two_linear_layers,
    an_encoder_that_goes_backwards, a_stack_that_goes_backwards_through_padding,
]  # fmt: skip
