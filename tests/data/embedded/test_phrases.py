"""Noun phrases, verbs, numbers and times of day as a French teacher would write them."""

import pytest

from s2s_jax.data.embedded.clauses import negation, present_tense
from s2s_jax.data.embedded.lexicon import ADJECTIVES, NOUNS, SUBJECTS
from s2s_jax.data.embedded.morphology import present
from s2s_jax.data.embedded.numerals import (
    english_number,
    english_ordinal,
    french_number,
    time_of_day,
)
from s2s_jax.data.embedded.phrases import find_adjective, find_noun, noun_phrase
from s2s_jax.data.embedded.verbs import VERBS
from s2s_jax.errors import UserError


def cases(names: str, text: str) -> pytest.MarkDecorator:
    """Parametrise with rows split at ; and fields split at |."""
    rows = [row.split("|") for row in " ".join(text.split()).split(";")]
    return pytest.mark.parametrize(names, [[field.strip() for field in row] for row in rows])


def test_every_noun_has_one_translation():
    assert len({noun.en for noun in NOUNS}) == len({noun.fr for noun in NOUNS}) == len(NOUNS)
    assert len({adjective.en for adjective in ADJECTIVES}) == len(ADJECTIVES)
    assert len({verb.en[0] for verb in VERBS}) == len({verb.fr for verb in VERBS}) == len(VERBS)


@cases(
    "english, article, adjective, plural, some, denied",
    """
    car | a | red |  | une voiture rouge | de voiture rouge;
    car | a | red | plural | des voitures rouges | de voitures rouges;
    house | a | small | plural | de petites maisons | de petites maisons;
    friend | a | old |  | un vieil ami | de vieil ami;
    friend | a |  | plural | des amis | d'amis;
    bird | a | beautiful |  | un bel oiseau | de bel oiseau;
    bird | the | beautiful | plural | les beaux oiseaux | les beaux oiseaux;
    hotel | a | new |  | un nouvel hôtel | de nouvel hôtel;
    hotel | the | big |  | le grand hôtel | le grand hôtel;
    hotel | the |  |  | l'hôtel | l'hôtel; hotel | this |  |  | cet hôtel | cet hôtel;
    hospital | the |  | plural | les hôpitaux | les hôpitaux;
    horse | a | black | plural | des chevaux noirs | de chevaux noirs;
    school | my |  |  | mon école | mon école;
    school | my | new |  | ma nouvelle école | ma nouvelle école;
    school | this |  |  | cette école | cette école;
    orange | her |  |  | son orange | son orange;
    man | this | old |  | ce vieil homme | ce vieil homme;
    egg | a | white |  | un œuf blanc | d'œuf blanc;
    letter | this | old | plural | ces vieilles lettres | ces vieilles lettres;
    car | the | expensive |  | la voiture chère | la voiture chère;
    hat | a | blue | plural | des chapeaux bleus | de chapeaux bleus;
    water | a | cold |  | de l'eau froide | d'eau froide;
    bread | a | good |  | du bon pain | de bon pain;
    soup | a | hot |  | de la soupe chaude | de soupe chaude;
    sister | her |  | plural | ses sœurs | ses sœurs
    """,
)
def test_noun_phrases(english, article, adjective, plural, some, denied):
    quality = find_adjective(adjective) if adjective else None
    phrase = noun_phrase(find_noun(english), article, quality, plural == "plural")
    assert (phrase.fr, phrase.denied) == (some, denied)


@cases(
    "verb, forms",
    """
    manger | mange manges mange mangeons mangent;
    regarder | regarde regardes regarde regardons regardent;
    acheter | achète achètes achète achetons achètent; faire | fais fais fait faisons font;
    prendre | prends prends prend prenons prennent;
    connaître | connais connais connaît connaissons connaissent
    """,
)
def test_present_tense(verb, forms):
    found = next(entry for entry in VERBS if entry.fr == verb)
    assert " ".join(present(found)) == forms
    assert negation(present_tense(SUBJECTS[2], found))[1].endswith("pas.")


@cases(
    "number, words",
    """
    0 | zéro; 1 | un; 16 | seize; 17 | dix-sept; 20 | vingt; 21 | vingt et un; 22 | vingt-deux;
    61 | soixante et un; 70 | soixante-dix; 71 | soixante et onze; 72 | soixante-douze;
    77 | soixante-dix-sept; 80 | quatre-vingts; 81 | quatre-vingt-un; 83 | quatre-vingt-trois;
    90 | quatre-vingt-dix; 91 | quatre-vingt-onze; 100 | cent; 101 | cent un;
    180 | cent quatre-vingts; 200 | deux cents; 203 | deux cent trois; 
    999 | neuf cent quatre-vingt-dix-neuf; 1000 | mille; 1001 | mille un;
    1984 | mille neuf cent quatre-vingt-quatre; 2000 | deux mille; 2300 | deux mille trois cents;
    5071 | cinq mille soixante et onze; 9021 | neuf mille vingt et un
    """,
)
def test_french_numbers(number, words):
    assert french_number(int(number)) == words


@cases(
    "number, words",
    """
    1 | une; 11 | onze; 21 | vingt et une; 71 | soixante et onze; 81 | quatre-vingt-une;
    91 | quatre-vingt-onze; 101 | cent une; 80 | quatre-vingts
    """,
)
def test_french_numbers_before_a_feminine(number, words):
    assert french_number(int(number), feminine=True) == words


def test_english_numbers():
    assert english_number(2342) == "two thousand three hundred and forty-two"
    assert [english_number(n) for n in (40, 1005)] == ["forty", "one thousand and five"]


def test_numbers_are_distinct_and_bounded():
    for write in (english_number, french_number):
        assert len({write(number) for number in range(10_000)}) == 10_000
        for number in (-1, 10_000):
            with pytest.raises(UserError, match=str(number)):
                write(number)


def test_english_ordinals():
    found = " ".join(english_ordinal(number) for number in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 31))
    assert found == (
        "first second third fifth eighth ninth twelfth twentieth twenty-first thirtieth "
        "thirty-first"
    )


@cases(
    "hour, minute, english, french",
    """
    1 | 0 | one o'clock | une heure; 3 | 15 | a quarter past three | trois heures et quart;
    4 | 30 | half past four | quatre heures et demie;
    1 | 30 | half past one | une heure et demie; 0 | 30 | half past midnight | minuit et demi;
    12 | 30 | half past noon | midi et demi; 12 | 0 | noon | midi; 0 | 0 | midnight | minuit;
    11 | 45 | a quarter to noon | midi moins le quart;
    8 | 35 | twenty-five to nine | neuf heures moins vingt-cinq;
    6 | 5 | five past six | six heures cinq
    """,
)
def test_times_of_day(hour, minute, english, french):
    assert time_of_day(int(hour), int(minute)) == (english, french)
