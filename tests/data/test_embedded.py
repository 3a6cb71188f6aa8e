"""The embedded corpus: properties of a large draw, and French as a teacher would write it."""

import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import islice

import pytest

from s2s_jax.data.embedded import embedded_pairs, set_phrases
from s2s_jax.data.embedded.clauses import NARROW_SPACE, negation, present_tense
from s2s_jax.data.embedded.drawing import all_patterns, draw
from s2s_jax.data.embedded.lexicon import ADJECTIVES, NOUNS, SUBJECTS
from s2s_jax.data.embedded.morphology import present
from s2s_jax.data.embedded.numerals import (
    english_number,
    english_ordinal,
    french_number,
    time_of_day,
)
from s2s_jax.data.embedded.patterns import LONGEST_ENGLISH, LONGEST_FRENCH
from s2s_jax.data.embedded.phrasebook import CALLED
from s2s_jax.data.embedded.phrases import find_adjective, find_noun, noun_phrase
from s2s_jax.data.embedded.verbs import VERBS
from s2s_jax.errors import UserError

MANY = 50_000
WORD = re.compile(r"\w+")


def called(source: str) -> bool:
    """Whether a set phrase is said to somebody by name."""
    return any(source[:-1].endswith(f", {name}") for name, _ in CALLED)


def cases(names: str, text: str) -> pytest.MarkDecorator:
    """Parametrise with rows split at ; and fields split at |."""
    rows = [row.split("|") for row in " ".join(text.split()).split(";")]
    return pytest.mark.parametrize(names, [[field.strip() for field in row] for row in rows])


def first_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    return list(islice(embedded_pairs(seed), count))


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    return first_pairs(MANY)


@pytest.fixture(scope="module")
def grammar() -> dict[str, str]:
    """Every sentence that there is; two translations of one are a failure."""
    known: dict[str, str] = {}
    for pattern in all_patterns():
        for pair in filter(None, map(pattern.sentence, range(pattern.size))):
            assert known.setdefault(pair[0], pair[1]) == pair[1]
    return known


@pytest.fixture(scope="module")
def french(pairs) -> str:
    """Every French sentence in lower case, one a line."""
    return "\n".join(target for _, target in pairs).lower()


# The draw


def test_fifty_thousand_distinct_sources(pairs):
    assert len(pairs) == len({source for source, _ in pairs}) == MANY


@pytest.mark.slow
def test_one_source_has_one_translation(grammar):
    """The whole grammar was gone through for this: see the fixture."""
    assert len(grammar) > 100_000


