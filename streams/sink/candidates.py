"""Accounts whose names are so alike that a person should look: proposals, never merges. Pure.

Names are cleaned, put into blocks of which two alike names share at least one, and compared within these, so
that the work grows with the number of names and not with its square.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from itertools import combinations, pairwise
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from cleanco import basename
from rapidfuzz.distance import OSA

BLOCK: Final = 40  # names that are all compared with each other; of a larger block only neighbours are
NEIGHBOURS: Final = 6  # in the order of letters, forwards and backwards
EACH: Final = 10  # proposals of one account, the best
SHORTEST: Final = 5  # letters of a word that may be misspelled; in shorter ones a letter makes another word
LONG: Final = 9  # letters of a word that may be misspelled twice

# Said of many firms, so they tell no two apart.
_PLACES: Final = frozenset(
    [
        *("nederland", "netherlands", "holland", "belgie", "belgique", "belgium", "benelux"),
        *("duitsland", "deutschland", "germany", "uk", "france"),
    ]
)
_GENERAL: Final = frozenset(
    [
        *_PLACES,
        *(
            "groep",
            "group",
            "groupe",
            "gruppe",
            "holding",
            "holdings",
            "beheer",
            "company",
            "co",
            "firma",
            "fa",
        ),
        *("international", "internationaal", "europe", "europa"),
        *("en", "and", "und", "et", "the", "de", "het", "der", "la", "le"),
    ]
)
_LEGAL_BEFORE: Final = frozenset(("bv", "nv", "vof", "stichting"))  # cleanco takes off those behind
_LEGAL_BEHIND: Final = frozenset(("io", "ua", "ba"))  # in oprichting, uitgesloten aansprakelijkheid
_WORD: Final = re.compile(r"[^\W_]+")
_DOTS: Final = re.compile(r"(?<=\b\w)\.(?=\w\b)|(?<=\b\w)\.(?!\w)")  # of B.V., N.V., V.O.F.
_SHORTENED: Final = re.compile(r"(\w{3,})\.(?!\w)")


class Name(NamedTuple):
    """A firm's name, cleaned."""

    words: tuple[str, ...]  # without accents, capitals and legal form
    core: tuple[str, ...]  # without general words, where others are left
    shortened: frozenset[str]  # words that end in a dot

    @property
    def letters(self) -> str:
        """Without spaces."""
        return "".join(self.words)


class Proposal(NamedTuple):
    """Two accounts, a < b, that may be one."""

    a: str
    b: str
    a_name: str
    b_name: str
    score: float  # up to 1: the same name
    why: str


@lru_cache(maxsize=200_000)
def cleaned(name: str) -> Name:
    """The name without what tells nothing apart.

    >>> cleaned("Café De Klerk & Zn. (Nederland) B.V.").words
    ('cafe', 'de', 'klerk', 'zn', 'nederland')
    >>> cleaned("N.V. Nuon").words, cleaned("Acme B V").words, cleaned("SE").words
    (('nuon',), ('acme',), ('se',))
    """
    text = "".join(c for c in normalize("NFKD", name.casefold()) if not combining(c)).replace("ß", "ss")
    shortened = frozenset(_SHORTENED.findall(text))
    words = _joined(_WORD.findall(_DOTS.sub("", text.replace("'", ""))))
    left = words
    while left and left[-1] in _LEGAL_BEHIND:
        left = left[:-1]
    for _ in range(2):  # of two legal forms, one behind the other
        left = basename(" ".join(left)).split() or left
    while len(left) > 1 and left[0] in _LEGAL_BEFORE:
        left = left[1:]
    kept = tuple(left or words)
    return Name(kept, tuple(word for word in kept if word not in _GENERAL) or kept, shortened)


def _joined(words: Iterable[str]) -> list[str]:
    """Single letters in a row are one word: `b v` is `bv`."""
    found: list[str] = []
    single = False
    for word in words:
        letter = len(word) == 1 and word.isalpha()
        if letter and single:
            found[-1] += word
        else:
            found.append(word)
        single = letter
    return found


def alike(a: Name, b: Name) -> tuple[float, str] | None:
    """How alike two names are, and why; None where nobody need look.

    >>> alike(cleaned("Jansen Techniek B.V."), cleaned("Janssen Techniek"))
    (0.86, 'jansen and janssen differ by a letter')
    >>> alike(cleaned("Jansen Techniek"), cleaned("Jansen Transport"))
    """
    places = _PLACES.intersection(a.words), _PLACES.intersection(b.words)
    if all(places) and places[0] != places[1]:
        return None  # branches of one firm, told apart by where they are
    return _same(a, b) or _initialled(a, b) or _initialled(b, a) or _misspelled(a, b)


