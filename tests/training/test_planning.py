from dataclasses import replace
from pathlib import Path

import pytest
from s2s_testing import PAIRS

from s2s_jax import recipes
from s2s_jax.config import ModelConfig, SearchConfig, TrainConfig
from s2s_jax.data.corpus import Pair
from s2s_jax.data.preparation import IN_MEMORY
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import Run, create_run
from s2s_jax.training import planning
from s2s_jax.training.fitting.progress import TrainingProgress, with_more
from s2s_jax.training.main import parser
from s2s_jax.training.planning import choose_folder, saved_run, wanted_start
from s2s_jax.training.request import Request, request_for, with_recipe


def request(data=None, model=None, train=None, **options):
    return Request(data or {}, model or {}, train or {}, **{"decode": {}, **options})


def configure(request, saved=None):
    """The configuration and the data."""
    return planning.configure(request, saved, progress=False)[:2]


@pytest.fixture
def begun(tmp_path, data_file):
    """A run folder that was begun, and the configuration in it."""
    config, prepared = configure(
        request({"data": str(data_file)}, {"latent_dim": 8}, {"epochs": 3})
    )
    folder = tmp_path / "run"
    create_run(folder, Run(config, prepared.source_vocabulary, prepared.target_vocabulary))
    return folder, config


def test_how_to_search_is_of_the_run_and_may_change(begun, data_file):
    folder, config = begun
    assert config.decode == SearchConfig(beam=1)
    fresh, _ = configure(with_recipe(request({"data": str(data_file)}, recipe="translator")))
    assert fresh.decode == SearchConfig(beam=5, length_penalty=1.2)
    resumed = request({"data": str(data_file)}, decode={"beam": 3}, resume=True)
    changed, _ = configure(resumed, saved_run(resumed, folder))
    assert changed.decode == SearchConfig(beam=3)
    with pytest.raises(UserError, match="`beam` must be a whole number of at least 1"):
        configure(request({"data": str(data_file)}, decode={"beam": 0}))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("some/where/fra.txt", "fra"),
        ("fra.TSV.gz", "fra"),
        ("https://example.org/anki/fra-eng.zip", "fra-eng"),
        ("fra-eng", "fra-eng"),
        ("été 1.txt", "été_1"),
        ("..", "run"),
        ("sample", "sample"),
        (["corpus/x.en", "corpus/x.fr"], "x"),
        ("pairs.jsonl.gz", "pairs"),
    ],
)
def test_a_run_is_named_after_its_data(data, name):
    assert choose_folder(request({"data": data})) == Path("checkpoints") / name
    assert choose_folder(request({"data": data}, out=Path("mine"))) == Path("mine")


def test_defaults_are_the_tutorial_s(data_file):
    config, prepared = configure(request({"data": str(data_file)}))
    assert config.train == TrainConfig(
        epochs=100, batch_size=64, optimizer="rmsprop", learning_rate=0, seed=0
    )
    assert (config.model.latent_dim, config.model.embedding_dim) == (256, 0)
    assert config.data.num_samples == 10_000
    assert config.max_length == max(len(pair.target) for pair in prepared.training) + 1
    assert config.data_hash == prepared.data_hash


def test_few_pairs_have_their_own_recipe_unless_another_is_asked_for(data_file, monkeypatch):
    monkeypatch.setattr(recipes, "FEW_PAIRS", len(PAIRS))

    def configured(**options):
        given = request({"data": str(data_file)}, {}, {"epochs": 7}, **options)
        config, prepared = configure(with_recipe(given))
        return config.train.epochs, config.train.optimizer, len(prepared.validation)

    assert configured() == (7, "adam", 0)
    assert configured(recipe="tutorial") == (7, "rmsprop", 4)
    in_memory = request(pairs=tuple(Pair(*pair) for pair in PAIRS), data={"data": IN_MEMORY})
    config, _, chosen = planning.configure(in_memory, None, progress=False)
    assert (config.train.optimizer, chosen) == ("adam", "small")
    monkeypatch.setattr(recipes, "FEW_PAIRS", len(PAIRS) - 1)
    assert configured() == (7, "rmsprop", 4)


def test_what_is_given_goes_before_the_defaults_of_the_embedded_corpus():
    given = {"num_samples": 50, "tokens": "char"}
    config, prepared = configure(request(given, {}, {"epochs": 9}))
    assert (config.data.num_samples, config.data.tokens, config.train.epochs) == (50, "char", 9)
    assert len(prepared.corpus.pairs) == 50


def test_mistakes_come_before_the_data_are_read():
    with pytest.raises(UserError, match="`latent_dim`"):
        configure(request({"data": "missing.txt"}, {"latent_dim": 0}))


def test_a_resumed_run_takes_what_is_saved(begun):
    folder, config = begun
    saved = saved_run(request(resume=True), folder)
    assert configure(request(resume=True), saved)[0] == config
    more, _ = configure(request({}, {}, {"epochs": 7}, resume=True), saved)
    assert more.train.epochs == 7


