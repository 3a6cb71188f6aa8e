import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from s2s_jax.config import ModelConfig
from s2s_jax.errors import UserError
from s2s_jax.model import decoder, reading
from s2s_jax.model.dropout import row_keys
from s2s_jax.model.recurrence import plain_unroll, product
from s2s_jax.model.seq2seq import Seq2Seq

BATCH, SOURCE, TARGET = 3, 7, 6


@functools.partial(jax.jit, static_argnames=("model", "method"))
def apply(model, params, *inputs, method="__call__"):
    """One program instead of one for each operation."""
    return model.apply(params, *inputs, method=method)


@functools.partial(jax.jit, static_argnames="model")
def init(model, *inputs):
    return model.init(jax.random.key(0), *inputs)


@pytest.fixture(scope="module", params=[0, 5], ids=["one-hot", "embedded"])
def model(request):
    return Seq2Seq(ModelConfig(11, 13, latent_dim=8, embedding_dim=request.param))


EVERYTHING = {
    "latent_dim": 8,
    "embedding_dim": 5,
    "attention": "luong",
    "bidirectional": True,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "tie_embeddings": True,
    "attend_embeddings": True,
    "dropout": 0.3,
}
ATTENTIVE = {"latent_dim": 8, "attention": "luong", "bidirectional": True}
EVERY_MODEL = {
    "tutorial": {"latent_dim": 8},
    "attentive": ATTENTIVE,
    "heads": {**ATTENTIVE, "embedding_dim": 4, "attention_heads": 2, "attend_embeddings": True},
    "everything": EVERYTHING,
}


@pytest.fixture(scope="module", params=EVERY_MODEL)
def any_model(request, batch):
    """A model and its parameters."""
    model = Seq2Seq(ModelConfig(11, 13, **EVERY_MODEL[request.param]))
    return model, init(model, *batch)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    source = rng.integers(4, 11, (BATCH, SOURCE))
    mask = np.arange(SOURCE) < np.array([[7], [4], [1]])
    target = rng.integers(1, 13, (BATCH, TARGET))
    return jax.tree.map(jnp.asarray, (source * mask, mask, target))


@pytest.fixture(scope="module")
def params(model, batch):
    return init(model, *batch)


def test_what_is_looked_up_in_tables_is_what_would_be_computed(any_model, batch):
    model, params = any_model
    source, mask, target = batch
    _, tables = model.apply(params, method="make_tables", mutable="tables")
    assert jax.tree.leaves(tables)

    def views(variables):
        state = apply(model, variables, source, mask, method="encode")
        return state, apply(model, variables, *state, target[:, 0], method="decode_step")

    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
    jax.tree.map(close, views({**params, **tables}), views(params))


def test_teacher_forced_logits_equal_chained_decode_steps(any_model, batch):
    model, params = any_model
    source, mask, target = batch
    logits = apply(model, params, *batch)
    assert logits.shape == (BATCH, TARGET, 13)
    carry, memory = apply(model, params, source, mask, method="encode")
    for t in range(TARGET):
        carry, step_logits = apply(model, params, carry, memory, target[:, t], method="decode_step")
        np.testing.assert_allclose(step_logits, logits[:, t], rtol=1e-5, atol=1e-6)


def test_one_set_of_parameters_serves_all_views(any_model, batch):
    model, params = any_model
    source, mask, target = batch
    state = apply(model, params, source, mask, method="encode")

    def shapes_of(method, *inputs):
        init = functools.partial(model.init, method=method)
        return jax.tree.map(jnp.shape, jax.eval_shape(init, jax.random.key(0), *inputs)["params"])

    shapes = jax.tree.map(jnp.shape, params["params"])
    assert set(shapes) == {"encoder", "decoder"}
    assert shapes_of("encode", source, mask) == {"encoder": shapes["encoder"]}
    assert shapes_of("decode_step", *state, target[:, 0]) == {"decoder": shapes["decoder"]}


