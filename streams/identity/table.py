"""One tenant's rows during one batch, and which of them are to be resolved again."""

from collections.abc import Collection, Iterator
from functools import lru_cache

from schemas.internal import ACCOUNT_KINDS, STRONG_KINDS, WEAK_KINDS, kind_of
from streams.core import Group, Rows
from streams.identity.accounts import KeyOf, firm_domain
from streams.identity.rows import Row, decode, depends_on, encode


class Index:
    """Of one tenant: identifier -> those whose map row follows from its resolution (`rows.depends_on`).

    It follows from the rows, and it only grows. When a batch fails, its rows are dropped but its entries
    stay. That is safe. One too many makes an identifier be computed again that comes out as it was, or names
    one that has no row, which is passed over. One too few cannot be: an entry is added whenever a row is
    given its reason, also when that happens once more.
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


class Table:
    """The rows that a batch reads and writes; `write` puts what changed."""

    def __init__(self, tenant: str, names: Names, rows: Rows, group: Group, index: Index) -> None:
        self.tenant = tenant
        self.names = names
        self.index = index
        self._rows = rows
        self._group = group
        self._read: dict[str, Row] = {}
        self.changed: set[str] = set()  # their rows are to be written
        # to be resolved again, by what they are:
        self.accounts: set[str] = set()
        self.contacts: set[str] = set()
        self.owned: set[str] = set()
        self.stale = {
            **dict.fromkeys(ACCOUNT_KINDS, self.accounts),
            **dict.fromkeys(STRONG_KINDS, self.contacts),
            **dict.fromkeys(WEAK_KINDS, self.owned),
        }

    def find(self, identifier: str) -> Row | None:
        """The row of an identifier, if it is known."""
        row = self._read.get(identifier)
        if row is None:
            kept = self._rows.get(self._group, self.names.member(self.tenant, identifier))
            if kept is not None:
                row = self._read[identifier] = decode(kept)
        return row

    def row(self, identifier: str) -> Row:
        """The row of an identifier that a statement mentions: it has one."""
        row = self.find(identifier)
        if row is None:
            raise LookupError("a statement names an identifier that has no row")
        return row

    def mention(self, identifier: str, at: int) -> Row:
        """The row of an identifier that is seen at `at`; the domain of a firm address is seen with it."""
        row = self.find(identifier)
        if row is not None and at >= row.seen:
            return row
        domain = firm_domain(identifier)
        if row is None:
            row = self._read[identifier] = Row(self.tenant, identifier, at)
            if domain is not None:
                self.index.add(domain, identifier)
        row.seen = at
        self.touch(identifier)
        if domain is not None:
            self.mention(domain, at)
        return row

    def touch(self, identifier: str) -> None:
        """What is said of an identifier has changed: its row is written, and it is resolved again."""
        self.changed.add(identifier)
        self.stale[kind_of(identifier)].add(identifier)

    def dependants(self, identifier: str) -> Iterator[str]:
        """Those that follow from the resolution of `identifier`."""
        return (one for one in self.index.of(identifier) if self.find(one) is not None)

    def canonical(self, members: list[str]) -> str:
        """The earliest member, ties by hash: what an id is made of."""
        if len(members) == 1:
            return members[0]
        return min(members, key=lambda one: (self.row(one).seen, self.names.member(self.tenant, one)))

    def write(self) -> Iterator[Row]:
        """Write what changed, sorted."""
        for identifier in sorted(self.changed):
            row = self.row(identifier)
            self._rows.put(self._group, self.names.member(self.tenant, identifier), encode(row))
            yield row
