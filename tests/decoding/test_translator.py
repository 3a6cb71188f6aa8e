import dataclasses
import itertools
import os
import shutil
from pathlib import Path
from typing import get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType
from s2s_testing import PAIRS, compilations, greedy_by_definition

from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.corpus import normalize
from s2s_jax.data.vocabulary import Vocabulary
from s2s_jax.decoding.config import DecodeConfig, DecodeOptions
from s2s_jax.decoding.translation import Hypothesis
from s2s_jax.decoding.translator import Translator
from s2s_jax.errors import TextWarning, UserError
from s2s_jax.model.seq2seq import Seq2Seq
from s2s_jax.runs.folder import Run
from s2s_jax.runtime.devices import AXIS

# The answers of random parameters seldom end.
pytestmark = pytest.mark.filterwarnings("ignore:.*the answer was cut off::")

SOURCE = Vocabulary.from_texts(["abcdefgh "])
TARGET = Vocabulary.from_texts(["uvwxyz"])


@pytest.fixture(scope="module")
def translator():
    """Random parameters: what matters is that text goes in and out right."""
    config = RunConfig(
        DataConfig(), ModelConfig(len(SOURCE), len(TARGET), 16), TrainConfig(), 12, ""
    )
    tokens = np.zeros((1, 1), np.int32)
    init = jax.jit(Seq2Seq(config.model).init)
    params = init(jax.random.key(3), tokens, tokens == 0, tokens)["params"]
    params = jax.tree.map(lambda x: x * 3, params)  # Livelier answers.
    return Translator(Run(config, SOURCE, TARGET), params)


TEXTS = st.lists(st.text("abcdefgh", max_size=40), max_size=20)


@pytest.mark.slow
@settings(max_examples=25)
@given(TEXTS, st.sampled_from([1, 3, 8]))
def test_answers_keep_their_place_whatever_the_batches(translator, texts, batch_size):
    alone = {text: translator([text])[0] for text in set(texts)}
    assert translator(texts, batch_size=batch_size) == [alone[text] for text in texts]


# Surrogates, combining marks, right to left, emoji with joiners, nothing wide: all of Unicode.
ANY_TEXT = st.text(st.characters(), max_size=40) | st.text(
    "ab\ud800\udfff\u0301\u0323\u202e\u05d0\u200b\u200d\ufeff\U0001f468\0\x85\u2028\r\t\n ",
    max_size=40,
)


@settings(max_examples=50)
@given(st.lists(ANY_TEXT, max_size=4))
def test_any_unicode_is_answered_and_its_strange_symbols_named(translator, texts):
    found = translator.translate(texts)
    assert len(found) == len(texts)
    for text, translation in zip(texts, found, strict=True):
        known = "".join(c for c in normalize(text) if c in SOURCE.symbols)
        if known == known.strip():  # Else it means something else on its own.
            assert translation.text == translator([known])[0]
        assert set(translation.unseen) == set(translation.source) - set(SOURCE.symbols)


def test_a_sentence_of_100_000_characters_is_answered(translator):
    (long,) = translator.translate(["abcdefgh" * 12_500])
    assert 0 < len(long.text) <= 12
    assert long.unseen == ()


def test_it_follows_the_step_by_step_definition(translator):
    assert translator(["abcabc"]) == [greedy_by_definition(translator, "abcabc", 12)]


def test_unseen_characters_are_named_and_left_out(translator):
    (clean,) = translator(["abc"])
    (found,) = translator.translate(["aßb日c"])
    assert found.text == clean
    assert found.unseen == ("ß", "日")
    with pytest.raises(UserError, match=r"line 8 .*'ß' '日'.*`strict`"):
        translator.translate(["abc", "aßb日c"], DecodeConfig(strict=True), first=7)


def test_texts_are_normalized_as_the_data_were(translator):
    assert translator.translate(["  abc\t"])[0].source == "abc"
    assert translator.translate(["e\u0301"])[0].source == "é"


def test_nothing_said_is_nothing_answered(translator):
    found = translator.translate(["", "   ", "日本", "abc"])
    assert [t.text for t in found[:3]] == ["", "", ""]
    assert all(t.complete for t in found[:3])
    assert found[2].unseen == ("日", "本")


def test_the_length_limit_cuts_and_says_so(translator):
    full = translator.translate(["abcdef"], DecodeConfig(max_length=30))[0]
    cut = translator.translate(["abcdef"], DecodeConfig(max_length=2))[0]
    assert cut.text == full.text[:2]
    assert not cut.complete
    for limit in (3, 5, 12, 30):
        assert len(translator(["abcdef"], max_length=limit)[0]) <= limit


