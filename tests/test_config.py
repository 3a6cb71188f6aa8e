import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2s_jax.config import (
    MAX_LENGTH,
    TOKENS,
    DataConfig,
    ModelConfig,
    RunConfig,
    TrainConfig,
    files,
)
from s2s_jax.config.options import Config, option
from s2s_jax.config.training import LEARNING_RATES
from s2s_jax.errors import UserError

SIZES = st.integers(1, 10**9)
LENGTHS = st.integers(1, MAX_LENGTH)
NOT_NEGATIVE = st.integers(0, 10**9)
RATES = st.floats(0, 1e6)

DATA = st.builds(
    DataConfig,
    data=st.text(min_size=1) | st.tuples(st.text(min_size=1), st.text(min_size=1)),
    validation=st.text(),
    columns=st.sampled_from(["", "2,4", "en,fr"]),
    quotes=st.sampled_from(["auto", "csv", "text"]),
    num_samples=NOT_NEGATIVE,
    swap=st.booleans(),
    tokens=st.sampled_from(["char", "word"]),
    target_tokens=st.sampled_from(["", *TOKENS]),
    max_source_length=NOT_NEGATIVE,
    max_target_length=NOT_NEGATIVE,
    validation_split=st.floats(0, 1, exclude_max=True),
    split=st.sampled_from(["source", "tail"]),
)
MODELS = st.builds(ModelConfig, SIZES, SIZES, SIZES, NOT_NEGATIVE)
TRAINING = st.builds(
    TrainConfig,
    epochs=SIZES,
    batch_size=SIZES,
    optimizer=st.sampled_from(sorted(LEARNING_RATES)),
    learning_rate=RATES,
    clip_norm=RATES,
    patience=NOT_NEGATIVE,
    save_every=NOT_NEGATIVE,
    seed=NOT_NEGATIVE,
)
RUNS = st.builds(RunConfig, DATA, MODELS, TRAINING, LENGTHS, st.text("0123456789abcdef"))
CONFIGS = st.one_of(DATA, MODELS, TRAINING, RUNS)
EXAMPLE = RunConfig(DataConfig(), ModelConfig(5, 6), TrainConfig(), 7, "ab")

# What a damaged or hand-edited file may hold in place of any value.
ODD = [None, [], [1], {}, {"a": 1}, "", "x", -1, 0.5, 10**30, True, math.nan, math.inf, -math.inf]


def one_line(error):
    return "\n" not in str(error.value) and str(error.value)


@given(CONFIGS)
def test_a_config_survives_json(config):
    assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


@given(CONFIGS, st.text(min_size=1))
def test_an_unknown_key_is_refused_and_named(config, key):
    values = config.to_dict()
    if key not in values:
        with pytest.raises(UserError) as error:
            type(config).from_dict(values | {key: 1})
        assert key in str(error.value)


@pytest.mark.parametrize("section", ["data", "model", "train"])
def test_an_unknown_key_is_refused_inside_a_section(section):
    values = EXAMPLE.to_dict()
    values[section]["beam_width"] = 3
    with pytest.raises(UserError, match="beam_width"):
        RunConfig.from_dict(values)


def test_one_value_of_several_is_that_value():
    assert DataConfig(data=["x.en", "x.fr"]).data == ("x.en", "x.fr")
    assert DataConfig(data=["x.tsv"]) == DataConfig(data=("x.tsv",)) == DataConfig(data="x.tsv")
    assert files("x.tsv") == ("x.tsv",)
    for data in ([], ["a", "b", "c"], ["a", 1], 3, [["a"], "b"]):
        with pytest.raises(UserError, match="`data` must be text, or a list of up to 2"):
            DataConfig(data=data)


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(UserError, match=r"batch_sise in TrainConfig.*nearest is batch_size"):
        TrainConfig.from_dict({"batch_sise": 3})


@dataclasses.dataclass(frozen=True)
class Unit(Config):
    """A configuration of which the first version had no field."""

    kind: str = option("old", choices=("old", "new"))
    size: int = option(3, least=1)


