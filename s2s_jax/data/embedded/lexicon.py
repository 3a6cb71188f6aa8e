"""The words of the embedded corpus, as data.

Each English word has one French translation, so that an English sentence determines its
French one. Forms that a rule of `morphology` derives are left empty here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun: `gender` is "m" or "f", `kinds` says which verbs and patterns take it.

    `use` names the determiners that make sense with it: "any", "kin" (possessives only),
    "open" (no possessive) or "mass" (partitive and definite). `plural` is false for what
    hardly occurs more than once in a short sentence.
    """

    en: str
    fr: str
    gender: str
    kinds: tuple[str, ...]
    adjectives: tuple[str, ...] = ()
    use: str = "any"
    en_plural: str = ""
    fr_plural: str = ""
    plural: bool = True


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective: `liaison` is the masculine singular before a vowel sound (bel)."""

    en: str
    masculine: str
    feminine: str = ""
    liaison: str = ""
    before: bool = False


@dataclass(frozen=True, eq=False)
class Subject:
    """A subject: `person` indexes the forms of je, tu, il, nous, ils (0 to 4)."""

    en: str
    fr: str
    person: int
    gender: str = "m"
    plural: bool = False


def _noun(en: str, fr: str, gender: str, kinds: str, adjectives: str = "", **more) -> Noun:
    return Noun(en, fr, gender, tuple(kinds.split()), tuple(adjectives.split()), **more)


NOUNS = (
    _noun("brother", "frère", "m", "kin", use="kin"),
    _noun("sister", "sœur", "f", "kin", use="kin"),
    _noun("friend", "ami", "m", "person", "new old"),
    _noun("doctor", "médecin", "m", "person", "good young"),
    _noun("girl", "fille", "f", "person", "small", use="open"),
    _noun("boy", "garçon", "m", "person", "small", use="open"),
    _noun("man", "homme", "m", "person", "young old", use="open", en_plural="men"),
    _noun("woman", "femme", "f", "person", "young old", use="open", en_plural="women"),
    _noun("child", "enfant", "m", "person", "small", use="open", en_plural="children"),
    _noun("dog", "chien", "m", "animal portable", "big small old black"),
    _noun("cat", "chat", "m", "animal portable", "small old black white"),
    _noun("bird", "oiseau", "m", "animal portable", "beautiful small blue"),
    _noun("horse", "cheval", "m", "animal", "beautiful old black", fr_plural="chevaux"),
    _noun("apple", "pomme", "f", "snack portable", "good small red green"),
    _noun("orange", "orange", "f", "snack portable", "good small"),
    _noun("egg", "œuf", "m", "snack portable", "small white"),
    _noun("cake", "gâteau", "m", "snack dish portable", "good small beautiful"),
    _noun("bread", "pain", "m", "food dish portable", "good white", use="mass", plural=False),
    _noun("soup", "soupe", "f", "food dish", "good hot", use="mass", plural=False),
    _noun("water", "eau", "f", "drink", "cold hot", use="mass", plural=False),
    _noun("coffee", "café", "m", "drink dish", "good hot cold", use="mass", plural=False),
    _noun("book", "livre", "m", "ware text portable", "good small old new"),
    _noun("letter", "lettre", "f", "text portable", "beautiful old"),
    _noun("story", "histoire", "f", "text", "beautiful old sad", en_plural="stories"),
    _noun("hat", "chapeau", "m", "ware portable", "beautiful old new red black"),
    _noun("car", "voiture", "f", "ware", "beautiful old new red blue expensive"),
    _noun("computer", "ordinateur", "m", "ware", "good old new expensive"),
    _noun("house", "maison", "f", "home", "beautiful big old new white"),
    _noun("garden", "jardin", "m", "place", "beautiful big old", plural=False),
    _noun("film", "film", "m", "show", "good old new"),
    _noun("train", "train", "m", "ride", "old new blue", use="open", plural=False),
    _noun("school", "école", "f", "place", "big old new", plural=False),
    _noun("station", "gare", "f", "place", "big old new", use="open", plural=False),
    _noun("hotel", "hôtel", "m", "place", "beautiful small old new", use="open", plural=False),
    _noun(
        "hospital",
        "hôpital",
        "m",
        "place",
        "big new",
        use="open",
        fr_plural="hôpitaux",
        plural=False,
    ),
    _noun("market", "marché", "m", "place", "big old", use="open", plural=False),
)

ADJECTIVES = (
    Adjective("big", "grand", before=True),
    Adjective("small", "petit", before=True),
    Adjective("good", "bon", "bonne", before=True),
    Adjective("young", "jeune", before=True),
    Adjective("beautiful", "beau", "belle", "bel", before=True),
    Adjective("new", "nouveau", "nouvelle", "nouvel", before=True),
    Adjective("old", "vieux", "vieille", "vieil", before=True),
    Adjective("red", "rouge"),
    Adjective("blue", "bleu"),
    Adjective("green", "vert"),
    Adjective("white", "blanc", "blanche"),
    Adjective("black", "noir"),
    Adjective("hot", "chaud"),
    Adjective("cold", "froid"),
    Adjective("expensive", "cher"),
    Adjective("sad", "triste"),
    Adjective("happy", "heureux"),
    Adjective("tired", "fatigué"),
    Adjective("sick", "malade"),
    Adjective("ready", "prêt"),
)

STATES = ("sad", "happy", "tired", "sick", "ready")
"""What a person can be said to be for the moment."""

SUBJECTS = (
    Subject("I", "je", 0),
    Subject("you", "tu", 1),
    Subject("he", "il", 2),
    Subject("she", "elle", 2, "f"),
    Subject("we", "nous", 3, plural=True),
    Subject("they", "ils", 4, plural=True),
    Subject("Paul", "Paul", 2),
    Subject("Tom", "Tom", 2),
    Subject("Marie", "Marie", 2, "f"),
    Subject("Alice", "Alice", 2, "f"),
    Subject("my brother", "mon frère", 2),
    Subject("my sister", "ma sœur", 2, "f"),
    Subject("the girls", "les filles", 4, "f", plural=True),
    Subject("the children", "les enfants", 4, plural=True),
)

PRONOUNS = (
    ("me", "me"),
    ("you", "te"),
    ("him", "le"),
    ("her", "la"),
    ("us", "nous"),
    ("them", "les"),
)
"""Object pronouns; "you" is always tu."""

DAYS = (
    ("Monday", "lundi"),
    ("Tuesday", "mardi"),
    ("Wednesday", "mercredi"),
    ("Thursday", "jeudi"),
    ("Friday", "vendredi"),
    ("Saturday", "samedi"),
    ("Sunday", "dimanche"),
)
MONTHS = (
    ("January", "janvier", 31),
    ("February", "février", 29),
    ("March", "mars", 31),
    ("April", "avril", 30),
    ("May", "mai", 31),
    ("June", "juin", 30),
    ("July", "juillet", 31),
    ("August", "août", 31),
    ("September", "septembre", 30),
    ("October", "octobre", 31),
    ("November", "novembre", 30),
    ("December", "décembre", 31),
)
