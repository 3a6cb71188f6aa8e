"""Subwords: exact, learned from the training part alone, and the same ones every time."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from s2s_testing import PAIRS, write_pairs

from s2s_jax import train
from s2s_jax.config import DataConfig, ModelConfig, RunConfig, TrainConfig
from s2s_jax.data.preparation import prepare
from s2s_jax.data.vocabulary import SPECIALS, SourceEncoder, Vocabulary
from s2s_jax.errors import UserError
from s2s_jax.runs.folder import Run, create_run, read_run

# What the library keeps for itself, names of special symbols, marks, joiners, white space.
ODD = "<pad>s eé’\u00a0\u202f中\u0301\u094d🇫🇷\u200d▁▅\0\t\n\r\x1f\ufffd"
# Without the noncharacters that stand in for what the library keeps.
ANY = st.characters(exclude_categories=["Cs"]).filter(lambda c: not "\ufdd0" <= c <= "\ufdef")
TEXTS = st.text(ANY, max_size=30) | st.text(ODD, max_size=30)
SENTENCES = [text for pair in PAIRS for text in pair]


@settings(max_examples=100)
@given(texts=st.lists(TEXTS, max_size=4), data=st.data())
def test_texts_of_characters_that_were_seen_come_back_exactly(texts, data):
    vocabulary = Vocabulary.from_texts(texts, "subword")
    seen = sorted({" ", *"".join(texts)})
    for text in (*texts, data.draw(st.text(seen, max_size=30))):
        assert vocabulary.decode(vocabulary.encode(text)) == text
        assert vocabulary.unseen(text) == []
    assert vocabulary.symbols[: len(SPECIALS)] == SPECIALS
    assert len(set(vocabulary.symbols)) == len(vocabulary)


@given(text=st.text(max_size=30))
def test_unseen_characters_are_named_and_left_out(text):
    vocabulary = Vocabulary.from_texts(SENTENCES, "subword")
    seen = {" ", *"".join(SENTENCES)}
    known = "".join(c for c in text if c in seen)
    assert vocabulary.decode(SourceEncoder(vocabulary).encode(text)) == known
    found = vocabulary.unseen(text)
    # A lone surrogate, which is in no UTF-8, is read as U+FFFD.
    assert found == list(dict.fromkeys(c for c in text if c not in seen))


@given(texts=st.lists(TEXTS, max_size=4))
def test_new_characters_can_be_added_and_come_back(texts):
    before = Vocabulary.from_texts(SENTENCES, "subword")
    after = before.extended(texts)
    assert after.symbols[: len(before)] == before.symbols
    assert all(len(symbol) == 1 for symbol in after.symbols[len(before) :])
    for text in texts:
        assert after.decode(after.encode(text)) == text
    assert after.tokenizer == before.tokenizer


def test_names_of_special_symbols_are_ordinary_text():
    vocabulary = Vocabulary.from_texts(["<pad> <eos> <unk>"] * 20, "subword")
    assert vocabulary.decode(vocabulary.encode("<eos><pad>")) == "<eos><pad>"
    assert Vocabulary.from_texts(["ab"], "subword").unseen("<pad>") == ["<", "p", "d", ">"]


def test_the_same_texts_give_the_same_subwords_and_a_size_that_is_asked_for():
    one, other = (Vocabulary.from_texts(SENTENCES, "subword", 35) for _ in range(2))
    assert one == other
    assert len(one) == 35 < len(Vocabulary.from_texts(SENTENCES, "subword"))
    assert max(map(len, one.symbols[len(SPECIALS) :])) > 1


def test_a_size_that_has_no_room_for_the_characters_is_refused():
    with pytest.raises(UserError, match=r"`vocab_size` must be at least 8, .*, not 7"):
        Vocabulary.from_texts(["aba", "c"], "subword", 7)
    assert len(Vocabulary.from_texts(["aba", "c"], "subword", 8)) == 8


@given(text=st.text("Tom eats. Mary", max_size=30), seed=st.integers(0, 2**32 - 1))
def test_a_sample_spells_the_text_and_follows_its_seed(text, seed):
    vocabulary = Vocabulary.from_texts(SENTENCES * 9, "subword")
    drawn = vocabulary.encode(text, (0.1, seed))
    assert vocabulary.decode(drawn) == text
    vocabulary.encode("Tom runs.", (0.5, seed + 1 & 0xFFFF))
    assert vocabulary.encode(text, (0.1, seed)).tolist() == drawn.tolist()


def test_samples_differ_and_the_likeliest_division_is_drawn_most():
    vocabulary = Vocabulary.from_texts(SENTENCES * 9, "subword")

    def count(alpha):
        drawn = (tuple(vocabulary.encode("Tom eats.", (alpha, seed))) for seed in range(300))
        return Counter(drawn).most_common()

    best = tuple(vocabulary.encode("Tom eats."))
    assert count(1)[0][0] == best
    assert count(5)[0][1] > count(1)[0][1] > count(0.1)[0][1]
    char = Vocabulary.from_texts(SENTENCES)
    assert char.encode("Tom eats.", (0.1, 7)).tolist() == char.encode("Tom eats.").tolist()


def test_only_the_training_part_is_learned_from(tmp_path):
    training = write_pairs(tmp_path / "training.txt")
    validation = write_pairs(tmp_path / "validation.txt", [("Zoë qui", "Zoé qui")] * 9)
    settings = {"data": str(training), "tokens": "subword"}
    alone = prepare(DataConfig(**settings, validation_split=0), 0)
    both = prepare(DataConfig(**settings, validation=str(validation)), 0)
    assert both.source_vocabulary == alone.source_vocabulary
    assert both.target_vocabulary == alone.target_vocabulary
    assert "ë" not in both.source_vocabulary.symbols


def test_without_the_library_the_message_says_how_to_install_it(uninstall):
    vocabulary = Vocabulary.from_texts(SENTENCES, "subword")
    uninstall("sentencepiece")
    saved = vocabulary.to_dict(), vocabulary.tokenizer.model
    for fails in (
        lambda: Vocabulary.from_texts(SENTENCES, "subword"),
        lambda: Vocabulary.from_dict(*saved),
    ):
        with pytest.raises(UserError, match="need sentencepiece; install it with: pip install"):
            fails()
    assert len(Vocabulary.from_texts(SENTENCES, "char")) > len(SPECIALS)


def make_run(tokens):
    sides = [Vocabulary.from_texts([pair[side] for pair in PAIRS], tokens) for side in (0, 1)]
    config = RunConfig(DataConfig(), ModelConfig(*map(len, sides)), TrainConfig(), 12, "")
    return Run(config, *sides)


@pytest.fixture
def folder(tmp_path):
    create_run(tmp_path, make_run("subword"))
    return tmp_path


def test_a_run_keeps_its_subwords_beside_its_vocabularies(folder):
    run = make_run("subword")
    assert read_run(folder) == run
    for name, vocabulary in zip(("source", "target"), run[1:3], strict=True):
        model = (folder / f"{name}_vocabulary.model").read_bytes()
        assert model == vocabulary.tokenizer.model
    create_run(folder, make_run("char"))
    assert not list(folder.glob("*.model"))


@pytest.mark.parametrize("damage", ["cut", "flip", "swap", "remove", "of an empty file"])
def test_a_model_that_is_not_the_run_s_is_refused(folder, run_here, damage):
    model = folder / "target_vocabulary.model"
    whole = model.read_bytes()
    if damage == "remove":
        model.unlink()
    else:
        model.write_bytes({
            "cut": whole[:-1],
            "flip": whole[:99] + bytes([whole[99] ^ 1]) + whole[100:],
            "swap": (folder / "source_vocabulary.model").read_bytes(),
            "of an empty file": b"",
        }[damage])  # fmt: skip
    done = run_here("decode.py", "--checkpoint", folder, "He eats.")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "target_vocabulary.json: its model is missing, damaged or of another run" in done.stderr


def test_a_model_that_was_swapped_together_with_its_hash_is_refused(folder):
    for end in ("json", "model"):
        source, target = (folder / f"{side}_vocabulary.{end}" for side in ("source", "target"))
        target.write_bytes(source.read_bytes())
    with pytest.raises(UserError, match=r"target_vocabulary\.json"):
        read_run(folder)


@pytest.mark.slow
def test_a_trained_run_answers_scores_and_goes_on(run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"tokens": "subword", "subword_sampling": 0.3, "latent_dim": 16, "batch_size": 8}
    whole = train(PAIRS, out="whole", epochs=3, **settings)
    train(PAIRS, out="run", epochs=1, **settings)
    resumed = train(PAIRS, out="run", epochs=3, resume=True)
    losses = [[(e["loss"], e["val_loss"]) for e in run.history] for run in (whole, resumed)]
    assert losses[0] == losses[1]
    unsampled = train(PAIRS, out="unsampled", epochs=1, **{**settings, "subword_sampling": 0})
    assert unsampled.history[0]["loss"] != whole.history[0]["loss"]

    # Another process may do without the data.
    done = run_here("decode.py", "--checkpoint", "run", "--json", "--scores", "Tom eats. ß")
    answer = json.loads(done.stdout)
    assert "".join(answer["tokens"]).removesuffix("<eos>").removeprefix(" ") == answer["text"]
    assert answer["warnings"][0] == "training never saw 'ß'"
    scored = run_here("decode.py", "--checkpoint", "run", "--score", stdin="He eats.\tIl mange.\n")
    assert scored.returncode == 0 and len(scored.stdout.split()) == 2

    # Fine-tuning keeps the subwords and adds the characters that are new.
    new = [("Zoe naps.", "Zoé dort.")] * 2 + [("Zoe eats.", "Zoé mange.")]
    tuned = train(new, start_from="run", out="tuned", epochs=1, validation_split=0)
    before, after = (read_run(tmp_path / name) for name in ("run", "tuned"))
    symbols = before.target_vocabulary.symbols
    assert after.target_vocabulary.symbols == (*symbols, "Z", "d", "é")
    assert after.target_vocabulary.tokenizer == before.target_vocabulary.tokenizer
    assert "<unk>" not in tuned.translator("Zoe eats.")
    with pytest.raises(UserError, match="has `vocab_size` 0, not 99"):
        train(new, start_from="run", out="other", vocab_size=99)
