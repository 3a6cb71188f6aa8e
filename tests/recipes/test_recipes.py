import json

import pytest

from s2s_jax import recipes
from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.errors import UserError
from s2s_jax.recipes import FEW_PAIRS, SECTIONS, Recipe, built_in, default_recipe, read_recipe


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", built_in())
def test_a_built_in_recipe_is_valid_and_described(name):
    recipe = read_recipe(name)
    assert recipe.description
    assert "\n" not in recipe.description
    DataConfig(**recipe.data)
    ModelConfig(9, 9, **recipe.model)
    TrainConfig(**recipe.train)


def test_the_tutorial_s_recipe_leaves_the_defaults_as_they_are():
    assert read_recipe("tutorial")[1:] == ({}, {}, {}, {})
    assert default_recipe("fra.txt", FEW_PAIRS + 1) == "tutorial"


def test_few_pairs_have_a_recipe_of_their_own(monkeypatch):
    monkeypatch.setattr(recipes, "FEW_PAIRS", FEW_PAIRS)
    recipe = read_recipe(default_recipe("fra.txt", FEW_PAIRS))
    assert recipe.data["validation_split"] == 0
    assert TrainConfig(**recipe.train).batch_size < FEW_PAIRS


def test_the_built_in_corpus_has_a_recipe_of_its_own():
    recipe = read_recipe(default_recipe("sample", 0))
    assert recipe.data["tokens"] == "word"
    assert recipe.train["optimizer"] == "adam"


def test_a_transducer_reads_characters_writes_symbols_and_compiles_little():
    recipe = read_recipe("transducer")
    data, train = DataConfig(**recipe.data), TrainConfig(**recipe.train)
    assert (data.source_tokens, data.target_tokens) == ("decomposed", "space")
    assert data.num_samples == 0  # All pairs.
    assert 0 < train.shapes <= 3


def test_a_recipe_is_a_file(tmp_path):
    path = write(tmp_path, '[data]\ndata = "été.txt"\n[model]\nlatent_dim = 8\n')
    assert read_recipe(path) == Recipe("", {"data": "été.txt"}, {"latent_dim": 8}, {}, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[data]\ntoken = 'char'", ["token", "[data]", "nearest is tokens"]),
        ("[training]\nepochs = 1", ["training", "nearest is train"]),
        ("[model]\nsource_length = 9", ["source_length", "[model]"]),  # Not for a user to set.
        ("[train]\nepochs = -1", ["'epochs' must be", "at least 0", "-1"]),
        ("[train]\nepochs = 'many'", ["'epochs' must be", "'many'"]),
        ("train = 3", ["[train]", "3"]),
        ("[data\n", ["line 1"]),
        ("\xff", ["mine.toml"]),
    ],
)
def test_a_mistake_in_a_recipe_is_named(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(UserError) as error:
        read_recipe(path)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in [path, *words]), message


def test_a_name_that_is_no_recipe_names_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"tutoral.*nearest is tutorial"):
        read_recipe("tutoral")
    with pytest.raises(UserError, match=r"none\.toml"):
        read_recipe("none.toml")


def test_a_run_is_a_recipe_for_another_like_it(tmp_path):
    data = DataConfig("words.tsv", num_samples=7, swap=True)
    model = ModelConfig(9, 8, latent_dim=5)
    config = RunConfig(data, model, TrainConfig(epochs=3), 6, "ab")
    values = config.to_dict() | {"sha256": {}}
    # As older versions wrote it.
    del values["train"]["precision"]
    values["model"] |= {"source_length": 4, "source_filler": " "}
    path = write(tmp_path, json.dumps(values), "config.json")
    recipe = read_recipe(path)
    assert read_recipe(str(tmp_path)) == recipe
    assert DataConfig(**recipe.data) == data
    assert TrainConfig(**recipe.train) == config.train
    assert recipe.model["latent_dim"] == 5
    # What follows from the data, and what models from Keras alone have, is worked out anew.
    assert not {"source_vocab_size", "source_length", "source_filler"} & set(recipe.model)


@pytest.mark.parametrize("values", [[], {}, {"format": 99}])
def test_a_json_that_is_no_run_s_is_refused(tmp_path, values):
    path = write(tmp_path, json.dumps(values), "config.json")
    with pytest.raises(UserError, match="format"):
        read_recipe(path)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_option_is_declared_whole(name):
    """What can be set has a help text; a number says what stands for it, a word its choices."""
    for field, about in SECTIONS[name].options().values():
        assert about.help
        assert field.type is bool or about.metavar or about.choices, field.name