@pytest.mark.parametrize("extra", [1, 5])
def test_extra_padding_changes_nothing(any_model, batch, extra):
    model, params = any_model
    source, mask, target = batch
    wanted, _ = apply(model, params, source, mask, method="encode")
    # Whatever ids stand in the padding.
    junk = np.full((BATCH, extra), 9)
    source, mask = np.hstack([source, junk]), np.hstack([mask, junk < 0])
    found, _ = apply(model, params, source, mask, method="encode")
    # Before jax 0.8 the last bit of what a product adds up may depend on the number of rows.
    share = 0 if jax.__version_info__ >= (0, 8) else 1e-6
    for before, after in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(after, before, rtol=0, atol=share * np.abs(before).max())
    # Attention adds up over more positions, in another order.
    logits = apply(model, params, source, mask, target)
    np.testing.assert_allclose(logits, apply(model, params, *batch), rtol=1e-5, atol=1e-6)


def test_padding_gets_no_gradient(any_model, batch):
    model, params = any_model
    source, mask, target = batch

    @jax.jit
    @jax.grad
    def gradient(params, source):
        return jnp.square(model.apply(params, source, mask, target)).sum()

    junk = jnp.where(mask, source, 10)
    wanted = gradient(params, source)
    found = gradient(params, junk)
    jax.tree.map(lambda f, w: np.testing.assert_allclose(f, w, atol=1e-5), found, wanted)


def test_gradients_equal_those_of_plain_scans(any_model, batch, monkeypatch):
    model, params = any_model

    def gradient():
        return jax.jit(jax.grad(lambda p: jnp.square(model.apply(p, *batch)).sum()))(params)

    found = gradient()
    for module in (decoder, reading):
        monkeypatch.setattr(module, "unroll", plain_unroll)
    wanted = gradient()
    jax.tree.map(lambda f, w: np.testing.assert_allclose(f, w, rtol=1e-4, atol=1e-5), found, wanted)


def test_rows_do_not_see_each_other(any_model, batch):
    model, params = any_model
    source, mask, target = batch
    together = apply(model, params, *batch)
    for row in range(BATCH):
        one = slice(row, row + 1)
        alone = apply(model, params, source[one], mask[one], target[one])
        np.testing.assert_allclose(alone[0], together[row], rtol=1e-5, atol=1e-6)


def test_an_empty_source_leaves_the_initial_carry(any_model):
    model, params = any_model
    tokens = np.full((2, 3), 5)
    carry, _ = apply(model, params, tokens, np.zeros((2, 3), bool), method="encode")
    assert all((x == 0).all() for x in jax.tree.leaves(carry))


def test_decoder_does_not_see_the_future(any_model, batch):
    model, params = any_model
    source, mask, target = batch
    changed = target.at[:, 3:].set(2)
    before = apply(model, params, source, mask, target)[:, :3]
    after = apply(model, params, source, mask, changed)[:, :3]
    np.testing.assert_array_equal(before, after)


def test_row_lookup_equals_multiplying_one_hots(batch):
    model = Seq2Seq(ModelConfig(11, 13, latent_dim=8))
    params = init(model, *batch)
    source = batch[0]
    inputs = params["params"]["encoder"]["inputs"]
    vectors = jax.nn.one_hot(source, 11) * (source != 0)[..., None]  # Zeros for <pad>.
    one_hot = vectors @ inputs["kernel"] + inputs["bias"]
    looked_up = model.apply(params, source, method=lambda m, x: m.encoder.inputs(x))
    np.testing.assert_allclose(looked_up, one_hot, rtol=1e-6, atol=1e-7)


def test_initialisers_are_keras_s(model, params):
    lstm = params["params"]["encoder"]
    bias = np.asarray(lstm["inputs"]["bias"]).reshape(4, 8)
    np.testing.assert_array_equal(bias, [[0] * 8, [1] * 8, [0] * 8, [0] * 8])
    kernel = np.asarray(lstm["inputs"]["kernel"])
    limit = np.sqrt(6 / sum(kernel.shape))  # Glorot & Bengio (2010).
    assert limit / 2 < np.abs(kernel).max() <= limit
    assert (np.asarray(params["params"]["decoder"]["output"]["bias"]) == 0).all()


