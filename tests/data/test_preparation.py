import dataclasses
import gzip
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s2s_testing import PAIRS, write_pairs

from s2s_jax.config import DataConfig
from s2s_jax.data import preparation
from s2s_jax.data.corpus import Pair
from s2s_jax.data.preparation import load_corpus, prepare
from s2s_jax.data.vocabulary import SourceEncoder, Vocabulary
from s2s_jax.errors import UserError

SAMPLE = DataConfig(num_samples=300)


def of_file(path, **options):
    return prepare(DataConfig(data=str(path), **options), seed=0)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from(["source", "tail"]))
def test_the_parts_are_the_whole_and_share_no_pair(data_file, seed, share, split):
    config = DataConfig(data=str(data_file), validation_split=share, split=split)
    prepared = prepare(config, seed)
    assert sorted(prepared.training + prepared.validation) == sorted(Pair(*p) for p in PAIRS)
    assert bool(prepared.validation) == (share > 0)
    again = prepare(config, seed)
    assert again == prepared
    assert again.data_hash == prepared.data_hash


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_vocabularies_are_those_of_the_training_part(data_file, tokens):
    prepared = of_file(data_file, tokens=tokens, validation_split=0.3)
    sources, targets = zip(*prepared.training, strict=True)
    assert prepared.source_vocabulary == Vocabulary.from_texts(sources, tokens)
    assert prepared.target_vocabulary == Vocabulary.from_texts(targets, tokens)


def test_encoded_pairs_decode_to_their_text(data_file):
    prepared = of_file(data_file)
    examples = prepared.encode(prepared.training)
    rows = zip(prepared.training, examples.sources, examples.targets, strict=True)
    for pair, source, target in rows:
        assert prepared.source_vocabulary.decode(source) == pair.source
        assert prepared.target_vocabulary.decode(target) == pair.target
        assert source.dtype == target.dtype == np.int32


def test_what_training_never_saw_is_left_out_of_sources_and_unknown_in_targets(data_file):
    prepared = of_file(data_file)
    examples = prepared.encode([Pair("Tom €runs.", "Thom €court.")])
    # As in decoding; but an answer that leaves a symbol out would be another answer.
    assert prepared.source_vocabulary.decode(examples.sources[0]) == "Tom runs."
    assert prepared.target_vocabulary.decode(examples.targets[0]) == "Thom <unk>court."


def test_the_vocabularies_of_a_run_are_taken_as_they_are(data_file):
    given_ones = (SourceEncoder(Vocabulary.from_texts(["xyz"])), Vocabulary.from_texts(["uvw"]))
    prepared = prepare(DataConfig(data=str(data_file)), 0, given_ones)
    assert (prepared.source_encoder, prepared.target_vocabulary) == given_ones
    assert prepared.data_hash == of_file(data_file).data_hash


