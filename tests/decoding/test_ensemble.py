"""Several runs that answer together."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from s2s_testing import greedy_by_definition, write_pairs

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.alignment import align
from s2s_jax.decoding.config import DecodeConfig
from s2s_jax.decoding.members import Member, combined
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import UserError
from s2s_jax.evaluation.fingerprint import hashes, sources_of, write_training_sources
from s2s_jax.model.ensemble import member_params
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.checkpointing import save_step
from s2s_jax.runs.folder import Run, create_run
from s2s_jax.training.fitting.progress import TrainingProgress
from s2s_jax.training.fitting.state import make_state

pytestmark = pytest.mark.filterwarnings("ignore:.*the answer was cut off::")

SOURCE = Vocabulary.from_texts(["abcdefgh "])
TARGET = Vocabulary.from_texts(["uv"])
TEXTS = ["abc", "h", "abcdefgh", "ba d"]
LIMIT = 3


def run(target=TARGET, limit=LIMIT, **model):
    sizes = ModelConfig(len(SOURCE), len(target), 8, **model)
    return Run(RunConfig(DataConfig(), sizes, TrainConfig(), limit, ""), SOURCE, target)


def params_of(run, seed):
    tokens = np.zeros((1, 1), np.int32)
    init = jax.jit(Seq2Seq(run.config.model).init)
    params = init(jax.random.key(seed), tokens, tokens == 0, tokens)["params"]
    return jax.tree.map(lambda x: x * 3, params)  # Livelier answers.


def together(*runs, seeds=(0, 1, 2)):
    members = [Member(r, params_of(r, s), "", 0) for r, s in zip(runs, seeds, strict=False)]
    run, model, params = combined(members)
    return Translator(run, params, model=model)


@pytest.fixture(scope="module")
def ensemble():
    """Members need not be of the same kind."""
    return together(run(), run(attention="luong", embedding_dim=4), run())


@pytest.mark.slow
def test_one_model_twice_is_that_model():
    alone, twice = together(run()), together(run(), run(), seeds=(0, 0))
    config = DecodeConfig(beam=3, n_best=3, scores=True)
    for one, two in zip(*(t.translate(TEXTS, config) for t in (alone, twice)), strict=True):
        assert [h.text for h in one.n_best] == [h.text for h in two.n_best]
        np.testing.assert_allclose(
            [h.score for h in one.n_best], [h.score for h in two.n_best], rtol=1e-4
        )


def test_its_probabilities_are_the_normalized_geometric_mean_of_theirs(ensemble):
    source, mask = jnp.array([[4, 5, 6]]), jnp.ones((1, 3), bool)
    inputs = jnp.array([[Vocabulary.bos_id, 4]])
    parts = [
        jax.nn.softmax(Seq2Seq(config).apply({"params": params}, source, mask, inputs))
        for config, params in zip(ensemble.model.configs, ensemble.params.values(), strict=True)
    ]
    mean = np.prod(parts, axis=0) ** (1 / len(parts))
    logits = ensemble.model.apply({"params": ensemble.params}, source, mask, inputs)
    wanted = mean / mean.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(logits), wanted, rtol=1e-4)


def test_greedy_follows_the_step_by_step_definition(ensemble):
    for text in TEXTS:
        assert ensemble(text) == greedy_by_definition(ensemble, text, LIMIT)


def test_a_beam_with_a_slot_for_every_hypothesis_is_exhaustive(ensemble):
    """Its scores are those of given targets, too, and add up to 1 over all answers."""
    found = ensemble.translate(TEXTS[:2], DecodeConfig(beam=16, n_best=16, length_penalty=0.0))
    for text, translation in zip(TEXTS, found, strict=False):
        ended = [h for h in translation.n_best if h.complete]
        scored = ensemble.score([(text, h.text) for h in ended])
        np.testing.assert_allclose(
            [h.ranked for h in ended], [t.n_best[0].score for t in scored], rtol=1e-3
        )
        assert [h.ranked for h in ended] == sorted((h.ranked for h in ended), reverse=True)


def test_drawing_depends_on_the_seed_and_the_text_alone(ensemble):
    drawn = ensemble(TEXTS, sample=True, seed=4)
    assert drawn == [ensemble(text, sample=True, seed=4) for text in TEXTS]


def test_the_longest_answer_of_any_is_allowed():
    assert together(run(limit=2), run(limit=5)).run.config.max_length == 5


def test_only_runs_of_the_same_symbols_answer_together():
    other = Vocabulary.from_texts(["uvw"])
    with pytest.raises(UserError, match=r"differ in target vocabulary; train them on the same"):
        together(run(), run(other))
    with pytest.raises(UserError, match="at least one run"):
        together()


def test_there_is_no_one_attention_to_look_at(ensemble):
    with pytest.raises(UserError, match="ensemble"):
        align(ensemble, "abc")


@pytest.fixture
def folders(tmp_path):
    """Two runs in their folders, trained on different sources."""
    for seed, name in enumerate(("one", "two")):
        create_run(tmp_path / name, run())
        state = make_state(Seq2Seq(run().config.model), TrainConfig(seed=seed))
        record = TrainingProgress(seed).to_record()
        save_step(tmp_path / name, state.params, state.opt_state, record, 1.0)
        write_training_sources(tmp_path / name, [name])
    return tmp_path / "one", tmp_path / "two"


def test_run_folders_are_opened_together(folders):
    found = Translator.load(folders)
    assert found.origins == ((folders[0], 0), (folders[1], 1))
    assert str(folders[0]) in found.origin and str(folders[1]) in found.origin
    parts = [Translator.load(folder).params for folder in folders]
    jax.tree.map(np.testing.assert_array_equal, found.params, member_params(parts))
    # What any of them was trained on is not new to them together.
    assert set(sources_of(folders)) == set(hashes(["one", "two"]))
    (folders[1] / "training_sources.bin").unlink()
    assert sources_of(folders) is None


@pytest.mark.slow
def test_the_command_takes_several_checkpoints(folders, run_here, tmp_path):
    named = [word for folder in folders for word in ("--checkpoint", folder)]
    done = run_here("decode.py", *named, "--json", "--beam", 2, "--n-best", 2, "abc")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    wanted = Translator.load(folders)("abc", beam=2, n_best=2)
    assert [hypothesis["text"] for hypothesis in answer["n_best"]] == wanted
    assert sum(np.exp(hypothesis["score"]) for hypothesis in answer["n_best"]) <= 1
    pairs = write_pairs(tmp_path / "pairs.tsv", [("abc", "uv"), ("one", "u")])
    done = run_here("decode.py", *named, "--evaluate", pairs, "--json")
    figures = json.loads(done.stdout)
    assert (figures["sentences"], figures["in_training"]) == (2, 1)
    done = run_here("decode.py", *named, "--checkpoint", pairs, "abc")
    assert done.returncode == 2 and "pairs.tsv is a file" in done.stderr
    done = run_here("decode.py", *named, "--export", tmp_path / "both.zip")
    assert done.returncode == 0 and (tmp_path / "both.zip").stat().st_size > 0
