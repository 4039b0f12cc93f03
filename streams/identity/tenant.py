"""One tenant's identifiers during one batch: take the statements in, then resolve again what they touch.

What is resolved again: the raw link components that were touched, by way of `Index` everything whose map
row follows from theirs, and nothing else.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

from schemas.internal import (
    ACCOUNT_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Employed,
    Link,
    Named,
    Owns,
    Seen,
    kind_of,
)
from streams.core import Group, Rows
from streams.identity.accounts import KeyOf, account_id, firm_domain, person_account
from streams.identity.contacts import Timeline, contact_id, moments, timeline
from streams.identity.resolver import ACCOUNT_LIMITS, CONTACT_LIMITS, Edge, resolve, strength
from streams.identity.rows import Row, add_link, add_named, add_owner, decode, depends_on, encode, is_known
from streams.identity.spans import NOBODY, Person, Span, ownership


class Index:
    """Of one tenant: identifier -> those whose map row follows from its resolution (`rows.depends_on`).

    It follows from the rows, and statements are never taken back, so it only grows. When a batch fails, its
    rows are dropped but its entries stay. That is safe. One too many makes an identifier be computed again
    that comes out as it was, or names one that has no row, which is passed over. One too few cannot be: an
    entry is added whenever a row is given its reason, also when that happens once more.
    """

    def __init__(self) -> None:
        self._dependants: dict[str, str | set[str]] = {}  # most have one; a set for it would cost 216 bytes

    def add(self, identifier: str, dependant: str) -> None:
        """`dependant` follows from `identifier`."""
        known = self._dependants.get(identifier)
        if known is None:
            self._dependants[identifier] = dependant
        elif isinstance(known, set):
            known.add(dependant)
        elif known != dependant:
            self._dependants[identifier] = {known, dependant}

    def add_row(self, row: Row) -> None:
        """All entries of a row that was read back."""
        for identifier in set(depends_on(row)):
            self.add(identifier, row.identifier)

    def of(self, identifier: str) -> Collection[str]:
        """Those that may follow from `identifier`."""
        known = self._dependants.get(identifier, ())
        return (known,) if isinstance(known, str) else known


class Names:
    """The hashes of one processor: row keys and ids."""

    def __init__(self, key_of: KeyOf) -> None:
        self.key_of = key_of
        # the same few identifiers come again and again, and a keyed hash costs more than a look-up
        self.member = lru_cache(maxsize=65_536)(key_of)  # (tenant, identifier) -> row and record key


class Tenant:
    """Statements in by `seen`, `link`, `owns`, `named`, `employed`; then `resolve` once."""

    def __init__(self, tenant: str, names: Names, rows: Rows, group: Group, index: Index) -> None:
        self._tenant = tenant
        self._names = names
        self._rows = rows
        self._group = group
        self._index = index
        self._read: dict[str, Row] = {}
        self._changed: set[str] = set()  # their rows are to be written
        self._published: set[str] = set()  # their map rows are to be sent
        # to be resolved again, by what they are:
        self._accounts: set[str] = set()
        self._contacts: set[str] = set()
        self._owned: set[str] = set()
        self._naming: set[str] = set()  # any identifier whose touches name accounts
        self._stale = {
            **dict.fromkeys(ACCOUNT_KINDS, self._accounts),
            **dict.fromkeys(STRONG_KINDS, self._contacts),
            **dict.fromkeys(WEAK_KINDS, self._owned),
        }

    # Statements

    def seen(self, said: Seen) -> None:
        """The identifier exists."""
        self._mention(said.identifier, said.at)

    def link(self, said: Link) -> None:
        """Both are one contact, or one account."""
        known = self._find(said.a)
        if known is not None and is_known(known, said.b, (said.source, said.rank, said.at)):
            return
        a, b = self._mention(said.a, said.at), self._mention(said.b, said.at)
        one = add_link(a, said.b, (said.source, said.rank, said.at))
        other = add_link(b, said.a, (said.source, said.rank, said.at))
        for row, changed in ((a, one), (b, other)):
            if changed is not None:
                self._changed.add(row.identifier)
                self._stale[kind_of(row.identifier)].update(changed)

    def owns(self, said: Owns) -> None:
        """From then on the weak identifier belongs to the strong one."""
        known = self._find(said.weak)
        if known is not None and said.at in known.owners.get(said.strong, ()):
            return
        self._mention(said.strong, said.at)
        row = self._mention(said.weak, said.at)
        new = said.strong not in row.owners
        if add_owner(row, said.strong, said.at):
            if new:
                self._index.add(said.strong, said.weak)
            self._changed.add(said.weak)
            self._owned.add(said.weak)

    def named(self, said: Named) -> None:
        """Touches of the identifier name the account key."""
        self._mention(said.account, said.at)
        row = self._mention(said.identifier, said.at)
        if add_named(row, said.account):
            self._index.add(said.account, said.identifier)
            self._changed.add(said.identifier)
            self._naming.add(said.identifier)
            self._stale[kind_of(said.identifier)].add(said.identifier)  # a weak one has a map row from now on

    def employed(self, said: Employed) -> None:
        """The person works for the account from then on."""
        employment = (said.source, said.contact or said.identifier, said.at, said.account)
        known = self._find(said.identifier)
        if known is not None and employment in known.employed:
            return
        self._mention(said.account, said.at)
        row = self._mention(said.identifier, said.at)
        row.employed.append(employment)
        self._index.add(said.account, said.identifier)
        self._changed.add(said.identifier)
        self._contacts.add(said.identifier)

    def _mention(self, identifier: str, at: int) -> Row:
        """The row of an identifier that is seen at `at`; the domain of a firm address is seen with it."""
        row = self._find(identifier)
        if row is not None and at >= row.seen:
            return row
        domain = firm_domain(identifier)
        if row is None:
            row = self._read[identifier] = Row(self._tenant, identifier, at)
            if domain is not None:
                self._index.add(domain, identifier)
        row.seen = at
        self._changed.add(identifier)
        self._stale[kind_of(identifier)].add(identifier)
        if domain is not None:
            self._mention(domain, at)
        return row

    # Rows

    def _find(self, identifier: str) -> Row | None:
        row = self._read.get(identifier)
        if row is None:
            kept = self._rows.get(self._group, self._names.member(self._tenant, identifier))
            if kept is not None:
                row = self._read[identifier] = decode(kept)
        return row

    def _row(self, identifier: str) -> Row:
        row = self._find(identifier)
        if row is None:  # whatever a statement mentions has a row
            raise LookupError("a statement names an identifier that has no row")
        return row

    def _dependants(self, identifier: str) -> Iterator[str]:
        return (one for one in self._index.of(identifier) if self._find(one) is not None)

    # Resolution

    def resolve(self) -> Iterator[Row]:
        """Resolve what was touched and write the rows; gives those whose map rows changed, sorted."""
        while self._accounts:
            for members in self._clusters(self._accounts, ACCOUNT_LIMITS, later_first=True):
                self._settle_account(members)
        while self._contacts:
            for members in self._clusters(self._contacts, CONTACT_LIMITS, later_first=False):
                self._settle_contact(members)
        for identifier in self._owned:
            self._settle_owned(self._row(identifier))
        for identifier in self._naming:
            self._settle_naming(self._row(identifier))
        for identifier in sorted(self._changed):
            row = self._row(identifier)
            self._rows.put(self._group, self._names.member(self._tenant, identifier), encode(row))
            if identifier in self._published:
                yield row

    def _clusters(self, stale: set[str], limits: Mapping[str, int], *, later_first: bool) -> list[list[str]]:
        """The clusters of one touched component; its identifiers are stale no more."""
        seed = stale.pop()
        found = {seed: self._row(seed)}
        if not found[seed].links:
            return [[seed]]
        waiting = [seed]
        edges: list[Edge] = []
        while waiting:
            a = waiting.pop()
            row = found[a]
            for b, all_said in row.links.items():
                other = self._row(b)
                inert = row.inert | other.inert
                holding = [said for said in all_said if not inert >> said[1] & 1]
                if holding and b not in found:
                    found[b] = other
                    waiting.append(b)
                if a < b:  # the other end holds the same
                    for source, rank, at in holding:
                        link_id = self._names.key_of(self._tenant, a, b, source)
                        order = -at if later_first else at
                        edges.append(Edge(rank, order, strength(a, b), link_id, a, b))
        stale.difference_update(found)
        return resolve(found, edges, limits)

    def _canonical(self, members: list[str]) -> str:
        """The earliest member, ties by hash: what an id is made of."""
        if len(members) == 1:
            return members[0]
        return min(members, key=lambda one: (self._row(one).seen, self._names.member(self._tenant, one)))

    def _settle_account(self, members: list[str]) -> None:
        account = account_id(self._names.key_of, self._tenant, self._canonical(members))
        for member in members:
            if self._publish(self._row(member), [(None, None, account)]):
                for dependant in self._dependants(member):
                    self._naming.add(dependant)
                    if kind_of(dependant) in STRONG_KINDS:
                        self._contacts.add(dependant)

    def _account_of(self, key: str) -> str:
        return self._row(key).spans[0][2] or ""

    def _settle_contact(self, members: list[str]) -> None:
        rows = [self._row(member) for member in members]
        contact = contact_id(self._names.key_of, self._tenant, self._canonical(members))
        at_firm = {member: domain for member in members if (domain := firm_domain(member)) is not None}
        first = self._account_of(at_firm[self._canonical(list(at_firm))]) if at_firm else None
        begun = moments(
            ((source, who), at, account, self._account_of(account))
            for row in rows
            for source, who, at, account in row.employed
        )
        firmless = first is None and not begun
        person = person_account(contact) if firmless else ""
        home = timeline(begun, None, first, person)
        for row in rows:
            accounts = home
            if (domain := at_firm.get(row.identifier)) is not None:
                accounts = timeline(begun, self._account_of(domain), first, person)
            self._settle_strong(row, contact, home, accounts)

    def _settle_strong(self, row: Row, contact: str, home: Timeline, accounts: Timeline) -> None:
        moved = row.home != home or row.spans[0][1] != contact
        if moved:
            row.home = home
            self._changed.add(row.identifier)
            self._owned.update(self._dependants(row.identifier))
        self._publish(row, [(since, contact, account) for since, account in accounts])

    def _settle_owned(self, row: Row) -> None:
        if row.owners:
            people = {strong: self._person(strong) for strong in row.owners}
            self._publish(row, ownership(row.owners, people))
        elif row.crowded or row.accounts:
            self._publish(row, NOBODY)

    def _person(self, strong: str) -> Person:
        row = self._row(strong)
        return Person(row.spans[0][1] or "", row.home)

    def _settle_naming(self, row: Row) -> None:
        accounts = {key: self._account_of(key) for key in row.accounts}
        if accounts != row.accounts:
            row.accounts = accounts
            self._changed.add(row.identifier)
            self._published.add(row.identifier)

    def _publish(self, row: Row, spans: list[Span]) -> bool:
        """Give a row its spans: whether they are other ones than before."""
        if spans == row.spans:
            return False
        row.spans = spans
        self._changed.add(row.identifier)
        self._published.add(row.identifier)
        return True