def test_a_key_that_an_older_version_did_not_write_means_what_was_the_only_value_then():
    assert Unit.from_dict({}) == Unit("old", 3)
    assert Unit.from_dict({"kind": "new", "size": 4}) == Unit("new", 4)


@pytest.mark.parametrize("key", ["format", "data", "model", "train", "max_length", "data_hash"])
def test_a_missing_key_is_refused(key):
    values = EXAMPLE.to_dict()
    del values[key]
    with pytest.raises(UserError) as error:
        RunConfig.from_dict(values)
    assert one_line(error)


@pytest.mark.parametrize("key", ["source_vocab_size", "target_vocab_size"])
def test_sizes_without_a_default_are_required(key):
    values = EXAMPLE.to_dict()
    del values["model"][key]
    with pytest.raises(UserError, match=key):
        RunConfig.from_dict(values)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: TrainConfig(epochs=-1), "epochs"),
        (lambda: TrainConfig(batch_size=0), "batch_size"),
        (lambda: TrainConfig(patience=-1), "patience"),
        (lambda: TrainConfig(seed=-1), "seed"),
        (lambda: TrainConfig(optimizer="lion"), "optimizer"),
        (lambda: TrainConfig(learning_rate=-0.1), "learning_rate"),
        (lambda: TrainConfig(learning_rate=math.nan), "learning_rate"),
        (lambda: TrainConfig(learning_rate=math.inf), "learning_rate"),
        (lambda: TrainConfig(clip_norm=-1), "clip_norm"),
        (lambda: TrainConfig(schedule="linear"), "schedule"),
        (lambda: TrainConfig(warmup=-1), "warmup"),
        (lambda: TrainConfig(accumulate=0), "accumulate"),
        (lambda: TrainConfig(accumulate=5, batch_size=4), "accumulate"),
        (lambda: TrainConfig(ema=1.0), "ema"),
        (lambda: TrainConfig(ema=-0.1), "ema"),
        (lambda: TrainConfig(optimizer="adamw", weight_decay=-0.1), "weight_decay"),
        (lambda: TrainConfig(label_smoothing=1.0), "label_smoothing"),
        (lambda: TrainConfig(label_smoothing=-0.1), "label_smoothing"),
        (lambda: TrainConfig(epochs=True), "epochs"),
        (lambda: TrainConfig(epochs=1.0), "epochs"),
        (lambda: DataConfig(data=""), "data"),
        (lambda: DataConfig(num_samples=-1), "num_samples"),
        (lambda: DataConfig(swap=1), "swap"),
        (lambda: DataConfig(tokens="byte"), "tokens"),
        (lambda: DataConfig(tokens="subword", vocab_size=-1), "vocab_size"),
        (lambda: DataConfig(tokens="subword", subword_sampling=-0.1), "subword_sampling"),
        (lambda: DataConfig(split="random"), "split"),
        (lambda: DataConfig(max_source_length=-1), "max_source_length"),
        (lambda: DataConfig(max_target_length=-1), "max_target_length"),
        (lambda: DataConfig(validation_split=1.0), "validation_split"),
        (lambda: DataConfig(validation_split=-0.1), "validation_split"),
        (lambda: ModelConfig(9, 9, latent_dim=0), "latent_dim"),
        (lambda: ModelConfig(9, 9, embedding_dim=-1), "embedding_dim"),
        (lambda: dataclasses.replace(EXAMPLE, source_length=-1), "source_length"),
        (lambda: dataclasses.replace(EXAMPLE, source_filler=0), "source_filler"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(make, name):
    with pytest.raises(UserError) as error:
        make()
    assert f"`{name}` must be" in one_line(error)
    assert "--" not in str(error.value)  # A library's user has no flags.


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_values_anywhere_are_taken_or_refused_but_raise_nothing_else(odd):
    def places(values):
        for key, value in values.items():
            yield values, key
            if isinstance(value, dict):
                yield from places(value)

    values = EXAMPLE.to_dict()
    for holder, key in places(values):
        kept, holder[key] = holder[key], odd
        try:
            # What is taken means something: it would be written and read back alike.
            config = RunConfig.from_dict(values)
            assert RunConfig.from_dict(config.to_dict()) == config
        except UserError as error:
            assert "\n" not in str(error)
        holder[key] = kept


@pytest.mark.parametrize("values", [None, [], "x", 1, {}, {"format": 2}, {"format": "1"}])
def test_what_is_no_config_of_this_format_is_refused(values):
    with pytest.raises(UserError) as error:
        RunConfig.from_dict(values)
    assert "format" in one_line(error)


def test_the_message_for_a_newer_format_names_both_formats():
    newer = EXAMPLE.to_dict() | {"format": RunConfig.FORMAT + 1}
    with pytest.raises(UserError) as error:
        RunConfig.from_dict(newer)
    assert str(RunConfig.FORMAT) in str(error.value)
    assert str(RunConfig.FORMAT + 1) in str(error.value)


def test_defaults_are_the_tutorials():
    data, model, train = DataConfig(), ModelConfig(9, 9), TrainConfig()
    assert (data.num_samples, data.tokens, data.validation_split) == (10_000, "char", 0.2)
    assert (model.latent_dim, model.embedding_dim) == (256, 0)
    assert (train.batch_size, train.epochs, train.optimizer) == (64, 100, "rmsprop")


@pytest.mark.parametrize("config", [DataConfig(), ModelConfig(9, 9), TrainConfig(), EXAMPLE])
def test_configs_are_frozen(config):
    field = next(iter(config.__dataclass_fields__))
    with pytest.raises(AttributeError):
        setattr(config, field, getattr(config, field))


def test_the_weight_decay_that_is_used_is_the_one_written():
    assert TrainConfig(optimizer="adamw").to_dict()["weight_decay"] == 0.004
    assert TrainConfig(optimizer="adamw", weight_decay=0.1).weight_decay == 0.1
    assert TrainConfig().weight_decay == 0


@pytest.mark.parametrize("optimizer", LEARNING_RATES)
def test_the_learning_rate_that_is_used_is_the_one_written(optimizer):
    by_default = TrainConfig(optimizer=optimizer)
    assert by_default.to_dict()["learning_rate"] == LEARNING_RATES[optimizer]
    assert by_default == TrainConfig(optimizer=optimizer, learning_rate=LEARNING_RATES[optimizer])
    # Older versions wrote 0 for the default.
    assert TrainConfig.from_dict(by_default.to_dict() | {"learning_rate": 0.0}) == by_default


def test_older_files_have_one_unit_for_both_sides_and_the_filler_of_sources_elsewhere():
    values = EXAMPLE.to_dict()
    for key in ("longest_source", "source_length", "source_filler"):
        del values[key]
    for key in ("source_tokens", "target_tokens"):
        del values["data"][key]
    values["data"]["tokens"] = "word"
    values["model"] |= {"source_length": 13, "source_filler": " "}
    config = RunConfig.from_dict(values)
    assert (config.data.source_tokens, config.data.target_tokens) == ("word", "word")
    assert (config.source_length, config.source_filler, config.longest_source) == (13, " ", 0)
    assert RunConfig.from_dict(config.to_dict()) == config


def test_a_side_may_have_units_of_its_own():
    config = DataConfig(tokens="word", target_tokens="space")
    assert (config.source_tokens, config.target_tokens) == ("word", "space")
    with pytest.raises(UserError, match=r"`target_tokens` must be one of char, .*, not 'byte'"):
        DataConfig(target_tokens="byte")


@pytest.mark.parametrize("name", ["vocab_size", "subword_sampling"])
def test_what_is_for_subwords_needs_subwords_on_a_side(name):
    with pytest.raises(UserError, match=f"`{name}` needs `tokens` subword"):
        DataConfig(tokens="word", **{name: 1})
    assert getattr(DataConfig(target_tokens="subword", **{name: 1}), name) == 1
