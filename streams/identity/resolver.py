"""What belongs together: a partition of identifiers that is a pure function of the SET of links.

Constrained Kruskal: links are added one by one, the most trusted first; a link that would put too many
values of a unique kind into one cluster is skipped. The order is total, so neither the order of arrival
nor repetition can change the result. Contacts and accounts use the same rule with other limits.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from schemas.internal import ACCOUNT_KINDS, ERP, STRONG_KINDS, WEAK_KINDS, kind_of

CONTACT_LIMITS: Final = {"contact_id": 1, "user_id": 1, "email": 3}  # values of a kind in one contact
ACCOUNT_LIMITS: Final = {"account_id": 1, "vat_number": 1}  # values of a kind in one account

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


class _Cluster:
    __slots__ = ("counts", "members")

    def __init__(self, node: str, limits: Mapping[str, int]) -> None:
        kind = kind_of(node)
        self.members = [node]
        self.counts = {kind: 1} if kind in limits else {}


def strength(a: str, b: str) -> tuple[int, int]:
    """How strong the kinds of a pair are, the smaller the stronger.

    >>> strength("email:jane@acme.nl", "contact_id:7") < strength("email:jane@acme.nl", "user_id:3")
    True
    """
    x, y = _STRENGTH[kind_of(a)], _STRENGTH[kind_of(b)]
    return (x, y) if x < y else (y, x)


def partner_limit(identifier: str, rank: int) -> int:
    """How many distinct partners an identifier may have at a trust rank before its links there are inert.

    >>> partner_limit("email:jane@acme.nl", 1), partner_limit("account_id:7", 1)
    (16, 500)
    """
    return ACCOUNT_PARTNERS if rank <= ERP and kind_of(identifier) in ACCOUNT_KINDS else PARTNERS


def resolve(nodes: Iterable[str], edges: Iterable[Edge], limits: Mapping[str, int]) -> list[list[str]]:
    """The clusters of `nodes`; both ends of every edge are nodes.

    >>> def link(a, b, at): return Edge(3, at, strength(a, b), b"", a, b)
    >>> jane = "email:jane@acme.nl"
    >>> links = [link("contact_id:2", jane, 20), link("contact_id:1", jane, 10)]
    >>> resolve(["contact_id:1", "contact_id:2", jane], links, CONTACT_LIMITS)
    [['contact_id:1', 'email:jane@acme.nl'], ['contact_id:2']]
    """
    of = {node: _Cluster(node, limits) for node in nodes}
    for edge in sorted(edges):
        big, small = of[edge.a], of[edge.b]
        if big is small or _too_many(big.counts, small.counts, limits):
            continue
        if len(big.members) < len(small.members):
            big, small = small, big
        for kind, count in small.counts.items():
            big.counts[kind] = big.counts.get(kind, 0) + count
        big.members += small.members
        for node in small.members:
            of[node] = big
    return [cluster.members for cluster in {id(c): c for c in of.values()}.values()]


def _too_many(one: Mapping[str, int], other: Mapping[str, int], limits: Mapping[str, int]) -> bool:
    return any(count + other.get(kind, 0) > limits[kind] for kind, count in one.items())
