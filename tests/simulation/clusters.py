"""What belongs together, by trying link after link."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.simulation.said import STRENGTH, Assertion, kind_of

# A contact (its strong identifiers) or an account (its keys; those of a contact: a person's).
Group = frozenset[str]


class Edge(NamedTuple):
    """What a source says of a pair: the more trusted goes first, then by `order`."""

    rank: int
    order: int
    strength: tuple[int, ...]  # of one time, the link between the stronger kinds
    a: str
    b: str


def edge(rank: int, order: int, a: str, b: str) -> Edge:
    return Edge(rank, order, tuple(sorted((STRENGTH[kind_of(a)], STRENGTH[kind_of(b)]))), a, b)


def clusters(
    nodes: Iterable[str], edges: Iterable[Edge], people: Iterable[Assertion], limits: Mapping[str, int]
) -> tuple[dict[str, Group], list[Edge]]:
    """Node -> all that belong together, and the links of sources that are left out.

    The links of sources one by one; one that breaks a limit, or what a person says, is left out. Then
    people's links, each of which makes one of two, whatever the limits.
    """
    stand = standing(people)
    apart = [one for one in stand.values() if one.what == "cannot_link"]
    of = {node: frozenset([node]) for node in nodes}
    left_out: list[Edge] = []

    def forbidden(joined: Group) -> bool:
        return any(one.a in joined and one.b in joined for one in apart)

    for edge in sorted(edges):
        joined = of[edge.a] | of[edge.b]
        kinds = [kind_of(node) for node in joined]
        void = (edge.a, edge.b) in stand and stand[edge.a, edge.b].what == "unlink"
        if not void and (
            of[edge.a] == of[edge.b]
            or (all(kinds.count(kind) <= limit for kind, limit in limits.items()) and not forbidden(joined))
        ):
            of.update(dict.fromkeys(joined, joined))
        else:
            left_out.append(edge)
    for one in sorted(stand.values()):
        if one.what == "link" and one.a in of and one.b in of:
            joined = of[one.a] | of[one.b]
            if not forbidden(joined):
                of.update(dict.fromkeys(joined, joined))
    return of, left_out


def standing(people: Iterable[Assertion]) -> dict[tuple[str, str], Assertion]:
    """Of all that is said of a pair, the latest."""
    return {(one.a, one.b): one for one in sorted(people)}


CONTACT_LIMITS = {"contact_id": 1, "user_id": 1, "email": 3}
ACCOUNT_LIMITS = {"account_id": 1, "vat_number": 1}