def test_the_hash_is_that_of_the_pairs_and_not_of_the_file(data_file, tmp_path):
    """A run is resumed on another machine, where the data may have another name and form."""
    expected = of_file(data_file).data_hash
    text = data_file.read_text(encoding="utf-8")
    forms = {
        "moved.tsv": text.encode(),
        "dos.txt": text.replace("\n", "\r\n").encode("utf-8-sig"),
        "packed.txt.gz": gzip.compress(text.encode()),
        "attributed.txt": text.replace("\n", "\tCC-BY 2.0\n").encode(),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        assert of_file(tmp_path / name).data_hash == expected


def test_the_hash_tells_other_pairs_another_order_and_another_division(data_file, tmp_path):
    config = DataConfig(data=str(data_file))
    hashes = [
        prepare(config, 0).data_hash,
        prepare(config, 1).data_hash,
        of_file(data_file, split="tail").data_hash,
        of_file(data_file, split="tail", validation_split=0.5).data_hash,
        of_file(data_file, swap=True).data_hash,
    ]
    changes = [PAIRS[::-1], PAIRS[:-1], [*PAIRS[:-1], (PAIRS[-1][0], "Marie dort.")]]
    for number, pairs in enumerate(changes):
        hashes.append(of_file(write_pairs(tmp_path / f"{number}.txt", pairs)).data_hash)
    assert len(set(hashes)) == len(hashes)


def test_parts_that_are_given_are_taken_as_they_are(data_file, tmp_path):
    unseen = [("We eat.", "Nous mangeons."), PAIRS[0], ("", "x"), PAIRS[1]]
    validation = write_pairs(tmp_path / "dev.txt", unseen)
    test = write_pairs(tmp_path / "test.txt", [("We run.", "Nous courons.")])
    prepared = of_file(data_file, validation=str(validation), test=str(test), num_samples=2)
    assert prepared.training == [Pair(*pair) for pair in PAIRS[:2]]
    assert prepared.validation == [Pair(*unseen[0]), *prepared.training]
    assert prepared.test == [Pair("We run.", "Nous courons.")]
    assert prepared.leaks == {"validation": 2, "test": 0}
    assert prepared.parts["validation"].skipped["empty side"].first_lines == (3,)
    assert of_file(data_file).leaks == {} and of_file(data_file).test == []


def test_a_test_part_does_not_change_what_a_run_is_trained_on(data_file):
    assert of_file(data_file, test=str(data_file)).data_hash == of_file(data_file).data_hash
    assert of_file(data_file, validation=str(data_file)).data_hash != of_file(data_file).data_hash


def test_the_layout_of_the_data_is_that_of_every_part(tmp_path):
    for name in ("train", "dev"):
        for side, text in (("en", f"Go.\n{name}.\n"), ("fr", f"Va !\n{name} !\n")):
            (tmp_path / f"{name}.{side}").write_text(text, "utf-16")
    parts = {
        option: (str(tmp_path / f"{name}.fr"), str(tmp_path / f"{name}.en"))
        for option, name in (("data", "train"), ("validation", "dev"))
    }
    prepared = prepare(DataConfig(encoding="utf-16", swap=True, **parts), 0)
    assert prepared.training == [Pair("Go.", "Va !"), Pair("train.", "train !")]
    assert prepared.validation == [Pair("Go.", "Va !"), Pair("dev.", "dev !")]


def test_swapping_translates_the_other_way(data_file):
    plain, swapped = of_file(data_file), of_file(data_file, swap=True)
    assert [(t, s) for s, t in plain.corpus.pairs] == swapped.corpus.pairs
    there, back = load_corpus(SAMPLE, 0), load_corpus(DataConfig(num_samples=300, swap=True), 0)
    assert [(t, s) for s, t in there.pairs] == back.pairs


def test_the_embedded_corpus_is_drawn_by_the_seed():
    one, again, other = (prepare(SAMPLE, seed) for seed in (0, 0, 1))
    assert len(one.corpus.pairs) == len(set(one.corpus.pairs)) == 300
    assert one == again
    assert one.data_hash != other.data_hash


def test_no_source_sentence_stands_on_both_sides():
    prepared = prepare(SAMPLE, 0)
    sides = [{pair.source for pair in part} for part in (prepared.training, prepared.validation)]
    assert sides[0] and sides[1] and not sides[0] & sides[1]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("split", ["source", "tail"])
def test_set_phrases_are_trained_on_and_never_judged(split, swap):
    config = DataConfig(num_samples=3_000, validation_split=0.3, split=split, swap=swap)
    prepared = prepare(config, 0)
    set_phrases = prepared.corpus.always_train
    assert len(set_phrases & set(prepared.training)) > 100
    assert not {pair.source for pair in set_phrases} & {pair.source for pair in prepared.validation}


def test_no_bound_on_the_embedded_corpus_means_all_of_it(monkeypatch):
    # A tenth of the grammar, which takes seconds to go through.
    few = list(itertools.islice(preparation.embedded_pairs(0), 15_000))
    monkeypatch.setattr(preparation, "embedded_pairs", lambda seed: iter(few))
    limits = {"max_source_length": 16, "max_target_length": 18}
    corpus = load_corpus(DataConfig(num_samples=0, **limits), 0)
    skipped = sum(skipped.count for skipped in corpus.skipped.values())
    assert len(corpus.pairs) > 10
    assert len(corpus.pairs) + skipped == len(few) > DataConfig().num_samples
    assert set(corpus.skipped) == {"source too long", "target too long"}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"validation_split": 0.99}, "`validation_split`"),
        ({"max_source_length": 1}, "`max_source_length`"),
        ({"max_target_length": 1}, "`max_target_length`"),
    ],
)
def test_a_part_that_would_be_empty_is_a_user_error(data_file, options, reason):
    with pytest.raises(UserError, match=reason) as error:
        of_file(data_file, split="tail", **options)
    assert "\n" not in str(error.value)


def test_data_that_is_not_there_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match=r"missing\.txt"):
        of_file(tmp_path / "missing.txt")
    with pytest.raises(UserError):
        of_file(tmp_path)


def test_sources_are_filled_up_as_the_encoder_has_it(data_file):
    prepared = of_file(data_file)
    encoder = SourceEncoder(prepared.source_vocabulary, 30, " ")
    filled = dataclasses.replace(prepared, source_encoder=encoder).encode(prepared.training)
    space = prepared.source_vocabulary.symbols.index(" ")
    assert {len(source) for source in filled.sources} == {30}
    plain_sources = prepared.encode(prepared.training).sources
    for source, plain in zip(filled.sources, plain_sources, strict=True):
        np.testing.assert_array_equal(source[: len(plain)], plain)
        assert (source[len(plain) :] == space).all()


def test_the_longest_are_those_of_training_in_tokens(data_file):
    prepared = of_file(data_file, source_tokens="word", validation_split=0.5)
    assert prepared.longest == (3, max(len(pair.target) for pair in prepared.training))


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_part_that_is_not_there_is_named(tmp_path, part):
    path = tmp_path / "a.tsv"
    path.write_text("Go.\tVa !\nRun!\tCours !\n")
    with pytest.raises(UserError, match=f"^`{part}` needs a file"):
        prepare(DataConfig(data=str(path), **{part: "missing"}), 0)