def lowered_products(model, params, batch):
    """The matrix products of a training gradient and of a decode step, as they are compiled."""

    def loss(params):
        return model.apply(params, *batch).sum()

    def step(params):
        state = model.apply(params, *batch[:2], method="encode")
        return model.apply(params, *state, batch[2][:, 0], method="decode_step")

    text = "".join(jax.jit(f).lower(params).as_text() for f in (jax.grad(loss), step))
    return [line for line in text.splitlines() if "dot_general" in line]


def test_every_float32_product_is_one_on_every_device(model, params, batch):
    products = lowered_products(model, params, batch)
    assert len(products) >= 11
    assert all("precision = [HIGHEST, HIGHEST]" in line for line in products)


def test_bfloat16_is_for_products_alone(model, params, batch):
    half = Seq2Seq(model.config, dtype=jnp.bfloat16)
    jax.tree.map(np.testing.assert_array_equal, init(half, *batch), params)
    carry, _ = apply(half, params, *batch[:2], method="encode")
    logits = apply(half, params, *batch)
    assert {x.dtype for x in jax.tree.leaves((carry, logits))} == {jnp.dtype("float32")}
    wanted = apply(model, params, *batch)
    assert (logits != wanted).any()
    np.testing.assert_allclose(logits, wanted, atol=0.03)
    scan = [line for line in lowered_products(half, params, batch) if "8x32xbf16" in line]
    assert len(scan) >= 4  # Both recurrent kernels, forward and backward.


def test_bfloat16_products_are_summed_in_float32():
    ones = jnp.ones((1, 1000))
    assert product("ij,kj->ik", ones, ones, jnp.bfloat16) == 1000  # bfloat16 has 8 bits.


def test_zeros_beyond_the_end_are_read_and_have_no_weight(batch):
    """As Keras's encoder goes on through all-zero one-hot vectors."""
    config = ModelConfig(11, 13, latent_dim=8)
    model = Seq2Seq(config)
    source, mask, target = batch
    everywhere = jnp.ones_like(source, bool)
    params = init(model, source, everywhere, target)["params"]

    @jax.jit
    def loss(params, mask=everywhere):
        return jnp.square(model.apply({"params": params}, source, mask, target)).sum()

    kernel = params["encoder"]["inputs"]["kernel"].at[0].set(0)
    inputs = {**params["encoder"]["inputs"], "kernel": kernel}
    zeroed = {**params, "encoder": {**params["encoder"], "inputs": inputs}}
    assert kernel.any() and loss(params) == loss(zeroed)
    assert loss(params) != loss(params, mask)
    gradient = jax.grad(loss)(params)["encoder"]["inputs"]["kernel"]
    assert (gradient[0] == 0).all() and (gradient[5] != 0).any()


def weights_of(model, params, *inputs):
    _, sown = model.apply(params, *inputs, mutable="intermediates")
    return sown["intermediates"]["decoder"]["attention"]["weights"][0]


def test_attention_is_a_distribution_over_the_real_positions(batch):
    config = ModelConfig(11, 13, **EVERYTHING)
    model = Seq2Seq(config)
    params = init(model, *batch)
    _, mask, _ = batch
    weights = weights_of(model, params, *batch)
    assert weights.shape == (BATCH, TARGET, SOURCE)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    assert (np.asarray(weights)[~np.repeat(mask[:, None], TARGET, 1)] == 0).all()
    assert np.asarray(weights[0]).std(axis=1).max() > 0  # It is no mean over the positions.


def undivided(vectors):
    """`[sources, heads, time, part]` -> `[sources, time, heads * part]`."""
    return vectors.swapaxes(1, 2).reshape(BATCH, SOURCE, -1)


