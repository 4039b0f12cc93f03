"""Components of links: what has to be resolved together, read off the rows."""

from collections.abc import Callable, Iterable, Mapping

from schemas.internal import ACCOUNT_KINDS, kind_of
from streams.identity.resolver import ACCOUNT_LIMITS, CONTACT_LIMITS, Cluster, Edge, Pair, Partition, strength
from streams.identity.rows import CANNOT_LINK, LINK, NEVER, Row, Said, standing
from streams.identity.table import Table


class Component:
    """Identifiers, or account keys, and the links among them; what becomes of them by these alone.

    `until`: as it was by what is dated up to then (ms, included).
    """

    def __init__(self, table: Table, *, accounts: bool, until: int = NEVER) -> None:
        self._table = table
        self._until = until
        self._accounts = accounts
        self._edges: list[Edge] = []
        self._joined: list[Pair] = []
        self._apart: set[Pair] = set()
        self.found: set[str] = set()

    def add(self, a: str) -> list[str]:
        """Take an identifier in, once, with its links; gives the partners that these may join to it."""
        self.found.add(a)
        row = self._table.row(a)
        partners = []
        for b in row.links:
            if said := holding(self._table, row, b, self._until):
                partners.append(b)
                if a < b:  # the other end holds the same
                    self._edges += (self._edge(a, b, one) for one in said)
        for b in row.words:
            last = standing(row, b, self._until)
            if last is not None and last.what == LINK:
                partners.append(b)
                if a < b:
                    self._joined.append(Pair(last.at, last.event_id, last.by, a, b))
            elif last is not None and last.what == CANNOT_LINK:
                self._apart.add(Pair(last.at, last.event_id, last.by, *sorted((a, b))))
        return partners

    def resolve(self) -> Partition:
        """What becomes of those that were taken in, if there were no others."""
        edges = (edge for edge in self._edges if edge.b in self.found)
        joined = [pair for pair in self._joined if pair.b in self.found]
        limits = ACCOUNT_LIMITS if self._accounts else CONTACT_LIMITS
        return Partition(self.found, edges, limits, joined, self._apart)

    def _edge(self, a: str, b: str, said: Said) -> Edge:
        link_id = self._table.names.key_of(self._table.tenant, a, b, said.source)
        order = -said.changed if self._accounts else said.first
        return Edge(said.rank, order, strength(a, b), link_id, a, b)


def whole(table: Table, seed: str, until: int = NEVER) -> Partition:
    """Everything that links may join to `seed`, resolved."""
    component = Component(table, accounts=kind_of(seed) in ACCOUNT_KINDS, until=until)
    waiting = [seed]
    while waiting:
        one = waiting.pop()
        if one not in component.found:
            waiting += component.add(one)
    return component.resolve()


def around(
    table: Table, read: Callable[[str], Cluster], seeds: Iterable[str], *, changed: bool
) -> dict[str, Cluster]:
    """The clusters that are to be resolved again when something in those of `seeds` has changed, resolved.

    `read`: the cluster of an identifier as it was before; `changed`: False where nothing but a link between
    two of these clusters is new, which may be refused; then nothing has to be. Looks from cluster to cluster
    as far as they change: `batch` says why that is enough.
    """
    component = Component(table, accounts=kind_of(next(iter(seeds))) in ACCOUNT_KINDS)
    beyond: dict[int, list[str]] = {}  # id of a cluster that was taken in -> partners of its members

    def take(identifiers: Iterable[str]) -> list[Cluster]:
        taken = []
        for identifier in identifiers:
            if identifier not in component.found:
                cluster = read(identifier)
                beyond[id(cluster)] = [p for member in cluster.members for p in component.add(member)]
                taken.append(cluster)
        return taken

    rim = take(seeds)  # clusters that have partners which are not taken in
    moved = rim if changed else _moved(rim, component.resolve().of)
    of: dict[str, Cluster] = {}
    inside: list[str] = []
    hops = 1
    while moved:
        ids = {*map(id, moved)}
        rim = [cluster for cluster in rim if id(cluster) not in ids]
        for _ in range(hops):
            inside += (member for cluster in moved for member in cluster.members)
            moved = take([partner for cluster in moved for partner in beyond[id(cluster)]])
        rim += moved
        of = component.resolve().of
        moved = _moved(rim, of)
        hops *= 2  # so that a change that goes far is not resolved again for each step of its way
    return {member: of[member] for member in inside}


def _moved(clusters: Iterable[Cluster], of: Mapping[str, Cluster]) -> list[Cluster]:
    """Those that are not clusters any more."""
    return [one for one in clusters if {*of[one.members[0]].members} != {*one.members}]


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
