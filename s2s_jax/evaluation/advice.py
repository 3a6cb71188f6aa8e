"""What is wrong with a run, and what may help, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from s2s_jax.config import ModelConfig, RunConfig
from s2s_jax.evaluation.evaluation import Evaluation
from s2s_jax.evaluation.figures import Answer
from s2s_jax.recipes import read_recipe

_ENOUGH = 10  # Answers that show what a model does.
_POOR_CER, _POOR_CHRF = 0.8, 15
_MANY_PAIRS = 3_000  # That a recipe for translation can learn from.


def weakness(evaluation: Evaluation) -> str:
    """What is plainly wrong with some answers; empty where nothing is.

    A model that has collapsed gives one answer to most sources that have others; one that has
    learned little has next to none right, not even in part.
    """
    answers, figures = evaluation.answers, evaluation.figures
    if len(answers) < _ENOUGH:
        return ""
    share = _commonest_share(answers)
    if share > 1 / 2:
        return f"{share:.0%} of the sentences get the same answer: the model has collapsed."
    poor = figures.cer > _POOR_CER if figures.chrf is None else figures.chrf < _POOR_CHRF
    if poor and figures.exact < len(answers) / 100:
        return "Hardly an answer is right even in part: the model has learned little."
    return ""


def forgetting(right: int, tried: int) -> str:
    """What is wrong if the model knows only `right` of `tried` training pairs; empty if enough."""
    if right >= tried / 2:
        return ""
    known = f"{right:,} of {tried:,} pairs that were trained on are answered rightly"
    return f"{known}: the model has learned little."


def _commonest_share(answers: Sequence[Answer]) -> float:
    """The share of the answers, 0 to 1, that are wrong and the same."""
    wrong = Counter(answer.decoded for answer in answers if not answer.exact)
    return max(wrong.values(), default=0) / len(answers)


def remedies(config: RunConfig, epochs: int, best: int, pairs: int) -> str:
    """What to try against a `weakness` of a run of so many epochs on so many pairs.

    `best` is the number of its best epoch, from 1.
    """
    found = []
    if best >= epochs - max(1, epochs // 10):  # It was getting better until the end, or nearly.
        found.append(f"longer training (--more {max(epochs, 10)})")
    if config.train.optimizer in ("rmsprop", "sgd"):
        found.append("--optimizer adam in a new run")
    if pairs < _MANY_PAIRS:
        wanted = config.data.num_samples  # Far fewer are left of data that are at their end.
        found.append(f"more pairs{' (--num-samples)' * (0 < wanted < 2 * pairs)}")
    return f"What may help: {'; '.join(found or ['more pairs', 'a lower --learning-rate'])}."


def other_recipe(config: RunConfig, pairs: int, evaluation: Evaluation | None = None) -> str:
    """What the recipe for translation offers after a run of the tutorial's; empty otherwise.

    Half of the answers right, to what the run was not trained on, are enough.
    """
    if evaluation is not None and evaluation.figures.exact >= evaluation.figures.sentences / 2:
        return ""
    sizes = (config.model.source_vocab_size, config.model.target_vocab_size)
    is_tutorial = config.model == ModelConfig(*sizes) and config.train.optimizer == "rmsprop"
    if not is_tutorial or pairs < _MANY_PAIRS:
        return ""
    offered = read_recipe("translator").description
    return f"Beyond the tutorial, try --recipe translator ({offered})."
