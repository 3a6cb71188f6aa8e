"""The verbs of the embedded corpus, as data."""

from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb: `en` holds base, third person, past and -ing form, then its preposition.

    `present` holds the forms of je, tu, il, nous, ils. A `stative` verb stands in the
    English simple present, any other in the progressive. `tenses` holds "present",
    "past" and "infinitive" as far as the verb is used in them, and `articles` says
    whether it takes only "definite" or only "indefinite" objects.
    """

    en: tuple[str, ...]
    fr: str
    objects: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    participle: str = ""
    auxiliary: str = "avoir"
    stative: bool = False
    tenses: tuple[str, ...] = ("present", "past", "infinitive")
    articles: str = ""


def _verb(en: str, fr: str, objects: str = "", present: str = "", **more) -> Verb:
    words = {name: tuple(more.pop(name).split()) for name in ("tenses",) if name in more}
    return Verb(
        tuple(en.split()), fr, tuple(objects.split()), tuple(present.split()), **words, **more
    )


VERBS = (
    _verb("eat eats ate eating", "manger", "snack food"),
    _verb(
        "drink drinks drank drinking",
        "boire",
        "drink",
        "bois bois boit buvons boivent",
        participle="bu",
    ),
    _verb(
        "buy buys bought buying",
        "acheter",
        "snack food ware home animal",
        "achète achètes achète achetons achètent",
    ),
    _verb(
        "sell sells sold selling",
        "vendre",
        "ware home animal",
        "vends vends vend vendons vendent",
        participle="vendu",
    ),
    _verb(
        "see sees saw seeing",
        "voir",
        "kin person animal ware home",
        "vois vois voit voyons voient",
        participle="vu",
        stative=True,
    ),
    _verb("look looks looked looking for", "chercher", "kin person animal ware"),
    _verb("watch watches watched watching", "regarder", "animal show"),
    _verb("help helps helped helping", "aider", "kin person"),
    _verb(
        "wait waits waited waiting for",
        "attendre",
        "kin person ride",
        "attends attends attend attendons attendent",
        participle="attendu",
    ),
    _verb("read reads read reading", "lire", "text", "lis lis lit lisons lisent", participle="lu"),
    _verb(
        "write writes wrote writing",
        "écrire",
        "text",
        "écris écris écrit écrivons écrivent",
        participle="écrit",
    ),
    _verb(
        "take takes took taking",
        "prendre",
        "ware ride",
        "prends prends prend prenons prennent",
        participle="pris",
    ),
    _verb(
        "make makes made making",
        "faire",
        "dish",
        "fais fais fait faisons font",
        participle="fait",
    ),
    _verb("find finds found finding", "trouver", "animal ware", tenses="past infinitive"),
    _verb(
        "like likes liked liking",
        "aimer",
        "ware home show text place",
        stative=True,
        tenses="present past",
        articles="definite",
    ),
    _verb(
        "know knows knew knowing",
        "connaître",
        "kin person place",
        "connais connais connaît connaissons connaissent",
        participle="connu",
        stative=True,
        tenses="present",
        articles="definite",
    ),
    _verb(
        "have has had having",
        "avoir",
        "animal ware home text",
        "ai as a avons ont",
        participle="eu",
        stative=True,
        tenses="present",
        articles="indefinite",
    ),
    _verb(
        "want wants wanted wanting",
        "vouloir",
        "snack food drink ware home animal",
        "veux veux veut voulons veulent",
        participle="voulu",
        stative=True,
        tenses="present",
    ),
)

LOVE = _verb("love loves loved loving", "aimer", stative=True)
GIVE = _verb("give gives gave giving", "donner")
TALK = _verb("talk talks talked talking", "parler")
BE = _verb("be is was being", "être", "", "suis es est sommes sont", participle="été")
GO = _verb("go goes went going", "aller", "", "vais vas va allons vont", auxiliary="être")
ARRIVE = _verb("arrive arrives arrived arriving", "arriver", auxiliary="être")
STAY = _verb("stay stays stayed staying", "rester", auxiliary="être")
LEAVE = _verb(
    "leave leaves left leaving",
    "partir",
    "",
    "pars pars part partons partent",
    participle="parti",
    auxiliary="être",
)
RETURN = _verb(
    "come comes came coming back",
    "revenir",
    "",
    "reviens reviens revient revenons reviennent",
    participle="revenu",
    auxiliary="être",
)
EVERYDAY_VERBS = (
    _verb("win wins won winning", "gagner"),
    _verb(
        "lose loses lost losing",
        "perdre",
        "",
        "perds perds perd perdons perdent",
        participle="perdu",
    ),
    _verb(
        "sleep sleeps slept sleeping",
        "dormir",
        "",
        "dors dors dort dormons dorment",
        participle="dormi",
    ),
    _verb(
        "wait waits waited waiting",
        "attendre",
        "",
        "attends attends attend attendons attendent",
        participle="attendu",
    ),
    _verb(
        "run runs ran running",
        "courir",
        "",
        "cours cours court courons courent",
        participle="couru",
    ),
    _verb("laugh laughs laughed laughing", "rire", "", "ris ris rit rions rient", participle="ri"),
    _verb("cry cries cried crying", "pleurer"),
    _verb("sing sings sang singing", "chanter"),
    _verb("dance dances danced dancing", "danser"),
    _verb("work works worked working", "travailler"),
    _verb("play plays played playing", "jouer"),
    _verb("swim swims swam swimming", "nager"),
    _verb("walk walks walked walking", "marcher"),
    _verb("eat eats ate eating", "manger"),
    _verb("fall falls fell falling", "tomber", auxiliary="être"),
    ARRIVE,
    LEAVE,
    RETURN,
)
"""What one does without an object."""

CAN = ("peux", "peux", "peut", "pouvons", "peuvent")
MUST = ("dois", "dois", "doit", "devons", "doivent")

WANT = ("veux", "veux", "veut", "voulons", "veulent")
