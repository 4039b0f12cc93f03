"""Which names are one, from what was said of pairs: the rules of stitching in the plainest words.

The links of sources, the most trusted first, each only where no limit and no `cannot_link` is in its way;
then those of people, which join all they find. Shares no code with the steps.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

CONTACT_LIMITS: Final = {"contact_id": 1, "user_id": 1, "email": 3}
ACCOUNT_LIMITS: Final = {"account_id": 1, "vat_number": 1}
_STRENGTH: Final = (*CONTACT_LIMITS, "account_id", "customer_number", "vat_number", "domain")
_TRUST: Final = {"crm": 1, "erp": 2}


class Word(msgspec.Struct, gc=False):
    """What a person says of a pair (link, unlink, cannot_link, alias), or asks for (erase: `a` alone)."""

    at: int
    what: str
    a: str
    b: str
    line: str


class Link(NamedTuple):
    """Said by a source: links compare in the order in which they are taken."""

    rank: int
    order: int  # time; negative where the later one goes first
    strength: tuple[int, ...]
    pair: tuple[str, str]


def link(source: str, order: int, a: str, b: str) -> Link:
    """A link between two names (`kind:value`)."""
    x, y = sorted((a, b))
    strength = sorted(_STRENGTH.index(name.partition(":")[0]) for name in (a, b))
    return Link(_TRUST.get(source, 3), order, tuple(strength), (x, y))


class Rulings:
    """The words of people: of those about one pair the latest stands.

    >>> words = [Word(1, "unlink", "email:a", "email:b", ""), Word(2, "link", "email:b", "email:a", "")]
    >>> Rulings(words).joined, Rulings(words[:1]).joined
    ([('email:a', 'email:b')], [])
    """

    def __init__(self, words: Iterable[Word]) -> None:
        latest: dict[tuple[str, str], Word] = {}
        for word in sorted((word for word in words if word.b), key=lambda word: word.at):
            x, y = sorted((word.a, word.b))
            latest[x, y] = word
        self.joined = sorted(
            (pair for pair, word in latest.items() if word.what in ("link", "alias")),
            key=lambda pair: latest[pair].at,
        )
        self.times = {pair: latest[pair].at for pair in self.joined}
        self.void = {pair for pair, word in latest.items() if word.what in ("unlink", "cannot_link")}
        self.parted = {pair for pair, word in latest.items() if word.what == "cannot_link"}

    def voids(self, a: str, b: str) -> bool:
        """Whether nothing that sources say of the pair counts."""
        return ((a, b) if a < b else (b, a)) in self.void


class Groups:
    """Disjoint sets of names: what is one.

    >>> crm = [link("crm", 1, "contact_id:1", "email:a"), link("crm", 2, "contact_id:2", "email:a")]
    >>> groups = Groups(["contact_id:1", "contact_id:2", "email:a"], crm, CONTACT_LIMITS, Rulings([]))
    >>> groups.of("email:a") == groups.of("contact_id:1"), groups.members(groups.of("contact_id:2"))
    (True, ['contact_id:2'])
    """

    def __init__(
        self, names: Iterable[str], links: Iterable[Link], limits: Mapping[str, int], rulings: Rulings
    ) -> None:
        self._set_of = {name: [name] for name in names}
        self._limits = limits
        self._parted = rulings.parted
        for one in sorted(links):
            if one.pair not in rulings.void:
                self._join(*one.pair, limited=True)
        for a, b in rulings.joined:
            if a in self._set_of and b in self._set_of:
                self._join(a, b, limited=False)

    def _join(self, a: str, b: str, *, limited: bool) -> None:
        one, other = self._set_of[a], self._set_of[b]
        if one is other:
            return
        both = one + other
        if any(x in both and y in both for x, y in self._parted):
            return
        for kind, limit in self._limits.items() if limited else ():
            if sum(name.startswith(f"{kind}:") for name in both) > limit:
                return
        for name in both:
            self._set_of[name] = both

    def of(self, name: str) -> str:
        """The name that stands for the set of `name`."""
        return self._set_of[name][0]

    def members(self, name: str) -> list[str]:
        """The set that `name` is in."""
        return self._set_of[name]

    def all(self) -> list[str]:
        """The names that stand for the sets."""
        return list(dict.fromkeys(names[0] for names in self._set_of.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._set_of