def test_attention_finds_the_embeddings_beside_the_encoder_s_outputs(batch):
    source, mask, _ = batch
    config = ModelConfig(11, 13, **EVERY_MODEL["heads"])
    without = dataclasses.replace(config, attend_embeddings=False)
    params = init(Seq2Seq(config), *batch)
    encoder = params["params"]["encoder"]
    _, memory = apply(Seq2Seq(config), params, source, mask, method="encode")
    keys = {"kernel": encoder["keys"]["kernel"][:8]}
    plain = {"params": {**params["params"], "encoder": {**encoder, "keys": keys}}}
    _, outputs = apply(Seq2Seq(without), plain, source, mask, method="encode")
    values = undivided(memory.values)
    np.testing.assert_array_equal(values[..., :8], undivided(outputs.values))
    table = encoder["inputs"]["embedding"]["embedding"]
    np.testing.assert_array_equal(values[..., 8:], table[source])
    wanted = values @ encoder["keys"]["kernel"]
    keys = undivided(memory.keys.swapaxes(2, 3))
    np.testing.assert_allclose(keys, wanted, rtol=1e-5, atol=1e-6)


def test_the_backward_direction_reads_each_row_reversed_within_its_length(batch):
    source, mask, _ = batch
    model = Seq2Seq(ModelConfig(11, 13, latent_dim=8, bidirectional=True, attention="luong"))
    params = init(model, *batch)
    _, memory = apply(model, params, source, mask, method="encode")
    encoder = params["params"]["encoder"]
    as_forward = {
        **encoder, "inputs": encoder["backward_inputs"], "cell": encoder["backward_cell"]
    }  # fmt: skip
    lengths = np.asarray(mask.sum(axis=1))
    turned = np.array([[*row[:n][::-1], *row[n:]] for row, n in zip(source, lengths, strict=True)])
    variables = {"params": {**params["params"], "encoder": as_forward}}
    _, forward = apply(model, variables, turned, mask, method="encode")
    for row, n in enumerate(lengths):
        backward = memory.values[row, 0, :n, 4:]
        np.testing.assert_allclose(backward, forward.values[row, 0, :n, :4][::-1], rtol=1e-6)


def test_without_keys_nothing_is_dropped_and_with_them_each_row_has_its_own_draws(batch):
    config = ModelConfig(11, 13, **EVERYTHING)
    model, plain = Seq2Seq(config), Seq2Seq(dataclasses.replace(config, dropout=0.0))
    params = init(model, *batch)
    np.testing.assert_array_equal(apply(model, params, *batch), apply(plain, params, *batch))
    keys = row_keys(jax.random.key(1), BATCH, config)
    dropped = apply(model, params, *batch, keys)
    assert (np.abs(dropped - apply(model, params, *batch)).max(axis=(1, 2)) > 1e-3).all()
    for row in range(BATCH):  # As on a device of its own.
        one = slice(row, row + 1)
        alone = apply(model, params, *(array[one] for array in batch), keys[one])
        np.testing.assert_allclose(alone[0], dropped[row], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "more",
    [{}, {"decoder_layers": 2}, {"attention": "none", "attend_embeddings": False}],
    ids=str,
)
def test_a_tied_output_layer_has_no_kernel_of_its_own(batch, more):
    tied = {**EVERYTHING, "decoder_layers": 1, **more}
    model = Seq2Seq(ModelConfig(11, 13, **tied))
    decoder = init(model, *batch)["params"]["decoder"]
    assert jax.tree.map(jnp.shape, decoder["output"]) == {"bias": (13,)}
    with pytest.raises(UserError, match="`tie_embeddings` needs embeddings"):
        ModelConfig(11, 13, **{**tied, "embedding_dim": 0, "attend_embeddings": False})


def test_half_the_units_in_each_direction_must_be_a_whole_number():
    with pytest.raises(UserError, match="`latent_dim` must be even, not 9"):
        ModelConfig(11, 13, latent_dim=9, bidirectional=True)
