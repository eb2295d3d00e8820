"""Words of questions and passages: which count, and when two are forms of the same one."""

import re
import unicodedata

MOST = 64  # words of a question that are looked at
_WORD = re.compile(r"[^\W_]+")
_ENDINGS = re.compile(r"(?:ization|isation|ations?|ments?|ings?|edly|ness|able|ers?|ies|ied|ed|es|ly|s|e|y)$")

# Words that shape a question and say nothing about its subject.
EMPTY = frozenset(
    (  # noqa: SIM905 a column of words reads worse
        "a about after all also am an and any are as at be because been before being but by can could d did do "
        "does doing don done dont explain for from get got had happen happens has have having he her here hers him "
        "his how i if in into is it its itself just know ll m may me mean means might more most much must my need "
        "no nor not of off on once only or other our out over own please re s same say shall she should so some "
        "such t tell than that the their them then there these they this those through to too under until up upon "
        "us use using ve very want was way ways we were what when where which while who whom whose why will with "
        "would you your yours"
    ).split()
)


def words(text: str) -> list[str]:
    """Lower-case words without accents, in their order."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def subject(question: str) -> list[str]:
    """The words of a question that say what it is about, each once; all words where none is left."""
    every = list(dict.fromkeys(words(question)))[:MOST]
    return [word for word in every if word not in EMPTY] or every


def stem(word: str) -> str:
    """A beginning that the forms of a word share, at least three letters: a light cut, made for English."""
    short = _ENDINGS.sub("", word)
    return short if len(short) >= 3 else word


def stems(text: str) -> frozenset[str]:
    """The stems of all words."""
    return frozenset(map(stem, words(text)))