def test_a_mesh_answers_and_scores_as_one_device_does(translator):
    mesh = jax.make_mesh((1,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[:1])
    shared = Translator(translator.run, translator.params, mesh)
    texts, config = ["abc", "fade"], DecodeConfig(scores=True)
    assert shared.translate(texts, config) == translator.translate(texts, config)


def test_a_long_text_among_short_ones_changes_nothing(translator):
    long = "abcdefgh" * 400
    assert translator(["ab", long, "c"])[::2] == translator(["ab", "c"])


def test_mistakes_are_named(translator):
    with pytest.raises(UserError, match="a list of sentences"):
        translator.translate("abc")
    with pytest.raises(UserError, match="`batch_size`"):
        translator(["abc"], batch_size=0)
    with pytest.raises(UserError, match="`max_length`"):
        translator(["abc"], max_length=-1)
    assert translator([]) == []
    with pytest.raises(UserError, match="`n_best` must be a whole number of at least 1, not 0"):
        translator("abc", n_best=0)
    for strange in (3, None, b"abc"):
        with pytest.raises(UserError, match="a text must be a str, but text 2 is"):
            translator(["abc", strange])
    for strange in ("ab", ("ab",), ("ab", 3), {"ab": "cd"}, None):
        with pytest.raises(UserError, match=r"must be \(source, target\), two str, but pair 2 is"):
            translator.score([("abc", "abc"), strange])


def test_one_text_is_answered_with_one_answer(translator):
    assert translator("abc") == translator(["abc"])[0]
    assert translator("") == ""
    assert translator(("abc", "fed")) == translator(["abc", "fed"])


def test_n_best_gives_lists_of_answers(translator):
    options = {"beam": 4, "max_length": 9}
    three = translator(["abc", "", "fed"], n_best=3, **options)
    found = translator.translate(["abc", "", "fed"], DecodeConfig(n_best=3, **options))
    assert three == [[h.text for h in translation.n_best] for translation in found]
    assert [len(answers) for answers in three] == [3, 1, 3]
    assert translator("abc", n_best=3, **options) == three[0]
    # Whoever asks for a list of one gets a list.
    assert translator("abc", n_best=1) == [translator("abc")]
    with pytest.raises(UserError, match="`n_best` 3 needs a beam"):
        translator("abc", n_best=3)


def test_the_options_of_a_call_are_those_of_the_configuration():
    assert set(DecodeOptions.__annotations__) == set(DecodeConfig.options()) - {"n_best", "scores"}
    for name, kind in get_type_hints(DecodeOptions).items():
        assert kind is DecodeConfig.options()[name][0].type


def test_what_training_never_saw_is_warned_of_once_a_call(translator):
    with pytest.warns(TextWarning) as warned:
        translator(["", "aßb日c", "x"])
    assert [str(w.message) for w in warned] == [
        "text 2: training never saw 'ß' '日'; the answer was cut off (raise `max_length`) "
        "(one of 2 texts with problems; `translate` gives all)"
    ]
    with pytest.warns(TextWarning, match="^training never saw 'x'$"):
        translator("x", n_best=1)
    with pytest.warns(TextWarning, match="the answer was cut off .raise `max_length`"):
        translator("abc", max_length=1)


def test_the_library_warns_of_nothing_else_and_prints_nothing(
    translator, trained, capfd, recwarn, caplog
):
    Translator.load(trained[1])
    translator.translate(["aßc", "a\tb"])
    translator.score([("aßc", "u")])
    assert (capfd.readouterr(), list(recwarn), caplog.records) == (("", ""), [], [])


def test_a_tab_is_named(translator):
    (found,) = translator.translate(["abc\tuvw"])
    assert "tab" in found.problems[1] and "`score`" in found.problems[1]
    assert (
        translator.translate(["\tabc\t"])[0].problems == translator.translate(["abc"])[0].problems
    )


def test_a_source_longer_than_any_of_training_is_named(translator):
    def doubts(longest, text):
        config = dataclasses.replace(translator.run.config, longest_source=longest)
        run = translator.run._replace(config=config)
        (found,) = Translator(run, translator.params).translate([text])
        return found.doubts

    assert doubts(8, "abcdefgh") == doubts(0, "abcdefgh" * 9) == ()  # 0: an older run.
    assert doubts(7, "abcdefgh") == ("its 8 characters are more than the 7 seen in training",)
    assert doubts(7, "aßbcdefg") == ()  # What is left out does not count.


def test_a_translator_says_what_it_is(translator, trained):
    assert repr(translator) == "<Translator in memory: 9 source and 6 target symbols, 16 units>"
    loaded = Translator.load(trained[1], "latest")
    [(folder, step)] = loaded.origins
    assert repr(loaded) == (
        f"<Translator {folder}, step {step}: 21 source and 21 target symbols, 32 units>"
    )
    assert folder == trained[1] and (folder / "steps" / str(step)).is_dir()


def test_a_trained_run_answers_from_its_folder_alone(trained, tmp_path, monkeypatch):
    _, folder = trained
    copy = Path(shutil.copytree(folder, tmp_path / "elsewhere"))
    # Nothing that is read leads back to where it was made, which other tests still need; where
    # Orbax committed a step it notes for people.
    files = [path for path in copy.rglob("*") if path.is_file()]
    files = [path for path in files if path.name != "commit_success.txt"]
    assert not any(os.fsencode(folder) in path.read_bytes() for path in files)
    monkeypatch.chdir(tmp_path)
    known = Translator.load("elsewhere")([source for source, _ in PAIRS])
    right = sum(text == target for text, (_, target) in zip(known, PAIRS, strict=True))
    assert right >= 12  # Of 20, 16 of which were trained on.


def chained(translator, text, ids):
    """Log-probabilities of target ids, one decode step after another."""
    source = jnp.asarray(SOURCE.encode(text))[None]
    model, variables = translator.model, {"params": translator.params}
    carry, memory = model.apply(variables, source, source > 0, method="encode")
    token, found = Vocabulary.bos_id, []
    for following in ids:
        step = (carry, memory, jnp.array([token]))
        carry, logits = model.apply(variables, *step, method="decode_step")
        found.append(float(jax.nn.log_softmax(logits[0])[following]))
        token = following
    return found


@pytest.mark.slow
def test_given_targets_are_scored_as_the_decode_steps_add_up(translator):
    pairs = [("abc", "uvw"), ("abcdefgh" * 3, "zyx" * 9), ("", "u"), ("a", "")]
    for batch_size in (1, 64):
        found = translator.score(pairs, batch_size=batch_size)
        for (source, target), scored in zip(pairs, found, strict=True):
            ids = [*TARGET.encode(target), Vocabulary.eos_id]
            (hypothesis,) = scored.n_best
            assert hypothesis.text == target
            assert hypothesis.tokens == (*target, "<eos>")
            wanted = chained(translator, source, ids) if source else hypothesis.log_probs
            np.testing.assert_allclose(hypothesis.log_probs, wanted, atol=1e-5)
            assert hypothesis.score == pytest.approx(sum(wanted), abs=1e-4)


def test_unseen_symbols_of_a_target_are_named(translator):
    (found,) = translator.score([("aßb", "u日v")])
    assert found.unseen == ("ß", "日")
    with pytest.raises(UserError, match=r"line 4 .*'日'"):
        translator.score([("a", "u"), ("b", "日")], strict=True, first=3)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"beam": 3, "n_best": 3}, {"sample": True}])
