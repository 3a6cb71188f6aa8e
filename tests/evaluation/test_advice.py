import dataclasses

import pytest

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.evaluation import advice
from s2s_jax.evaluation.advice import forgetting, other_recipe, remedies, weakness
from s2s_jax.evaluation.evaluation import Evaluation
from s2s_jax.evaluation.figures import Answer, Figures
from s2s_jax.recipes import Recipe

CONFIG = RunConfig(DataConfig("fra.txt"), ModelConfig(9, 8), TrainConfig(), 6, "ab")
LONG = [f"{i} {'abcdefg'[i % 7] * 5}" for i in range(20)]


def judged(decoded, references=LONG, chrf=50.0, cer=0.3):
    answers = [Answer("x", (r,), d) for r, d in zip(references, decoded, strict=True)]
    exact = sum(answer.exact for answer in answers)
    figures = Figures(
        len(answers), len(answers), exact, 0.0, 0.0, "characters", cer, chrf, "", 0.0, "", 1.0, 1.0
    )
    return Evaluation(answers, figures, 0, None, 1.0)


def test_a_collapsed_model_is_named():
    assert "60% of the sentences get the same answer" in weakness(judged(["same"] * 12 + LONG[12:]))
    assert weakness(judged(["same"] * 10 + LONG[10:])) == ""
    # Where most references are the same, so are most answers.
    assert weakness(judged(["same"] * 20, ["same"] * 20)) == ""


@pytest.mark.parametrize("figures", [{"chrf": 5.0}, {"chrf": None, "cer": 0.95}])
def test_a_model_that_has_learned_little_is_named(figures):
    wrong = [f"{text}?" for text in LONG]
    assert "learned little" in weakness(judged(wrong, **figures))
    assert weakness(judged([LONG[0], *wrong[1:]], **figures)) == ""
    assert weakness(judged(wrong)) == ""
    assert weakness(judged(["same"] * 5, LONG[:5], **figures)) == ""  # Too few to tell.


def test_pairs_learned_by_heart_are_known():
    assert forgetting(6, 12) == ""
    assert forgetting(5, 12).startswith("5 of 12 pairs that were trained on")


def test_more_epochs_are_advised_while_a_run_gets_better():
    assert "--more 20" in remedies(CONFIG, 20, 19, 5000)
    assert "--more 10" in remedies(CONFIG, 1, 1, 5000)
    adam = dataclasses.replace(CONFIG, train=TrainConfig(optimizer="adam"))
    for config, pairs in ((CONFIG, 5000), (CONFIG, 50), (adam, 50), (adam, 5000)):
        said = remedies(config, 20, 10, pairs)
        assert "--more" not in said
        assert ("--optimizer adam" in said) == (config is CONFIG)
        assert ("more pairs" in said) == (pairs == 50 or config is adam)


def test_more_of_the_data_is_advised_only_where_there_is_more():
    few = dataclasses.replace(CONFIG, data=dataclasses.replace(CONFIG.data, num_samples=100))
    assert "more pairs (--num-samples)" in remedies(few, 20, 10, 80)
    said = remedies(few, 20, 10, 40)  # Not even 100 were there.
    assert "more pairs" in said and "--num-samples" not in said


def test_the_recipe_for_translation_is_offered_after_the_tutorial_s(monkeypatch):
    monkeypatch.setattr(advice, "read_recipe", lambda name: Recipe(f"{name}s", {}, {}, {}, {}))
    assert "--recipe translator (translators)." in other_recipe(CONFIG, 10_000)
    assert other_recipe(CONFIG, 1000) == ""
    wrong = [f"{text}?" for text in LONG]
    assert other_recipe(CONFIG, 10_000, judged([*LONG[:9], *wrong[9:]])) != ""
    assert other_recipe(CONFIG, 10_000, judged([*LONG[:10], *wrong[10:]])) == ""
    larger = dataclasses.replace(CONFIG, model=ModelConfig(9, 8, latent_dim=512))
    assert other_recipe(larger, 10_000) == ""
