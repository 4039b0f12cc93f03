"""Ids that we gave out: which identifier each stands for, and what waits for one that is not known yet.

A contact's id comes from one of its identifiers, an account's from one of its keys, a person account's from
its contact's. So whatever id was ever given out is the id that some identifier *gives*, and stands for that
identifier: it means the contact or account that this one is in now. After an erasure an identifier gives
another id, and the former stands for nobody.

An id has a row, and a map row, when it was published and is not current any more, or when somebody named it.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from schemas.internal import ACCOUNT_KINDS, ISSUED_KINDS, STRONG_KINDS, Asserted, Request, kind_of
from streams.core import Member
from streams.identity.accounts import KeyOf, account_id
from streams.identity.contacts import contact_id
from streams.identity.rows import Row, is_erased
from streams.identity.spans import NOBODY, Span
from streams.identity.table import Table

CONTACT, ACCOUNT = ISSUED_KINDS
WAITING: Final = b"w"  # what the members of rows begin with that hold what waits for an id


class _Row(msgspec.Struct, array_like=True):
    name: str
    said: list[Asserted | Request]


_decode = msgspec.msgpack.Decoder(_Row).decode
_encode = msgspec.msgpack.Encoder().encode


class Ids:
    """Of one tenant: the id that an identifier gives -> the key of its row.

    Like `table.Index` it follows from the rows and only grows: whoever looks something up sees whether it is
    still so. The digits of an id are a number here, and a key is the object that the rows have it by.
    """

    def __init__(self) -> None:
        self._of: dict[int, Member] = {}
        self.wanted: set[str] = set()  # ids that were named and stood for nobody then
        self.waiting: set[str] = set()  # those for which something waited then

    def add(self, issued: str, key: Member) -> None:
        """The identifier whose row has that key gives the id `issued` (`c…`, `a…`)."""
        self._of[int(issued[1:], 16)] = key

    def of(self, name: str) -> Member | None:
        """The key of the identifier that gives, or gave, the id of that name."""
        return self._of.get(int(name.partition(":")[2][1:], 16))

    def wait(self, kept: bytes) -> None:
        """A row of what waits is kept."""
        name = _decode(kept).name
        self.wanted.add(name)
        self.waiting.add(name)


def gives(key_of: KeyOf, row: Row) -> str:
    """The id that an identifier gives its contact, or its account, when it is the first; empty: none."""
    kind = kind_of(row.identifier)
    if kind in STRONG_KINDS:
        return contact_id(key_of, row.tenant, row.identifier, row.erased_until)
    return account_id(key_of, row.tenant, row.identifier) if kind in ACCOUNT_KINDS else ""


def names(issued: str) -> tuple[str, ...]:
    """What the ids are called that an identifier gives: a contact's and a person account's, or an account's.

    >>> names("c41f0c9d27aa3b51")
    ('journeys_contact_id:c41f0c9d27aa3b51', 'journeys_account_id:a41f0c9d27aa3b51')
    >>> names("a3c1d07f4e2b9a60")
    ('journeys_account_id:a3c1d07f4e2b9a60',)
    """
    account = f"{ACCOUNT}:a{issued[1:]}"
    return (f"{CONTACT}:{issued}", account) if issued.startswith("c") else (account,)


def in_spans(spans: Iterable[Span]) -> set[str]:
    """How the ids in them are called."""
    found = set()
    for _, contact, account in spans:
        if contact is not None:
            found.add(f"{CONTACT}:{contact}")
        if account is not None:
            found.add(f"{ACCOUNT}:{account}")
    return found


class Issued:
    """The ids of one tenant during one batch."""

    def __init__(self, table: Table, ids: Ids) -> None:
        self._table = table
        self._ids = ids

    def identifier(self, name: str) -> str | None:
        """The identifier or account key that an id (`journeys_contact_id:c…`) stands for."""
        row = self._stands_for(name)
        return None if row is None else row.identifier

    def _stands_for(self, name: str) -> Row | None:
        key = self._ids.of(name)
        row = None if key is None else self._table.find_by(key)
        if row is None or name not in names(gives(self._table.names.key_of, row) or "-"):
            return None
        return row

    def wait(self, name: str, said: Asserted | Request) -> None:
        """Keep what names an id that stands for nobody, until an identifier gives it."""
        if isinstance(said, Asserted) and self._is_erased(said, name):
            return
        kept = self._table.kept(self._member(name))
        row = _Row(name, []) if kept is None else _decode(kept)
        if said not in row.said:
            row.said.append(said)
            kept = _encode(row)
            self._table.keep(self._member(name), kept)
            self._ids.wait(kept)

    def _is_erased(self, said: Asserted, name: str) -> bool:
        other = self._table.find(said.b if said.a == name else said.a)
        return other is not None and is_erased(other, said.at)

    def forget(self, identifier: str, until: int) -> None:
        """Nothing that waits may name an identifier that is erased up to then."""
        for name in self._ids.waiting:
            kept = self._table.kept(self._member(name))
            if kept is None:
                continue
            row = _decode(kept)
            said = [
                one
                for one in row.said
                if isinstance(one, Request) or identifier not in (one.a, one.b) or one.at > until
            ]
            if len(said) < len(row.said):
                self._table.keep(self._member(name), _encode(_Row(name, said)) if said else None)

    def born(self, row: Row) -> Iterator[Asserted | Request]:
        """An identifier gives an id from now on: gives what waited for that."""
        issued = gives(self._table.names.key_of, row)
        if not issued:
            return
        self._ids.add(issued, self._table.names.member(row.tenant, row.identifier))
        for name in names(issued) if self._ids.wanted else ():
            if name not in self._ids.wanted:
                continue
            if self._table.find(name) is not None:
                self._table.touch(name)
            kept = self._table.kept(self._member(name))
            if kept is not None:
                self._table.keep(self._member(name), None)
                yield from _decode(kept).said

    def named(self, names: Iterable[str]) -> None:
        """Ids that somebody names have rows."""
        for name in names:
            if self._table.find(name) is None:
                self._table.blank(name)
                self._table.touch(name)

    def ceased(self, name: str) -> bool:
        """Whether an id that was published is not current any more."""
        row = self._stands_for(name)
        return row is None or name not in in_spans(self._spans(name, row))

    def spans(self, row: Row) -> list[Span]:
        """The spans of an id: those of the contact or account that it stands for."""
        stands_for = self._stands_for(row.identifier)
        if stands_for is None:
            self._ids.wanted.add(row.identifier)
            return NOBODY
        self._table.index.add(stands_for.identifier, row.identifier)
        return self._spans(row.identifier, stands_for)

    def _spans(self, name: str, row: Row) -> list[Span]:
        if kind_of(row.identifier) in ACCOUNT_KINDS:
            return row.spans
        contact = row.spans[0][1] if kind_of(name) == CONTACT else None
        return [(since, contact, account) for since, account in row.home]

    def _member(self, name: str) -> Member:
        return WAITING + self._table.names.member(self._table.tenant, name)
