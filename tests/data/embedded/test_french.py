"""The French of a large draw: typography, elision, contraction, agreement."""

import re
import unicodedata

import pytest

from s2s_jax.data.embedded.clauses import NARROW_SPACE
from s2s_jax.data.embedded.patterns import LONGEST_ENGLISH, LONGEST_FRENCH

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
    assert not re.search(rf"\b(?:j|n|d|qu|l|m|t|c)'(?!{VOWEL}|y )", french)
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
        if (" any " in source and source[-1] == ".") or " no " in source:
            assert re.search(r"\b(?:de |d')", target)
            assert not re.search(r"\b(?:des|du|une?|de la|de l')\b (?!table|maison)", target)


def test_des_becomes_de_before_an_adjective(french):
    before = "grands|grandes|petits|petites|beaux|belles|nouveaux|nouvelles|vieux|vieilles"
    plain = [line for line in french.split("\n") if not re.search("parl|reven|revi|suis", line)]
    assert not re.search(rf"\bdes (?:{before}|bons|bonnes|jeunes)\b", "\n".join(plain))


# Agreement, by tables of the test's own

MASCULINE = (
    "frère ami médecin garçon homme enfant chien chat oiseau œuf gâteau pain café livre chapeau "
    "ordinateur jardin film train hôtel hôpital marché"
)
FEMININE = "sœur fille femme pomme orange soupe eau lettre histoire voiture table maison école gare"
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
    genders = dict.fromkeys(MASCULINE.split(), "m") | dict.fromkeys(FEMININE.split(), "f")
    nouns = {noun: (gender, False) for noun, gender in genders.items()}
    plurals = {noun + ("x" if noun.endswith("eau") else "s"): noun for noun in genders}
    nouns |= {plural: (genders[noun], True) for plural, noun in plurals.items()}
    nouns |= {"cheval": ("m", False), "chevaux": ("m", True), "hôpitaux": ("m", True)}
    known = {word for forms in FORMS.values() for word in forms.split()} - {"de", "d'"}
    checked = 0
    for word, noun in re.findall(r"(?<!et )\b(?<!-)(\w+) (\w+)", french):
        if word in known and noun in nouns:
            assert word in FORMS[nouns[noun]].split(), f"{word} {noun}"
            checked += 1
    assert checked > 5_000


def test_participles_agree_with_the_subject_of_etre(french):
    endings = {"je suis": "", "tu es": "", "il est": "", "elle est": "e", "nous sommes": "s"}
    endings |= {"ils sont": "s", "les filles sont": "es", "les enfants sont": "s"}
    endings |= {"marie est": "e", "alice est": "e", "mon frère est": ""}
    endings |= {"paul est": "", "ma sœur est": "e"}
    found = re.findall(
        r"\b((?:\w+ )?\w+ (?:suis|es|est|sommes|sont)) (all|part|arriv|rest|reven|n)"
        r"(?:é|i|u)(e?s?)\b",
        french,
    )
    subjects = set()
    for subject, _, ending in found:
        key = next((key for key in endings if subject.endswith(key)), None)
        if key:
            assert ending == endings[key], subject
            subjects.add(key)
    assert subjects == set(endings)
