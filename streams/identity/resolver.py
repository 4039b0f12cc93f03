"""What belongs together: a partition of identifiers that is a pure function of the SET of links.

Constrained Kruskal: links of sources are added one by one, the most trusted first; a link is skipped that
would put too many values of a unique kind into one cluster, or two that people keep apart. Then people's
links are added, which know no limits but what people keep apart. The order is total, so neither the order
of arrival nor repetition can change the result. Contacts and accounts use the same rule with other limits.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from schemas.internal import ACCOUNT_KINDS, ERP, STRONG_KINDS, WEAK_KINDS, kind_of
from schemas.times import rfc3339

CONTACT_LIMITS: Final = {"contact_id": 1, "user_id": 1, "email": 3}  # values of a kind in one contact
ACCOUNT_LIMITS: Final = {"account_id": 1, "vat_number": 1}  # values of a kind in one account

_TOO_MANY: Final = {
    "contact_id": "two CRM contact ids",
    "user_id": "two log-ins",
    "email": "more than three e-mail addresses",
    "account_id": "two CRM accounts",
    "vat_number": "two VAT numbers",
}

PARTNERS: Final = 16  # more distinct partners than this make the links of a trust rank inert
ACCOUNT_PARTNERS: Final = 500  # the same for account keys, as told by steward, crm and erp

_STRENGTH: Final = {kind: n for n, kind in enumerate((*STRONG_KINDS, *WEAK_KINDS, *ACCOUNT_KINDS))}


class Edge(NamedTuple):
    """One link, as the resolver takes it: edges compare in the order in which they are added.

    `order` is the event time in ms, negative where the later record goes first. Of links of one rank and
    time (usually of one message) the one between the stronger kinds goes first, then the smaller `id`.
    """

    rank: int
    order: int
    strength: tuple[int, int]
    id: bytes
    a: str
    b: str


class Pair(NamedTuple):
    """What a person says of a pair: that it is one, or not. Pairs compare in the order of the words."""

    at: int  # ms
    event_id: str
    by: str
    a: str
    b: str


class Cluster:
    """Identifiers that belong together, and what decides who may join them."""

    __slots__ = ("apart", "counts", "joined", "members")

    def __init__(self, members: list[str], limits: Mapping[str, int]) -> None:
        self.members = members
        self.counts: dict[str, int] = {}  # values of each unique kind
        for kind in map(kind_of, members):
            if kind in limits:
                self.counts[kind] = self.counts.get(kind, 0) + 1
        self.apart: dict[str, Pair] = {}  # what people keep apart from a member -> the latest word on that
        self.joined = False  # people's links are among those that count

    def keep_apart(self, node: str, pair: Pair) -> None:
        """People say that `node` is not one with a member."""
        self.apart[node] = max(pair, self.apart.get(node, pair))

    def swallow(self, other: "Cluster") -> None:
        """Become the union of both."""
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        for node, pair in other.apart.items():
            self.keep_apart(node, pair)
        self.joined = self.joined or other.joined
        self.members += other.members


def strength(a: str, b: str) -> tuple[int, int]:
    """How strong the kinds of a pair are, the smaller the stronger.

    >>> strength("email:jane@acme.nl", "contact_id:7") < strength("email:jane@acme.nl", "user_id:3")
    True
    """
    x, y = _STRENGTH[kind_of(a)], _STRENGTH[kind_of(b)]
    return (x, y) if x < y else (y, x)


def in_words(what: str, by: str, at: int) -> str:
    """What a person said, as a reason.

    >>> in_words("cannot_link", "steward", 1_738_570_324_000)
    'cannot_link by steward on 2025-02-03'
    """
    return f"{what} by {by} on {rfc3339(at)[:10]}"


def partner_limit(identifier: str, rank: int) -> int:
    """How many distinct partners an identifier may have at a trust rank before its links there are inert.

    >>> partner_limit("email:jane@acme.nl", 1), partner_limit("account_id:7", 1)
    (16, 500)
    """
    return ACCOUNT_PARTNERS if rank <= ERP and kind_of(identifier) in ACCOUNT_KINDS else PARTNERS


class Clusters:
    """Clusters by their members, and what may join them."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = limits
        self.of: dict[str, Cluster] = {}

    def join(self, a: str, b: str, limits: Mapping[str, int]) -> bool:
        """Make one of the clusters of two nodes: whether they are one now."""
        big, small = self.of[a], self.of[b]
        if big is small:
            return True
        if _too_many(big, small, limits) or self._kept_apart(big, small):
            return False
        if len(big.members) < len(small.members):
            big, small = small, big
        big.swallow(small)
        for node in small.members:
            self.of[node] = big
        return True

    def refusal(self, a: str, b: str) -> str:
        """Why a link of two nodes does not hold, in words that name neither; empty: it holds.

        Clusters only grow, so what was in the way of a link when it was its turn still is in the end.
        """
        one, other = self.of[a], self.of[b]
        if one is other:
            return ""
        if pair := self._kept_apart(one, other):
            return in_words("cannot_link", pair.by, pair.at)
        too_many = _too_many(one, other, self.limits)
        return next(_TOO_MANY[kind] for kind in self.limits if kind in too_many)

    def _kept_apart(self, one: Cluster, other: Cluster) -> Pair | None:
        """The latest word of people that keeps two clusters apart."""
        if len(one.apart) > len(other.apart):
            one, other = other, one
        return max((pair for node, pair in one.apart.items() if self.of.get(node) is other), default=None)


class Partition(Clusters):
    """The clusters of `nodes`, which both ends of every edge and of everything `joined` are.

    `joined`: what people say is one; `apart`: what they say is not, also by no other path.

    >>> def link(a, b, at): return Edge(3, at, strength(a, b), b"", a, b)
    >>> jane = "email:jane@acme.nl"
    >>> links = [link("contact_id:2", jane, 20), link("contact_id:1", jane, 10)]
    >>> found = Partition(["contact_id:1", "contact_id:2", jane], links, CONTACT_LIMITS)
    >>> sorted({tuple(cluster.members) for cluster in found.of.values()})
    [('contact_id:1', 'email:jane@acme.nl'), ('contact_id:2',)]
    >>> found.refusal("contact_id:2", jane), found.refusal("contact_id:1", jane)
    ('two CRM contact ids', '')
    """

    def __init__(
        self,
        nodes: Iterable[str],
        edges: Iterable[Edge],
        limits: Mapping[str, int],
        joined: Iterable[Pair] = (),
        apart: Iterable[Pair] = (),
    ) -> None:
        super().__init__(limits)
        self.of = {node: Cluster([node], limits) for node in nodes}
        for pair in apart:
            for one, other in ((pair.a, pair.b), (pair.b, pair.a)):
                if one in self.of:
                    self.of[one].keep_apart(other, pair)
        for edge in sorted(edges):
            self.join(edge.a, edge.b, limits)
        for pair in sorted(joined):
            self.of[pair.a].joined = self.of[pair.b].joined = True
            self.join(pair.a, pair.b, {})


def _too_many(one: Cluster, other: Cluster, limits: Mapping[str, int]) -> list[str]:
    """The unique kinds of which two clusters together have too many values."""
    return [
        kind
        for kind, count in one.counts.items()
        if kind in limits and (more := other.counts.get(kind)) and count + more > limits[kind]
    ]