def test_changes_that_the_state_depends_on_are_listed(begun):
    folder, _ = begun
    change = request({"tokens": "word"}, {"latent_dim": 9}, {"seed": 2, "epochs": 8}, resume=True)
    with pytest.raises(UserError) as error:
        configure(change, saved_run(change, folder))
    message = str(error.value)
    for part in ("`tokens` saved char, given word", "`latent_dim` saved 8, given 9", "`seed`"):
        assert part in message
    assert "epochs" not in message


def test_a_run_that_began_without_another_is_not_resumed_as_if_it_had(begun, tmp_path):
    folder, config = begun
    resumed = request(start_from=tmp_path / "other", resume=True)
    saved = saved_run(resumed, folder)
    with pytest.raises(UserError, match="did not begin with the weights of another"):
        wanted_start(resumed, saved)
    began = saved._replace(config=replace(config, started_from="other, step 3"))
    assert wanted_start(resumed, began) is None


def test_nothing_saved_is_nothing_to_go_on_with(tmp_path):
    for options in ({}, {"resume": True}, {"overwrite": True}):
        assert saved_run(request(**options), tmp_path) is None


def test_more_counts_from_where_the_run_is_and_so_does_patience(begun):
    _, config = begun
    progress = TrainingProgress(epoch=4, history=({"epoch": 1, "loss": 1.0},))
    for epochs in (2, 4, 9):
        config = replace(config, train=replace(config.train, epochs=epochs))
        assert with_more(None, config, progress) == (config, progress)
        longer, resumed = with_more(3, config, progress)
        assert longer.train.epochs == 7
        assert resumed == replace(progress, patience_from=4)


def test_more_begins_a_run_where_there_is_none(data_file):
    begin = with_recipe(request({"data": str(data_file)}, more=3))
    assert begin.resume
    assert configure(begin)[0].train.epochs == 3


def test_more_goes_without_epochs_but_over_those_of_a_recipe(tmp_path):
    with pytest.raises(UserError, match=r"`epochs` .* `more` .* give one"):
        with_recipe(request({}, {}, {"epochs": 3}, more=2))
    with pytest.raises(UserError, match=r"`more` must be .* at least 1, not 0"):
        with_recipe(request(more=0))
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[train]\nepochs = 3\n")
    assert with_recipe(request(more=2, recipe=str(recipe))).more == 2


def test_a_recipe_lies_beneath_what_is_given(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[data]\ndata = 'a.txt'\nswap = true\n[train]\nepochs = 3\nseed = 4\n")
    given = request({"data": "b.txt"}, {}, {"epochs": 5}, recipe=str(recipe))
    found = with_recipe(given)
    assert found.data == {"data": "b.txt", "swap": True}
    assert found.train == {"epochs": 5, "seed": 4}
    assert with_recipe(request({"data": "b.txt"})) == request({"data": "b.txt"})


def test_what_a_recipe_turns_on_can_be_turned_off():
    flags = "--recipe translator --attention none --attention-heads 1"
    flags += " --no-attend-embeddings --no-bidirectional"
    found = request_for(vars(parser().parse_args(flags.split())))
    config = ModelConfig(9, 9, **found.model)
    assert (config.attention, config.bidirectional) == ("none", False)
    assert config.tie_embeddings  # As the recipe has it.


def test_a_recipe_that_is_asked_for_takes_the_place_of_the_default_one():
    asked = with_recipe(request({"num_samples": 50}, recipe="tutorial"))
    config, _ = configure(asked)
    assert (config.data.tokens, config.train.optimizer) == ("char", "rmsprop")


def test_data_may_be_a_recipe_that_names_its_data(tmp_path, data_file):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f"[data]\ndata = '{data_file}'\nvalidation_split = 0.5\n")
    found = with_recipe(request({"data": str(recipe)}))
    assert choose_folder(found) == Path("checkpoints/tiny")
    assert configure(found)[0].data.validation_split == 0.5
    with pytest.raises(UserError, match="leave out `recipe`"):
        with_recipe(request({"data": str(recipe)}, recipe="tutorial"))
    recipe.write_text("[train]\nepochs = 1\n")
    with pytest.raises(UserError, match="does not name its data"):
        with_recipe(request({"data": str(recipe)}))


def test_a_run_is_resumed_with_a_recipe_that_says_the_same(begun):
    folder, config = begun
    same = with_recipe(request(resume=True, recipe=str(folder)))
    assert configure(same, saved_run(same, folder))[0] == config


def test_the_learning_rate_that_a_run_used_is_written_and_may_be_given(begun):
    folder, config = begun
    assert config.train.learning_rate == 0.001
    same = request({}, {}, {"learning_rate": 0.001}, resume=True)
    assert configure(same, saved_run(same, folder))[0] == config
