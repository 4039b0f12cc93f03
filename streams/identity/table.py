"""One tenant's rows during one batch, and which of them are to be resolved again."""

from collections.abc import Collection, Iterator
from functools import lru_cache, partial

from schemas.identifiers import address_domain
from schemas.internal import ACCOUNT_KINDS, ISSUED_KINDS, STRONG_KINDS, WEAK_KINDS, kind_of
from schemas.keys import KEY_BYTES, identifier_key
from streams.core import Group, Member, Rows
from streams.identity.accounts import KeyOf
from streams.identity.rows import BY_ADDRESS, NEVER, Row, decode, depends_on, encode, is_erased

RESOLVED_KINDS = frozenset((*ACCOUNT_KINDS, *STRONG_KINDS))  # they belong together by their links


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
        # (tenant, identifier) -> row and record key: the same few identifiers come again and again, and a
        # keyed hash costs more than a look-up
        self.member = lru_cache(maxsize=65_536)(partial(identifier_key, key_of))


class Table:
    """The rows that a batch reads and writes; `write` puts what changed."""

    def __init__(self, tenant: str, names: Names, rows: Rows, group: Group, index: Index) -> None:
        self.tenant = tenant
        self.names = names
        self.index = index
        self._rows = rows
        self._group = group
        self._read: dict[Member, Row] = {}
        self._named: dict[str, Row] = {}  # the same rows by any name: looked up some twenty times for a link
        self.changed: set[str] = set()  # their rows are to be written
        self.published: set[str] = set()  # their map rows are to be sent
        self.fared: set[tuple[str, str]] = set()  # (end, partner): how their links fared is to be told
        self.born: list[Row] = []  # of identifiers that were not known
        self.nameless: set[str] = set()  # devices that had no name before
        self.late: list[tuple[str, int]] = []  # identifiers, and when, that are erased
        self.linked: dict[tuple[str, str], None] = {}  # pairs with a new link, that holds
        self.unsettled: set[str] = set()  # something else of them changed than with whom they belong together
        # to be resolved again, by what they are:
        self.accounts: set[str] = set()
        self.contacts: set[str] = set()
        self.owned: set[str] = set()
        self.issued: set[str] = set()
        self.stale = {
            **dict.fromkeys(ACCOUNT_KINDS, self.accounts),
            **dict.fromkeys(STRONG_KINDS, self.contacts),
            **dict.fromkeys(WEAK_KINDS, self.owned),
            **dict.fromkeys(ISSUED_KINDS, self.issued),
        }

    def find(self, identifier: str) -> Row | None:
        """The row of an identifier, if it has one; also of one that is erased, by either name."""
        row = self._named.get(identifier)
        if row is None:
            row = self.find_by(self.names.member(self.tenant, identifier))
            if row is not None:
                self._named[identifier] = row
        return row

    def find_by(self, key: Member) -> Row | None:
        """The row of that key, if there is one."""
        row = self._read.get(key)
        if row is None:
            kept = self.kept(key)
            if kept is not None:
                row = self._read[key] = decode(kept)
        return row

    def row(self, identifier: str) -> Row:
        """The row of an identifier that a statement mentions: it has one."""
        row = self._named.get(identifier) or self.find(identifier)
        if row is None:
            raise LookupError("a statement names an identifier that has no row")
        return row

    def row_by(self, key: Member) -> Row:
        """The row of that key, which another row names."""
        row = self.find_by(key)
        if row is None:
            raise LookupError("a row names a key that has no row")
        return row

    def mention(self, identifier: str, at: int) -> Row:
        """The row of an identifier that is seen at `at`; the domain of a firm address is known from then on.

        Also where that is erased: it is no person's. But no address says since when. Else the id of an
        account would depend on whether an address was heard of before it was erased.
        """
        row = self.find(identifier)
        if row is not None and row.seen != NEVER and row.identifier.startswith("#"):
            self.rename(row, identifier)  # a device; whether it has a name is seen when it is resolved
            self.nameless.add(identifier)
            self.again(identifier)
        if row is not None and at >= row.seen:
            return row
        domain = address_domain(identifier)
        if row is not None and is_erased(row, at):
            self.late.append((identifier, at))
        else:
            if row is None or row.seen == NEVER:
                row = self._begun(identifier, row)
                if domain is not None:
                    self.index.add(domain, identifier)
            row.seen = at
            self.settle(identifier)
        if domain is not None:
            self.mention(domain, BY_ADDRESS)
        return row

    def _begun(self, identifier: str, known: Row | None) -> Row:
        """The row of an identifier of which nothing is known but, perhaps, that it is erased."""
        row = known if known is not None else self._new(identifier)
        row.identifier = identifier
        row.spans = []
        self.born.append(row)
        return row

    def blank(self, identifier: str) -> Row:
        """The row of an identifier; a new one where there is none."""
        row = self.find(identifier)
        return row if row is not None else self._new(identifier)

    def _new(self, identifier: str) -> Row:
        row = self._named[identifier] = Row(self.tenant, identifier, NEVER)
        self._read[self.names.member(self.tenant, identifier)] = row
        return row

    def touch(self, identifier: str) -> None:
        """What is said of an identifier has changed: its row is written, and it is resolved again."""
        self.changed.add(identifier)
        self.again(identifier)

    def again(self, identifier: str) -> None:
        """It is to be resolved again. Of those without a name only devices ever are."""
        (self.owned if identifier.startswith("#") else self.stale[kind_of(identifier)]).add(identifier)

    def rename(self, row: Row, name: str) -> None:
        """Another name for a row: the plain one, or the one that stands for it."""
        if row.identifier in self.published:
            self.published.add(name)
        row.identifier = name
        for one in set(depends_on(row)):
            self.index.add(one, name)

    def settle(self, identifier: str) -> None:
        """What is said of an identifier has changed, but not with whom it belongs together."""
        self.changed.add(identifier)
        kind = kind_of(identifier)
        (self.unsettled if kind in RESOLVED_KINDS else self.stale[kind]).add(identifier)

    def dependants(self, identifier: str) -> Iterator[str]:
        """Those that follow from the resolution of `identifier`."""
        known = ((one, self.find(one)) for one in self.index.of(identifier))
        return (one for one, row in known if row is not None and row.identifier == one)

    def canonical(self, members: list[str]) -> str:
        """The earliest member, ties by hash: what an id is made of."""
        if len(members) == 1:
            return members[0]
        return min(members, key=lambda one: (self.row(one).since, self.names.member(self.tenant, one)))

    def write(self) -> Iterator[Row]:
        """Write what changed, sorted."""
        changed = {row.identifier: row for row in map(self.row, self.changed)}  # some by two names
        for identifier, row in sorted(changed.items()):
            self.keep(self.names.member(self.tenant, identifier), encode(row))
            yield row

    # Rows of other kinds, too

    def kept(self, member: Member) -> bytes | None:
        """A row as it is kept."""
        return self._rows.get(self._group, member)

    def keep(self, member: Member, value: bytes | None) -> None:
        """Keep a row, or keep it no longer."""
        if value is None:
            self._rows.delete(self._group, member)
        else:
            self._rows.put(self._group, member, value)

    def holding(self, text: str) -> list[Row]:
        """The rows of identifiers in which `text` occurs, and all that were read: for what is rare."""
        needle, group = text.encode(), self._rows.group(self._group)
        keys = {key for key, value in group.items() if len(key) == KEY_BYTES and needle in value}
        return [row for key in sorted(keys.union(self._read)) if (row := self.find_by(key)) is not None]