def test_scores_are_those_of_the_decode_steps(translator, options):
    config = DecodeConfig(scores=True, max_length=9, **options)
    for found in translator.translate(["abc", "hgf", "", "dead"], config):
        if not found.source:
            assert found.n_best == (Hypothesis(""),)
            continue
        for hypothesis in found.n_best:
            ids = [TARGET.symbols.index(token) for token in hypothesis.tokens]
            assert hypothesis.complete == (hypothesis.tokens[-1] == "<eos>")
            np.testing.assert_allclose(
                hypothesis.log_probs, chained(translator, found.source, ids), atol=1e-5
            )
            if "beam" in options:
                penalty = ((5 + len(ids)) / 6) ** 0.6
                assert hypothesis.ranked == pytest.approx(hypothesis.score / penalty, abs=1e-4)


def test_without_scores_nothing_is_scored_and_the_answers_are_the_same(translator):
    for options in ({}, {"beam": 2, "n_best": 2}, {"sample": True}):
        plain = translator.translate(["abc"], DecodeConfig(**options))[0].n_best
        scored = translator.translate(["abc"], DecodeConfig(scores=True, **options))[0].n_best
        assert [h.text for h in plain] == [h.text for h in scored]
        assert all(h.log_probs == () and h.score is None for h in plain)


def test_the_best_of_a_beam_are_distinct_and_in_order(translator):
    for batch_size in (4, 256):
        config = DecodeConfig(beam=4, n_best=4, batch_size=batch_size)
        for found in translator.translate(["abc", "a", "ffff", "gag", "bed"], config):
            assert len({h.text for h in found.n_best}) == 4
            ranks = [h.ranked for h in found.n_best]
            assert ranks == sorted(ranks, reverse=True)


def test_a_beam_of_one_is_greedy_whatever_the_penalty(translator):
    texts = ["abc", "bad", "fed", "hhhh"]
    assert translator(texts, beam=1, length_penalty=2.0) == translator(texts)


def test_a_sentence_is_drawn_alike_in_every_batch_and_order(translator):
    texts = ["".join(letters) for letters in itertools.product("abc", repeat=3)]
    drawn = translator(texts, sample=True)
    assert translator(texts[::-1], sample=True, batch_size=5)[::-1] == drawn
    assert translator(texts[3:4], sample=True, batch_size=1) == drawn[3:4]
    assert translator(texts, sample=True, seed=1) != drawn
    assert len(set(drawn)) > len(texts) // 2


def test_the_tamest_drawing_is_greedy(translator):
    texts = ["abc", "bad", "fed"]
    for options in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-6}):
        assert translator(texts, sample=True, **options) == translator(texts)


def test_warming_up_compiles_all_that_is_needed(translator, caplog):
    texts = ["abc", "abcdefgh" * 3, ""]
    for options in ({}, {"beam": 3}, {"sample": True}):
        config = DecodeConfig(max_length=40, batch_size=3, **options)
        translator.warm_up(texts, config)
        with compilations(caplog) as compiled:
            translator.translate(texts, config)
        assert not compiled
