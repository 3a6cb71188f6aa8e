"""Every sentence of the embedded corpus, and French as a teacher would write it."""

import re

import pytest

from s2s_jax.data.embedded.clauses import NARROW_SPACE
from s2s_jax.data.embedded.drawing import all_patterns


@pytest.fixture(scope="module")
def grammar() -> dict[str, str]:
    """Every sentence that there is; two translations of one are a failure."""
    known: dict[str, str] = {}
    for pattern in all_patterns():
        for pair in filter(None, map(pattern.sentence, range(pattern.size))):
            assert known.setdefault(pair[0], pair[1]) == pair[1]
    return known


@pytest.mark.slow
def test_one_source_has_one_translation(grammar):
    """The whole grammar was gone through for this: see the fixture."""
    assert len(grammar) > 100_000


def test_inverted_pronouns_take_a_hyphen(grammar):
    wrong = re.compile(r"\b(?:est|es|sont|as|vas|appelles) (?:tu|ils?|elles?)\b")
    assert not [target for target in grammar.values() if wrong.search(target)]


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
