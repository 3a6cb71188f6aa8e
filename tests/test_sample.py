"""The embedded corpus: properties of a large draw, and French as a teacher would write it."""

import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import islice

import pytest

from s2s_jax.errors import UserError
from s2s_jax.sample import sample_pairs
from s2s_jax.sample.clauses import NARROW_SPACE, negation, past_tense, present_tense, statement
from s2s_jax.sample.lexicon import ADJECTIVES, NOUNS, SUBJECTS
from s2s_jax.sample.morphology import adjective_form, contract, elide, noun_form
from s2s_jax.sample.numerals import (
    english_number,
    english_ordinal,
    french_number,
    time_of_day,
)
from s2s_jax.sample.patterns import LONGEST_ENGLISH, LONGEST_FRENCH
from s2s_jax.sample.phrases import find_adjective, find_noun, noun_phrase, noun_phrases
from s2s_jax.sample.sampling import all_patterns, draw
from s2s_jax.sample.verbs import ARRIVE, BE, GO, LEAVE, RETURN, STAY, TALK, VERBS

MANY = 50_000


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return sample_pairs(MANY)


@pytest.fixture(scope="module")
def french(pairs) -> str:
    """Every French sentence in lower case, one a line."""
    return "\n".join(target for _, target in pairs).lower()


# The draw


def test_fifty_thousand_distinct_sources(pairs):
    assert len(pairs) == len({source for source, _ in pairs}) == MANY


def test_one_source_has_one_translation(pairs):
    known = dict(pairs)
    for source, target in sample_pairs(MANY, seed=1):
        assert known.setdefault(source, target) == target