def _same(a: Name, b: Name) -> tuple[float, str] | None:
    if a.words == b.words:
        return 1.0, "the same name but for legal form, capitals and signs"
    if a.letters == b.letters:
        return 0.98, "the same name but for spaces"
    if sorted(a.words) == sorted(b.words):
        return 0.96, "the same words in another order"
    if sorted(a.core) == sorted(b.core) or "".join(a.core) == "".join(b.core):
        return 0.9, f"the same name but for {', '.join(sorted(set(a.words) ^ set(b.words)))}"
    return None


def _initialled(short: Name, long: Name) -> tuple[float, str] | None:
    if len(short.words) == 1 and short.words[0] in _initials(long):
        return 0.8, f"{short.words[0]} may be its initials"
    return None


def _initials(name: Name) -> set[str]:
    return {"".join(word[0] for word in words) for words in (name.words, name.core) if len(words) >= 3}


def _misspelled(a: Name, b: Name) -> tuple[float, str] | None:
    """Names of which one word is written otherwise, and the others are the same."""
    others = [(v, w) for v, w in zip(a.core, b.core, strict=False) if v != w]
    if len(a.core) != len(b.core) or len(others) != 1:
        return None
    one, other = sorted(others[0], key=len)
    if one in a.shortened | b.shortened and other.startswith(one) and len(a.core) > 1:
        return 0.75, f"{one} may be short for {other}"
    if len(one) < SHORTEST or one[0] != other[0] or not (one + other).isalpha():
        return None  # also of numbers: branch 1 is not branch 2
    distance = OSA.distance(one, other)
    if distance == 1 or (distance == 2 and len(one) >= LONG):
        said = "a letter" if distance == 1 else "two letters"
        return 0.9 - 0.04 * distance, f"{one} and {other} differ by {said}"
    return None


def proposals(accounts: Iterable[tuple[str, str]], apart: Collection[tuple[str, str]] = ()) -> list[Proposal]:
    """The pairs that a person should look at, the best first.

    `accounts`: id and name of each, of one tenant; `apart`: pairs (a < b) about which people have spoken.

    >>> [pair[:2] for pair in proposals([("a2", "Acme B.V."), ("a1", "ACME"), ("a3", "Bolt")])]
    [('a1', 'a2')]
    """
    names = {account: name for account, name in accounts if name}
    clean = {account: cleaned(name) for account, name in names.items()}
    spoken = set(apart)
    found: list[Proposal] = []
    for a, b in _pairs(clean):
        if (a, b) not in spoken and (told := alike(clean[a], clean[b])) is not None:
            found.append(Proposal(a, b, names[a], names[b], *told))
    found.sort(key=lambda pair: (-pair.score, pair.a, pair.b))
    each: Counter[str] = Counter()
    kept = []
    for pair in found:
        if each[pair.a] < EACH and each[pair.b] < EACH:
            each.update((pair.a, pair.b))
            kept.append(pair)
    return kept


def _pairs(clean: dict[str, Name]) -> set[tuple[str, str]]:
    """Pairs (a < b) that share a block, or are neighbours in the order of their letters."""
    blocks: dict[str, list[str]] = defaultdict(list)
    for account in sorted(clean):
        for key in set(_keys(clean[account])):
            blocks[key].append(account)
    pairs: set[tuple[str, str]] = set()
    for block in blocks.values():
        pairs.update(combinations(block, 2) if len(block) <= BLOCK else pairwise(block))
    orders: tuple[Callable[[str], tuple[str, str]], ...] = (
        lambda account: ("".join(clean[account].core), account),
        lambda account: ("".join(clean[account].core)[::-1], account),
    )
    for order in orders:
        line = sorted(clean, key=order)
        for n, one in enumerate(line):
            pairs.update((min(one, other), max(one, other)) for other in line[n + 1 : n + 1 + NEIGHBOURS])
    return pairs


def _keys(name: Name) -> Iterator[str]:
    """The blocks of a name. Each word is one, in which rare words find each other, others only neighbours."""
    yield f"all {''.join(sorted(name.core))}"
    yield f"letters {''.join(name.core)}"
    yield f"letters {name.letters}"
    for word in set(name.core):
        yield f"word {word}"
    for initials in _initials(name):
        yield f"initials {initials}"
    if len(name.words) == 1 and 3 <= len(name.words[0]) <= 6:
        yield f"initials {name.words[0]}"
