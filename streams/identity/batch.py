"""What belongs together after a batch; as little as may be is looked at again.

Most new links join two clusters that may be one. Then only these two have to be read, by this rule: a new
link between clusters F and G as last resolved makes one cluster of them and changes no other, *wherever its
place in the order is*, provided that F and G together break no rule. For a link with one end in F or G and
the other outside was refused, and is refused again: clusters with more members break no fewer rules. A link
with both ends inside is accepted: parts of what breaks no rule break none. All else is as it was. A link
within a cluster changes nothing, nor does one that goes forward in the order: that is the case F = G.

The rule does not hold where people's links, which know no limits, are part of F or G. Then, where F and G
may not be one, where a link ceased to count or goes backward, and where people said something, everything
that links reach is resolved again (`Component`).
"""

from collections.abc import Iterable, Iterator, Mapping

from schemas.internal import ACCOUNT_KINDS, kind_of
from streams.identity.components import Component, holding, is_joined
from streams.identity.resolver import Cluster, Clusters, Pair
from streams.identity.rows import CANNOT_LINK, HELD, LINK, Row
from streams.identity.table import Table


class Batch(Clusters):
    """The clusters, of contacts or of accounts, that a batch changes; others are read when needed."""

    def __init__(self, table: Table, limits: Mapping[str, int]) -> None:
        super().__init__(limits)
        self._table = table
        self._resolved: set[str] = set()  # by way of all links
        self._grown: set[str] = set()  # one member or more of each cluster that another one was joined to

    def resolve(
        self, stale: set[str], linked: Iterable[tuple[str, str]], unsettled: Iterable[str]
    ) -> list[list[str]]:
        """The clusters that are to be settled: what links reach from `stale` (empty afterwards), what new
        links join (`linked`), and those of `unsettled`.
        """
        while stale:
            stale -= self._walk(stale.pop())
        for a, b in linked:
            if a not in self._resolved and b in self._table.row(a).links:  # not erased since
                self._link(a, b)
        touched = self._members({*self._resolved, *self._grown})
        self._judge(member for members in touched for member in members)
        known = {one for one in unsettled if self._table.row(one).identifier == one}  # not erased since
        return self._members({*self._resolved, *self._grown, *known})

    def _members(self, identifiers: Iterable[str]) -> list[list[str]]:
        return [one.members for one in {id(c): c for c in map(self._read, identifiers)}.values()]

    def _walk(self, seed: str) -> set[str]:
        component = Component(self._table, seed)
        self.of |= component.partition.of
        self._resolved |= component.found.keys()
        return {*component.found}

    def _link(self, a: str, b: str) -> None:
        one, other = self._read(a), self._read(b)
        if one.joined or other.joined or not self.join(a, b, self.limits):
            self._walk(a)
        elif one is not other:
            self._grown.add(a)

    def _read(self, identifier: str) -> Cluster:
        """The cluster of an identifier, as last resolved where nothing has changed it."""
        cluster = self.of.get(identifier)
        if cluster is None:
            cluster = Cluster(list(self._together(identifier)), self.limits)
            for member in cluster.members:
                self.of[member] = cluster
                for partner, words in self._table.row(member).words.items():
                    last = words[-1]
                    cluster.joined = cluster.joined or last.what == LINK
                    if last.what == CANNOT_LINK:
                        pair = Pair(last.at, last.event_id, last.by, *sorted((member, partner)))
                        cluster.keep_apart(partner, pair)
        return cluster

    def _together(self, identifier: str) -> Iterator[str]:
        """The cluster of an identifier as last resolved: those linked with it that have the same id."""
        found, waiting = {identifier}, [identifier]
        while waiting:
            member = waiting.pop()
            yield member
            row = self._table.row(member)
            issued = _issued(row)
            for partner in (*row.links, *row.words) if issued else ():
                if partner not in found and _issued(self._table.row(partner)) == issued:
                    found.add(partner)
                    waiting.append(partner)

    def _judge(self, members: Iterable[str]) -> None:
        """Write to the rows how the links of `members` fared."""
        for member in members:
            row = self._table.row(member)
            for partner in {**row.links, **row.words} if row.words else row.links:
                self._judge_pair(row, partner)
                if member > partner and self.of.get(partner) is not self.of[member]:
                    self._judge_pair(self._table.row(partner), member)

    def _judge_pair(self, row: Row, partner: str) -> None:
        """Write to a row how its links with a partner fared; the smaller end keeps why they are refused."""
        a, inert, refusal = row.identifier, 0, ""
        if other := self._table.row(partner).inert:
            inert = other & sum({1 << one.rank for one in row.links.get(partner, ())})
        if (
            a < partner
            and self._read(a) is not self.of.get(partner)
            and (holding(self._table, row, partner) or is_joined(row, partner))
        ):
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
