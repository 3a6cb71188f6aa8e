import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.model import losses
from s2s_jax.model.losses import Sums

token_sums = jax.jit(losses.token_sums)  # As training uses it.

quick = settings(max_examples=20)
SEEDS = st.integers(0, 2**32 - 1)


def random_batch(seed, batch=3, time=5, vocab=7, scale=3.0):
    rng = np.random.default_rng(seed)
    logits = (scale * rng.normal(size=(batch, time, vocab))).astype(np.float32)
    return logits, rng.integers(0, vocab, (batch, time)), rng.random((batch, time)) < 0.6


def as_floats(sums):
    return [float(x) for x in sums]


@quick
@given(SEEDS, st.sampled_from([0.1, 3.0, 100.0, 1e4]))
def test_sums_equal_those_of_numpy_in_double_precision(seed, scale):
    logits, targets, mask = random_batch(seed, scale=scale)
    exact = logits.astype(np.float64)
    log_z = np.log(np.exp(exact - exact.max(-1, keepdims=True)).sum(-1)) + exact.max(-1)
    losses = log_z - np.take_along_axis(exact, targets[..., None], -1)[..., 0]
    correct = (exact.argmax(-1) == np.where(targets == Vocabulary.unk_id, -1, targets))[mask].sum()
    sums = token_sums(logits, targets, mask)
    np.testing.assert_allclose(as_floats(sums), [losses[mask].sum(), correct, mask.sum()], 1e-5)


@quick
@given(SEEDS)
def test_what_stands_on_padding_changes_nothing(seed):
    logits, targets, mask = random_batch(seed)
    other_logits, other_targets, _ = random_batch(seed + 1, scale=1e6)
    changed = token_sums(
        np.where(mask[..., None], logits, other_logits),
        np.where(mask, targets, other_targets),
        mask,
    )
    assert as_floats(changed) == as_floats(token_sums(logits, targets, mask))


@quick
@given(SEEDS)
def test_padding_gets_no_gradient(seed):
    logits, targets, mask = random_batch(seed)
    gradient = jax.grad(lambda x: token_sums(x, targets, mask).loss)(jnp.asarray(logits))
    assert (np.asarray(gradient)[~mask] == 0).all()
    assert (np.abs(gradient).max(-1)[mask] > 0).all()


@quick
@given(SEEDS)
def test_extra_padding_changes_nothing(seed):
    extra = 3
    logits, targets, mask = random_batch(seed)
    padded = token_sums(
        np.pad(logits, ((0, 1), (0, extra), (0, 0))),
        np.pad(targets, ((0, 1), (0, extra))),
        np.pad(mask, ((0, 1), (0, extra))),
    )
    np.testing.assert_allclose(
        as_floats(padded), as_floats(token_sums(logits, targets, mask)), 1e-6
    )


@quick
@given(SEEDS)
def test_sums_of_parts_add_up(seed):
    logits, targets, mask = random_batch(seed)
    first = np.random.default_rng(seed).random(mask.shape) < 0.5
    parts = [token_sums(logits, targets, mask & part) for part in (first, ~first)]
    total = Sums(*(a + b for a, b in zip(*parts, strict=True)))
    np.testing.assert_allclose(as_floats(total), as_floats(token_sums(logits, targets, mask)), 1e-5)


def test_unk_predicted_is_no_right_answer():
    """No decoder writes it, and what it stands for is not known."""
    targets = np.array([[5, Vocabulary.unk_id, Vocabulary.eos_id]])
    logits = np.asarray(jax.nn.one_hot(targets, 7))
    sums = token_sums(logits, targets, np.ones_like(targets, bool))
    assert (sums.correct, sums.tokens) == (2, 3)


def test_a_batch_that_is_all_padding_counts_nothing():
    logits, targets, mask = random_batch(0)
    assert as_floats(token_sums(logits, targets, np.zeros_like(mask))) == [0, 0, 0]


def test_equal_logits_cost_the_logarithm_of_the_vocabulary():
    _, targets, mask = random_batch(0)
    sums = token_sums(np.zeros((3, 5, 7), np.float32), targets, mask)
    np.testing.assert_allclose(sums.loss, mask.sum() * np.log(7), 1e-6)
