"""Components of links: what has to be resolved together, read off the rows."""

from collections.abc import Iterator

from schemas.internal import ACCOUNT_KINDS, kind_of
from streams.identity.resolver import ACCOUNT_LIMITS, CONTACT_LIMITS, Edge, Pair, Partition, strength
from streams.identity.rows import CANNOT_LINK, LINK, NEVER, Row, Said, standing
from streams.identity.table import Table


class Component:
    """The identifiers that links may join to `seed`, and what becomes of them.

    `until`: as it was by what is dated up to then (ms, included).
    """

    def __init__(self, table: Table, seed: str, until: int = NEVER) -> None:
        self._table = table
        self._until = until
        self._accounts = kind_of(seed) in ACCOUNT_KINDS
        self._edges: list[Edge] = []
        self._joined: list[Pair] = []
        self._apart: list[Pair] = []
        self.found: dict[str, Row] = {seed: table.row(seed)}
        waiting = [seed]
        while waiting:
            for partner in self._reached(waiting.pop()):
                if partner not in self.found:
                    self.found[partner] = table.row(partner)
                    waiting.append(partner)
        limits = ACCOUNT_LIMITS if self._accounts else CONTACT_LIMITS
        self.partition = Partition(self.found, self._edges, limits, self._joined, self._apart)

    def _reached(self, a: str) -> Iterator[str]:
        """The partners that links may join to `a`; takes its links in, each from the smaller of its ends."""
        row = self.found[a]
        for b in row.links:
            if said := holding(self._table, row, b, self._until):
                yield b
                if a < b:  # the other end holds the same
                    self._edges += (self._edge(a, b, one) for one in said)
        for b in row.words:
            last = standing(row, b, self._until)
            if last is None:
                continue
            if last.what == LINK:
                yield b
            if a < b and last.what == LINK:
                self._joined.append(Pair(last.at, last.event_id, last.by, a, b))
            elif a < b and last.what == CANNOT_LINK:
                self._apart.append(Pair(last.at, last.event_id, last.by, a, b))

    def cluster(self, member: str) -> list[str]:
        """Those that belong together with one that was found."""
        return self.partition.of[member].members

    def _edge(self, a: str, b: str, said: Said) -> Edge:
        link_id = self._table.names.key_of(self._table.tenant, a, b, said.source)
        order = -said.changed if self._accounts else said.first
        return Edge(said.rank, order, strength(a, b), link_id, a, b)


def holding(table: Table, row: Row, partner: str, until: int = NEVER) -> list[Said]:
    """The links of sources with a partner that are neither inert nor void, by what is dated up to `until`."""
    inert = row.inert | table.row(partner).inert
    word = standing(row, partner, until)
    if word is not None and word.what != LINK:
        return []
    return [one for one in row.links.get(partner, ()) if one.first <= until and not inert >> one.rank & 1]


def is_joined(row: Row, partner: str) -> bool:
    """Whether people say that the two are one."""
    word = standing(row, partner)
    return word is not None and word.what == LINK