def test_the_seed_decides():
    assert first_pairs(300, seed=3) == first_pairs(300, seed=3)
    assert first_pairs(300, seed=3) != first_pairs(300, seed=4)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_draw_is_the_same_in_every_process(hash_seed):
    code = (
        "from itertools import islice; from s2s_jax.data.embedded import embedded_pairs; "
        "print(ascii(list(islice(embedded_pairs(9), 400))))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ascii(first_pairs(400, 9))


def test_the_draw_ends_with_the_grammar(monkeypatch):
    few = tuple(pattern for pattern in all_patterns() if pattern.size < 300)
    monkeypatch.setattr("s2s_jax.data.embedded.drawing.all_patterns", lambda: few)
    held = {pattern.sentence(i) for pattern in few for i in range(pattern.size)} - {None}
    assert set(embedded_pairs(0)) == held


def test_every_set_phrase_is_drawn_and_none_of_its_words_is_rare(pairs):
    drawn = pairs[:30_000]
    plain = {pair for pair in set_phrases() if not called(pair[0])}
    assert len(plain) > 250 and plain <= set(drawn[:15_000])
    for side in (0, 1):
        words = Counter(word for pair in drawn for word in WORD.findall(pair[side]))
        assert min(words[word] for pair in plain for word in WORD.findall(pair[side])) >= 3


def test_no_sentence_type_is_rare_or_dominant():
    kinds = Counter(kind for kind, _ in islice(draw(0), 20_000))
    shares = {kind: count / 20_000 for kind, count in kinds.items()}
    assert len(shares) >= 12
    assert min(shares.values()) >= 0.03
    assert max(shares.values()) <= 0.25


def test_inverted_pronouns_take_a_hyphen(grammar):
    wrong = re.compile(r"\b(?:est|es|sont|as|vas|appelles) (?:tu|ils?|elles?)\b")
    assert not [target for target in grammar.values() if wrong.search(target)]


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


def test_every_noun_has_one_translation():
    assert len({noun.en for noun in NOUNS}) == len({noun.fr for noun in NOUNS}) == len(NOUNS)
    assert len({adjective.en for adjective in ADJECTIVES}) == len(ADJECTIVES)
    assert len({verb.en[0] for verb in VERBS}) == len({verb.fr for verb in VERBS}) == len(VERBS)


# What a French teacher would write


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


SENTENCES = """
Are there any cats in the car? | Est-ce qu'il y a des chats dans la voiture ?
There is no bread on the table. | Il n'y a pas de pain sur la table.
She gave the dog to the boys. | Elle a donné le chien aux garçons.
We did not stay at the hotel. | Nous ne sommes pas restés à l'hôtel.
It is midnight. | Il est minuit. ; I did not buy the red car. | Je n'ai pas acheté la voiture rouge.
It is Monday, the third of May. | Nous sommes le lundi trois mai.
Eat the apple! | Mange la pomme ! ; How many eggs do you want? | Combien d'œufs est-ce que tu veux ?
Alice came back from the hotel. | Alice est revenue de l'hôtel.
I did not buy a red car. | Je n'ai pas acheté de voiture rouge.
He is waiting for me. | Il m'attend. ; They came back from the market. | Ils sont revenus du marché.
Did Alice drink any water? | Est-ce qu'Alice a bu de l'eau ?
It is one o'clock. | Il est une heure. ; I am going to eat a cake. | Je vais manger un gâteau.
Two hundred euros. | Deux cents euros. ; I am going to the old station. | Je vais à la vieille gare.
It is a quarter past three. | Il est trois heures et quart.
Is she eating an apple? | Est-ce qu'elle mange une pomme ?
I am arriving at eleven o'clock. | J'arrive à onze heures.
The girls left on Monday. | Les filles sont parties lundi.
She is talking to the children. | Elle parle aux enfants.
He is not eating an egg. | Il ne mange pas d'œuf.
She has twenty-one apples. | Elle a vingt et une pommes.
I do not know her. | Je ne la connais pas. ; I cannot buy any eggs. | Je ne peux pas acheter d'œufs.
Who took the train? | Qui a pris le train ? ; You must write a letter. | Tu dois écrire une lettre.
Do they love you? | Est-ce qu'ils t'aiment ? ; I am not making any soup. | Je ne fais pas de soupe.
She wants to help us. | Elle veut nous aider. ; I do not like your hat. | Je n'aime pas ton chapeau.
Where are my letters? | Où sont mes lettres ? ; I bought a red car. | J'ai acheté une voiture rouge.
Do not buy any bread! | N'achète pas de pain ! ; I have twenty-one books. | J'ai vingt et un livres.
She went to the market. | Elle est allée au marché.
It is the eleventh of August. | C'est le onze août.
It is the first of May. | C'est le premier mai. ; We are eating some bread. | Nous mangeons du pain.
She was born in April. | Elle est née en avril. ; The girls are happy. | Les filles sont heureuses.
What a beautiful house! | Quelle belle maison ! ; I am eighty years old. | J'ai quatre-vingts ans.
Go. | Va. ; I won! | J'ai gagné ! ; Hi. | Salut. ; Hello! | Bonjour ! ; Thank you. | Merci.
Good morning! | Bonjour ! ; Help! | Au secours ! ; Wait! | Attends ! ; Stop! | Arrête !
Come in. | Entre. ; Sit down. | Assieds-toi. ; I'm tired. | Je suis fatigué. ; I lost. | J'ai perdu.
Thanks, Mom! | Merci, maman ! ; How are you? | Comment vas-tu ? ; I don't know. | Je ne sais pas.
Don't cry, Tom. | Ne pleure pas, Tom. ; Where are they? | Où sont-ils ? ; He is hot. | Il a chaud.
She's not hungry. | Elle n'a pas faim. ; We're sad. | Nous sommes tristes.
Tom is sleeping. | Tom dort. ; The girls fell. | Les filles sont tombées.
Did they win? | Est-ce qu'ils ont gagné ? ; Marie didn't laugh. | Marie n'a pas ri.
My name is Paul. | Je m'appelle Paul. ; You lost! | Tu as perdu !
They aren't sad. | Ils ne sont pas tristes.
They are not tired. | Ils ne sont pas fatigués. ; I am talking about the film. | Je parle du film.
It is the eighth of March. | C'est le huit mars. ; He has some small dogs. | Il a de petits chiens.
"""


def test_sentences_as_a_teacher_would_write_them(grammar):
    for row in SENTENCES.strip().replace("\n", " ; ").split(" ; "):
        source, target = row.split(" | ")
        assert grammar[source] == re.sub(r" ([?!])$", NARROW_SPACE + r"\1", target)
