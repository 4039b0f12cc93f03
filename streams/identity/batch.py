"""What belongs together after a batch; as little as may be is looked at again.

A partition is the one that `resolver` finds if, *first*, each cluster is what becomes of its members by the
links among them alone, and, *second*, each link between two clusters is refused by what these were by
such links when it was its turn. For then, link by link, all goes as it is said here. So what a batch changes
can be looked at cluster by cluster (`components.around`): those in which something changed and their
neighbours are resolved by themselves. A neighbour that comes out as it was is where the change ends; if one
does not, its neighbours are looked at too. What neither changed nor has a neighbour that did is as it was.

Most new links need less, since clusters with more members break no fewer rules:

- A link within a cluster that people's links are no part of changes nothing, nor does one that goes forward
  in the order: the cluster only comes about earlier, so what was refused is refused again.
- A link between two that together break no rule makes one of them and changes nothing else, *wherever its
  place in the order is*. Both had refused all their other links.
- A link that is refused where it comes in the order changes nothing. That is seen by resolving the two
  clusters with it, by themselves.

People's links know no limits. So where they are part of a cluster its neighbours are looked at.
"""

from collections.abc import Collection, Iterable, Mapping

from schemas.internal import ACCOUNT_KINDS, kind_of
from streams.identity.components import around, holding, is_joined
from streams.identity.resolver import Cluster, Clusters, Pair
from streams.identity.rows import CANNOT_LINK, HELD, LINK, Row
from streams.identity.table import Table


class Batch(Clusters):
    """The clusters, of contacts or of accounts, that a batch changes; others are read when needed."""

    def __init__(self, table: Table, limits: Mapping[str, int]) -> None:
        super().__init__(limits)
        self._table = table
        self._resolved: set[str] = set()  # with their neighbours
        self._grown: set[str] = set()  # one member or more of each cluster that another one was joined to

    def resolve(
        self, stale: set[str], linked: Iterable[tuple[str, str]], unsettled: Iterable[str]
    ) -> list[list[str]]:
        """The clusters that are to be settled: those that change with `stale` (empty afterwards), that new
        links join (`linked`), and those of `unsettled`.
        """
        if stale:
            self._again(stale, changed=True)
            stale.clear()
        for a, b in linked:
            if self._resolved.isdisjoint((a, b)) and b in self._table.row(a).links:  # not erased since
                self._link(a, b)
        touched = self._members({*self._resolved, *self._grown})
        self._judge(member for members in touched for member in members)
        known = {one for one in unsettled if self._table.row(one).identifier == one}  # not erased since
        return self._members({*self._resolved, *self._grown, *known})

    def _members(self, identifiers: Iterable[str]) -> list[list[str]]:
        return [one.members for one in {id(c): c for c in map(self._read, identifiers)}.values()]

    def _link(self, a: str, b: str) -> None:
        """A new link."""
        one, other = self._read(a), self._read(b)
        people = one.joined or other.joined
        if people or not self.join(a, b, self.limits):
            self._again((a, b), changed=people)
        if one is not other:
            self._grown.add(a)

    def _again(self, identifiers: Collection[str], *, changed: bool) -> None:
        """Resolve what may have changed with the clusters of some identifiers."""
        found = around(self._table, self._read, identifiers, changed=changed)
        self.of |= found
        self._resolved |= found.keys()

    def _read(self, identifier: str) -> Cluster:
        """The cluster of an identifier, as last resolved where nothing has changed it."""
        cluster = self.of.get(identifier)
        if cluster is None:
            cluster = Cluster(self._together(identifier), self.limits)
            for member in cluster.members:
                self.of[member] = cluster
                for partner, words in self._table.row(member).words.items():
                    last = words[-1]
                    cluster.joined = cluster.joined or last.what == LINK
                    if last.what == CANNOT_LINK:
                        pair = Pair(last.at, last.event_id, last.by, *sorted((member, partner)))
                        cluster.keep_apart(partner, pair)
        return cluster

    def _together(self, identifier: str) -> list[str]:
        """The cluster of an identifier as last resolved: those linked with it that have the same id."""
        row = self._table.row(identifier)
        found, waiting = {identifier: None}, [row]
        issued = _issued(row)
        while waiting and issued:
            row = waiting.pop()
            for partner in (*row.links, *row.words) if row.words else row.links:
                if partner not in found:
                    other = self._table.row(partner)
                    if _issued(other) == issued:
                        found[partner] = None
                        waiting.append(other)
        return [*found]

    def _judge(self, members: Iterable[str]) -> None:
        """Write to the rows how the links of `members` fared."""
        for member in members:
            row, cluster = self._table.row(member), self.of[member]
            for partner in {**row.links, **row.words} if row.words else row.links:
                other, together = self._table.row(partner), self.of.get(partner) is cluster
                self._judge_pair(row, other, partner, together=together)
                if member > partner and not together:
                    self._judge_pair(other, row, member, together=False)

    def _judge_pair(self, row: Row, other: Row, partner: str, *, together: bool) -> None:
        """Write to a row how its links with a partner fared; the smaller end keeps why they are refused."""
        a, inert, refusal = row.identifier, 0, ""
        if other.inert:
            inert = other.inert & sum({1 << one.rank for one in row.links.get(partner, ())})
        if not together and a < partner and (holding(self._table, row, partner) or is_joined(row, partner)):
            self._read(a)
            self._read(partner)
            refusal = self.refusal(a, partner)
        fate = (inert, refusal)
        if fate != row.fared.get(partner, HELD):
            row.fared[partner] = fate
            if fate == HELD:
                del row.fared[partner]
            self._table.changed.add(a)
            self._table.fared.add((a, partner))


def _issued(row: Row) -> str | None:
    """The id of the contact or account of an identifier, as last resolved."""
    if not row.spans:
        return None
    return row.spans[0][2] if kind_of(row.identifier) in ACCOUNT_KINDS else row.spans[0][1]