@pytest.mark.parametrize("pattern", all_patterns(), ids=lambda pattern: pattern.kind)
def test_patterns_agree_where_they_overlap(pattern, pairs):
    known = dict(pairs)
    for index in range(0, pattern.size, max(1, pattern.size // 500)):
        source, target = pattern.sentence(index) or pairs[0]
        assert known.get(source, target) == target


def test_the_seed_decides():
    assert sample_pairs(300, seed=3) == sample_pairs(300, seed=3)
    assert sample_pairs(300, seed=3) != sample_pairs(300, seed=4)


def test_a_longer_draw_starts_with_the_shorter():
    assert sample_pairs(200, seed=5)[:50] == sample_pairs(50, seed=5)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_draw_is_the_same_in_every_process(hash_seed):
    code = "from s2s_jax.sample import sample_pairs; print(ascii(sample_pairs(400, 9)))"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ascii(sample_pairs(400, 9))


def test_nothing_is_drawn_for_zero():
    assert sample_pairs(0) == []


@pytest.mark.parametrize("count", [-1, 10**9])
def test_an_impossible_count_is_refused(count):
    with pytest.raises(UserError, match=str(count)) as caught:
        sample_pairs(count)
    assert "\n" not in str(caught.value)


def test_an_exhausted_grammar_is_reported(monkeypatch):
    few = tuple(pattern for pattern in all_patterns() if pattern.size < 300)
    monkeypatch.setattr("s2s_jax.sample.sampling.all_patterns", lambda: few)
    held = len(list(draw(0)))
    assert len(sample_pairs(held)) == held
    with pytest.raises(UserError, match=f"{held}.*{held + 1}"):
        sample_pairs(held + 1)


def test_no_sentence_type_is_rare_or_dominant():
    kinds = Counter(kind for kind, _ in islice(draw(0), 20_000))
    shares = {kind: count / 20_000 for kind, count in kinds.items()}
    assert len(shares) >= 12
    assert min(shares.values()) >= 0.03
    assert max(shares.values()) <= 0.25


# Typography


def test_lengths(pairs):
    assert max(len(source) for source, _ in pairs) <= LONGEST_ENGLISH <= 40
    assert max(len(target) for _, target in pairs) <= LONGEST_FRENCH <= 50


def test_text_is_normal_and_well_spaced(pairs):
    for sentence in (side for pair in pairs for side in pair):
        assert unicodedata.is_normalized("NFC", sentence)
        assert sentence[0].isupper() and sentence[-1] in ".?!"
        assert "  " not in sentence and sentence == sentence.strip()
        assert "’" not in sentence and "\xa0" not in sentence


def test_narrow_space_before_question_and_exclamation_marks_in_french(pairs):
    for source, target in pairs:
        assert source[-1] == target[-1]
        assert NARROW_SPACE not in source and not re.search(r"\s[.?!]", source)
        assert target.count(NARROW_SPACE) == (target[-1] in "?!")
        if target[-1] in "?!":
            assert target[-2] == NARROW_SPACE and target[-3].isalpha()


# Elision and contraction over the whole draw

VOWEL = "[aàâeéèêiîoôuùûœh]"


@pytest.mark.parametrize("word", ["je", "ne", "de", "que", "le", "la", "me", "te", "ce"])
def test_elision_is_never_missed(french, word):
    missed = re.findall(rf"\b{word} {VOWEL}\w*", french)
    # No elision before huit and onze.
    assert {hit.split()[1] for hit in missed} <= {"huit", "onze"}


def test_elision_only_before_vowels(french):
    assert not re.search(rf"\b(?:j|n|d|qu|l|m|t|c)'(?!{VOWEL})", french)
    assert not re.search(r"'(?:huit|onze)\b", french)


@pytest.mark.parametrize("wrong", ["à le", "à les", "de le", "de les", "de du", "de des", "de un"])
def test_prepositions_are_contracted(french, wrong):
    assert not re.search(rf"\b{wrong}\b", french)


@pytest.mark.parametrize("word", ["beau", "nouveau", "vieux", "ma", "ta", "sa"])
def test_forms_before_a_vowel(french, word):
    following = re.findall(rf"\b{word} ({VOWEL}\w*)", french)
    # "vieux" is also the plural: de vieux amis.
    assert all(word == "vieux" and hit.endswith(("s", "x")) for hit in following)


def test_de_replaces_articles_after_a_negation(pairs):
    for source, target in pairs:
        if " any " in source and source[-1] == "." or " no " in source:
            assert re.search(r"\b(?:de |d')", target)
            assert not re.search(r"\b(?:des|du|une?|de la|de l')\b (?!table|maison)", target)


def test_des_becomes_de_before_an_adjective(french):
    before = "grands|grandes|petits|petites|beaux|belles|nouveaux|nouvelles|vieux|vieilles"
    plain = [line for line in french.split("\n") if not re.search("parl|reven|revi|suis", line)]
    assert not re.search(rf"\bdes (?:{before}|bons|bonnes|jeunes)\b", "\n".join(plain))


# Agreement, by tables of the test's own

MASCULINE = (
    "frère père ami médecin garçon homme enfant chien chat oiseau œuf gâteau pain fromage café "
    "livre chapeau ordinateur jardin film train hôtel hôpital marché"
).split()
FEMININE = (
    "sœur mère fille femme pomme orange soupe eau lettre histoire voiture table maison école gare"
).split()
FORMS = {
    ("m", False): "un le mon ton son notre ce cet du au "
    "grand petit bon beau bel nouveau nouvel vieux vieil",
    ("f", False): "une la ma ta sa mon ton son notre cette grande petite bonne belle nouvelle "
    "vieille",
    ("m", True): "les des mes tes ses nos ces de d' aux "
    "grands petits bons beaux nouveaux vieux jeunes",
    ("f", True): "les des mes tes ses nos ces de d' aux "
    "grandes petites bonnes belles nouvelles vieilles jeunes",
}


def test_what_stands_before_a_noun_agrees_with_it(french):
    genders = dict.fromkeys(MASCULINE, "m") | dict.fromkeys(FEMININE, "f")
    nouns = {noun: (gender, False) for noun, gender in genders.items()}
    plurals = {noun + ("x" if noun.endswith("eau") else "s"): noun for noun in genders}
    nouns |= {plural: (genders[noun], True) for plural, noun in plurals.items()}
    nouns |= {"cheval": ("m", False), "chevaux": ("m", True), "hôpitaux": ("m", True)}
    known = {word for forms in FORMS.values() for word in forms.split()} - {"de", "d'"}
    checked = 0
    for word, noun in re.findall(r"(\w+) (\w+)", french):
        if word in known and noun in nouns:
            assert word in FORMS[nouns[noun]].split(), f"{word} {noun}"
            checked += 1
    assert checked > 5_000


def test_participles_agree_with_the_subject_of_etre(french):
    endings = {"je suis": "", "tu es": "", "il est": "", "elle est": "e", "nous sommes": "s"}
    endings |= {"ils sont": "s", "les filles sont": "es", "les enfants sont": "s"}
    endings |= {"ma sœur est": "e", "marie est": "e", "alice est": "e", "mon frère est": ""}
    endings |= {"paul est": "", "la femme est": "e", "ses amis sont": "s"}
    found = re.findall(r"\b((?:\w+ )?\w+ (?:suis|es|est|sommes|sont)) (all|part|arriv|rest|reven|n)"
                       r"(?:é|i|u)(e?s?)\b", french)
    subjects = set()
    for subject, _, ending in found:
        key = next((key for key in endings if subject.endswith(key)), None)
        if key:
            assert ending == endings[key], subject
            subjects.add(key)
    assert subjects == set(endings)


def test_every_noun_has_one_translation():
    assert len({noun.en for noun in NOUNS}) == len({noun.fr for noun in NOUNS}) == len(NOUNS)
    assert len({adjective.en for adjective in ADJECTIVES}) == len(ADJECTIVES)
    assert len({verb.en[0] for verb in VERBS}) == len({verb.fr for verb in VERBS}) == len(VERBS)


# What a French teacher would write


@pytest.mark.parametrize(
    "english, article, adjective, plural, some, denied",
    [
        ("car", "a", "red", False, "une voiture rouge", "de voiture rouge"),
        ("car", "a", "red", True, "des voitures rouges", "de voitures rouges"),
        ("house", "a", "small", True, "de petites maisons", "de petites maisons"),
        ("friend", "a", "old", False, "un vieil ami", "de vieil ami"),
        ("friend", "a", None, True, "des amis", "d'amis"),
        ("bird", "a", "beautiful", False, "un bel oiseau", "de bel oiseau"),
        ("bird", "the", "beautiful", True, "les beaux oiseaux", "les beaux oiseaux"),
        ("hotel", "a", "new", False, "un nouvel hôtel", "de nouvel hôtel"),
        ("hotel", "the", "big", False, "le grand hôtel", "le grand hôtel"),
        ("hotel", "the", None, False, "l'hôtel", "l'hôtel"),
        ("hotel", "this", None, False, "cet hôtel", "cet hôtel"),
        ("hospital", "the", None, True, "les hôpitaux", "les hôpitaux"),
        ("horse", "a", "black", True, "des chevaux noirs", "de chevaux noirs"),
        ("school", "my", None, False, "mon école", "mon école"),
        ("school", "my", "new", False, "ma nouvelle école", "ma nouvelle école"),
        ("school", "this", None, False, "cette école", "cette école"),
        ("orange", "her", None, False, "son orange", "son orange"),
        ("man", "this", "old", False, "ce vieil homme", "ce vieil homme"),
        ("child", "this", None, False, "cet enfant", "cet enfant"),
        ("egg", "a", "white", False, "un œuf blanc", "d'œuf blanc"),
        ("letter", "this", "old", True, "ces vieilles lettres", "ces vieilles lettres"),
        ("car", "the", "expensive", False, "la voiture chère", "la voiture chère"),
        ("hat", "a", "blue", True, "des chapeaux bleus", "de chapeaux bleus"),
        ("water", "a", "cold", False, "de l'eau froide", "d'eau froide"),
        ("bread", "a", "good", False, "du bon pain", "de bon pain"),
        ("soup", "a", "hot", False, "de la soupe chaude", "de soupe chaude"),
        ("sister", "our", None, True, "nos sœurs", "nos sœurs"),
        ("story", "your", "sad", False, "ton histoire triste", "ton histoire triste"),
    ],
)
def test_noun_phrases(english, article, adjective, plural, some, denied):
    quality = find_adjective(adjective) if adjective else None
    phrase = noun_phrase(find_noun(english), article, quality, plural)
    assert (phrase.fr, phrase.denied) == (some, denied)


@pytest.mark.parametrize(
    "number, words",
    [
        (0, "zéro"),
        (1, "un"),
        (16, "seize"),
        (17, "dix-sept"),
        (20, "vingt"),
        (21, "vingt et un"),
        (22, "vingt-deux"),
        (61, "soixante et un"),
        (70, "soixante-dix"),
        (71, "soixante et onze"),
        (72, "soixante-douze"),
        (77, "soixante-dix-sept"),
        (80, "quatre-vingts"),
        (81, "quatre-vingt-un"),
        (83, "quatre-vingt-trois"),
        (90, "quatre-vingt-dix"),
        (91, "quatre-vingt-onze"),
        (99, "quatre-vingt-dix-neuf"),
        (100, "cent"),
        (101, "cent un"),
        (180, "cent quatre-vingts"),
        (200, "deux cents"),
        (203, "deux cent trois"),
        (280, "deux cent quatre-vingts"),
        (999, "neuf cent quatre-vingt-dix-neuf"),
        (1000, "mille"),
        (1001, "mille un"),
        (1984, "mille neuf cent quatre-vingt-quatre"),
        (2000, "deux mille"),
        (2300, "deux mille trois cents"),
        (5071, "cinq mille soixante et onze"),
        (9021, "neuf mille vingt et un"),
    ],
)
def test_french_numbers(number, words):
    assert french_number(number) == words


@pytest.mark.parametrize(
    "number, words",
    [(1, "une"), (11, "onze"), (21, "vingt et une"), (71, "soixante et onze"),
     (81, "quatre-vingt-une"), (91, "quatre-vingt-onze"), (101, "cent une"), (80, "quatre-vingts")],
)
def test_french_numbers_before_a_feminine(number, words):
    assert french_number(number, feminine=True) == words


def test_numbers_are_distinct_and_bounded():
    for write in (english_number, french_number):
        assert len({write(number) for number in range(10_000)}) == 10_000
        for number in (-1, 10_000):
            with pytest.raises(UserError, match=str(number)):
                write(number)


@pytest.mark.parametrize(
    "number, words",
    [(13, "thirteen"), (40, "forty"), (99, "ninety-nine"), (100, "one hundred"),
     (342, "three hundred and forty-two"), (1005, "one thousand and five"),
     (2300, "two thousand three hundred"), (4120, "four thousand one hundred and twenty")],
)
def test_english_numbers(number, words):
    assert english_number(number) == words


def test_english_ordinals():
    found = " ".join(english_ordinal(number) for number in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 31))
    assert found == (
        "first second third fifth eighth ninth twelfth twentieth twenty-first thirtieth "
        "thirty-first"
    )


@pytest.mark.parametrize(
    "hour, minute, english, french",
    [
        (1, 0, "one o'clock", "une heure"),
        (3, 15, "a quarter past three", "trois heures et quart"),
        (4, 30, "half past four", "quatre heures et demie"),
        (1, 30, "half past one", "une heure et demie"),
        (0, 30, "half past midnight", "minuit et demi"),
        (12, 30, "half past noon", "midi et demi"),
        (12, 0, "noon", "midi"),
        (0, 0, "midnight", "minuit"),
        (11, 45, "a quarter to noon", "midi moins le quart"),
        (8, 45, "a quarter to nine", "neuf heures moins le quart"),
        (8, 35, "twenty-five to nine", "neuf heures moins vingt-cinq"),
        (6, 5, "five past six", "six heures cinq"),
    ],
)
def test_times_of_day(hour, minute, english, french):
    assert time_of_day(hour, minute) == (english, french)


SENTENCES = """
It is one o'clock. | Il est une heure.
It is a quarter past three. | Il est trois heures et quart.
It is midnight. | Il est minuit.
It is the first of May. | C'est le premier mai.
It is the eighth of March. | C'est le huit mars.
It is the eleventh of August. | C'est le onze août.
It is Monday, the third of May. | Nous sommes le lundi trois mai.
She was born in April. | Elle est née en avril.
The girls left on Monday. | Les filles sont parties lundi.
I am arriving at eleven o'clock. | J'arrive à onze heures.
I bought a red car. | J'ai acheté une voiture rouge.
I did not buy a red car. | Je n'ai pas acheté de voiture rouge.
I did not buy the red car. | Je n'ai pas acheté la voiture rouge.
I did not drink any coffee. | Je n'ai pas bu de café.
She is not eating an apple. | Elle ne mange pas de pomme.
Is she eating an apple? | Est-ce qu'elle mange une pomme ?
We are eating some bread. | Nous mangeons du pain.
He has some small dogs. | Il a de petits chiens.
Did Alice drink any water? | Est-ce qu'Alice a bu de l'eau ?
I do not like your hat. | Je n'aime pas ton chapeau.
You do not have any friends. | 
She went to the market. | Elle est allée au marché.
The girls came back from the hotel. | Les filles sont revenues de l'hôtel.
They came back from the garden. | Ils sont revenus du jardin.
We did not stay at the hotel. | Nous ne sommes pas restés à l'hôtel.
I am going to the old station. | Je vais à la vieille gare.
She is talking to the children. | Elle parle aux enfants.
I am talking about the film. | Je parle du film.
He is waiting for me. | Il m'attend.
I do not know her. | Je ne la connais pas.
Do they love you? | Est-ce qu'ils t'aiment ?
She wants to help us. | Elle veut nous aider.
I cannot buy any eggs. | Je ne peux pas acheter d'œufs.
You must write a letter. | Tu dois écrire une lettre.
We are going to sell the house. | Nous allons vendre la maison.
Eat the apple! | Mange la pomme !
Do not buy any bread! | N'achète pas de pain !
What a beautiful house! | Quelle belle maison !
The woman is happy. | La femme est heureuse.
They are not tired. | Ils ne sont pas fatigués.
There is no bread on the table. | Il n'y a pas de pain sur la table.
Are there any cats in the garden? | Est-ce qu'il y a des chats dans le jardin ?
Where are my letters? | Où sont mes lettres ?
How many eggs do you want? | Combien d'œufs est-ce que tu veux ?
Who took the train? | Qui a pris le train ?
I have twenty-one books. | J'ai vingt et un livres.
She has twenty-one apples. | Elle a vingt et une pommes.
I am eighty years old. | J'ai quatre-vingts ans.
Two hundred euros. | Deux cents euros.
"""


def test_sentences_as_a_teacher_would_write_them():
    expected = {}
    for line in SENTENCES.strip().splitlines():
        source, _, target = line.partition(" | ")
        expected[source] = re.sub(r" ([?!])$", NARROW_SPACE + r"\1", target)
    found = {}
    for pattern in all_patterns():
        for index in range(pattern.size):
            pair = pattern.sentence(index)
            if pair and pair[0] in expected:
                found[pair[0]] = pair[1]
    assert found == expected
