"""What was erased, as keyed hashes: what a row must not tell. Pure: no I/O, no clock.

A map row tells it (`MapRow.erased`). Of an identifier is erased what is dated in its periods; whatever names
it beside a contact that it no longer belongs to; and, where nothing later is known of it, whatever names it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import msgspec

from schemas.identity import MapRow
from schemas.internal import STRONG_KINDS, kind_of
from schemas.keys import event_key, identifier_key
from schemas.times import from_rfc3339
from streams.core import Record
from streams.identity.contacts import contact_id

EVER: Final = 0  # ms; before everything, and what has no time of its own is dated so
NEVER_ENDS: Final = (1 << 63) - 1
UNKNOWN: Final = 0  # in place of an identifier's key: a touch of which an older build kept no more
ERASED_MARK: Final = b'"erased"'  # in every map row that tells of an erasure

Period = tuple[int, int]  # from (ms), to before (ms)

_map = msgspec.json.Decoder(MapRow).decode


@dataclass(frozen=True)
class Erasure:
    """What is erased of one identifier; of several the highest `version` holds."""

    tenant: str
    key: int
    version: int
    periods: tuple[Period, ...]
    gone: bool  # nothing later is known of it
    keeps: frozenset[str] = frozenset()  # contacts that it still belongs to
    contacts: frozenset[str] = frozenset()  # that it belonged to before, and no longer does
    person: bool = False  # a person's own identifier, not a device's

    def covers(self, at: int) -> bool:
        """Whether something at that time is erased."""
        return any(since <= at < until for since, until in self.periods)

    @property
    def until(self) -> int:
        """Before when the last of it is erased (ms); nothing is where the map has taken all periods back."""
        return max((until for _, until in self.periods), default=EVER)

    def outdates(self, contact: str, anew: int) -> bool:
        """Whether a profile must not name it beside the contact.

        `anew`: since when (ms) what the profile tells of it is (0: since ever). One that knows of the erasure
        tells whose the identifier is by now, whatever the map has told up to now.
        """
        return anew < self.until and contact not in self.keeps


def short(key: bytes) -> int:
    """The part of a key that tables keep: eight bytes.

    >>> short(bytes([0] * 7 + [5] + [9] * 8))
    5
    """
    return int.from_bytes(key[:8], "big")


def number(version: Sequence[int]) -> int:
    """(generation, epoch, seq) as one integer.

    >>> number((0, 1, 2)) == 2**64 + 2
    True
    """
    generation, epoch, seq = version
    return generation << 128 | epoch << 64 | seq


def contacts_of(row: MapRow) -> frozenset[str]:
    """The contacts that a row's identifier belongs to at some time."""
    return frozenset(span.contact_id for span in row.spans if span.contact_id)


class Erased:
    """All erasures that are known, and the events that went with them."""

    def __init__(self, key_of: Callable[..., bytes]) -> None:
        self._key_of = key_of
        self._short = lru_cache(maxsize=131_072)(self._hashed)  # identifiers come again and again
        self._identifiers: dict[int, Erasure] = {}
        self._persons: dict[str, int] = {}  # account of kind person of an erased contact -> until when
        self._events: dict[int, set[tuple[int, int]]] = {}  # as a cause -> touches: whose (key), when (ms)

    def key(self, tenant: str, identifier: str) -> int:
        """What stands for an identifier, also for one that is erased; 0 for none."""
        return self._short(tenant, identifier)

    def _hashed(self, tenant: str, identifier: str) -> int:
        return short(identifier_key(self._key_of, tenant, identifier)) if identifier else 0

    def keys(self, tenant: str, identifiers: Iterable[str]) -> list[int]:
        """What stands for each."""
        find = self._short
        return [find(tenant, identifier) for identifier in identifiers]

    def event(self, tenant: str, source: str, event_id: str) -> int:
        """What stands for an event."""
        return short(event_key(self._key_of, tenant, source, event_id))

    def cause(self, tenant: str, event_id: str) -> int:
        """What stands for an event where its source is not told."""
        return short(self._key_of(tenant, "cause", event_id))

    def news(self, records: Iterable[Record]) -> list[Erasure]:
        """The erasures that records of the map tell of, and known ones of which they tell more.

        Older rows of an erased identifier tell whose it was. A newer one without periods takes back what was
        said to be erased.
        """
        found: dict[int, Erasure] = {}
        others: list[Record] = []
        for record in records:
            row = _row(record) if ERASED_MARK in (record.value or b"") else None
            if row is None or not row.erased:
                others.append(record)
                continue
            told = self.told(row)
            known = found.get(told.key) or self._identifiers.get(told.key)
            found[told.key] = told if known is None else joined(known, told)
        for record in others:
            key = short(record.key or b"")
            known = found.get(key) or self._identifiers.get(key)
            row = _row(record) if known is not None else None
            if known is None or row is None:
                continue
            if number(row.version) < known.version:
                found[key] = before(known, contacts_of(row), kind_of(row.identifier) in STRONG_KINDS)
            elif not row.erased:
                found[key] = joined(known, self.told(row))
        return list(found.values())

    def told(self, row: MapRow) -> Erasure:
        """The erasure that a map row tells of."""
        periods = tuple(
            (
                EVER if period.since is None else from_rfc3339(period.since),
                NEVER_ENDS if period.until is None else from_rfc3339(period.until),
            )
            for period in row.erased
        )
        key, version = self.key(row.tenant, row.identifier), number(row.version)
        gone = row.identifier.startswith("#")
        return Erasure(row.tenant, key, version, periods, gone, keeps=contacts_of(row))

    def learn(self, erasure: Erasure) -> bool:
        """Remember it; False where it was known already. Contacts add up."""
        known = self._identifiers.get(erasure.key)
        if known is not None:
            erasure = joined(known, erasure)
            if erasure == known:
                return False
        self._identifiers[erasure.key] = erasure
        for account in persons(erasure):
            until = NEVER_ENDS if erasure.gone else erasure.until
            self._persons[account] = max(self._persons.get(account, 0), until)
        return True

    def find(self, key: int) -> Erasure | None:
        """What is known of an identifier."""
        return self._identifiers.get(key)

    def forget_touch(self, cause: int, key: int, at: int) -> bool:
        """A touch of the identifier at that time is erased, as a cause too; False where it was known already.

        It may be named as a cause again as soon as the map takes the erasure of that time back.
        """
        touches = self._events.setdefault(cause, set())
        known = (key, at) in touches
        touches.add((key, at))
        return not known

    def forgets(self, cause: int) -> bool:
        """Whether an event is erased, which nothing may name as a cause."""
        touches = self._events.get(cause)
        return touches is not None and any(key == UNKNOWN or self.touch(key, at) for key, at in touches)

    def touch(self, key: int, at: int) -> bool:
        """Whether a touch of the identifier at that time is erased."""
        known = self._identifiers.get(key)
        return known is not None and known.covers(at)

    def of_member(
        self, tenant: str, names: Sequence[str], contact: str, anew: Mapping[int, int]
    ) -> tuple[list[str], list[int]]:
        """The identifiers that a profile may name beside the contact, and what stands for each.

        `anew`: what stands for an identifier -> since when what the profile tells of it is.
        """
        keys = self.keys(tenant, names)
        if not self._identifiers:
            return list(names), keys
        pairs = [
            (name, key)
            for name, key in zip(names, keys, strict=True)
            if (known := self._identifiers.get(key)) is None or not known.outdates(contact, anew.get(key, 0))
        ]
        return [name for name, _ in pairs], [key for _, key in pairs]

    def of_event(
        self, tenant: str, names: Sequence[str], contact: str, at: int
    ) -> tuple[list[str], list[int]]:
        """The identifiers that an event of that time may name beside the contact, and what stands for each.

        Of a contact that came to be after the erasure this may be heard first, and later, from another
        partition, that something is known of its identifiers again.
        """
        keys = self.keys(tenant, names)
        if not self._identifiers:
            return list(names), keys
        told = [(name, key, self._identifiers.get(key)) for name, key in zip(names, keys, strict=True)]
        anew = any(
            contact == contact_id(self._key_of, tenant, name, until - 1)
            for name, _, known in told
            if known is not None and known.gone
            for _, until in known.periods
        )
        pairs = [
            (name, key)
            for name, key, known in told
            if known is None
            or not ((known.gone and not anew) or contact in known.contacts or known.covers(at))
        ]
        return [name for name, _ in pairs], [key for _, key in pairs]

    def person(self, account: str, at: int) -> bool:
        """Whether an output of that time must not tell the name of the account: it is an erased person's."""
        return at < self._persons.get(account, 0)

    def allowed(self, tenant: str, names: list[str], at: int) -> tuple[list[str], list[int]]:
        """The identifiers on a touch at that time that are not erased, and what stands for each."""
        if not names:
            return names, []
        keys = self.keys(tenant, names)
        if not self._identifiers or not any(self.touch(key, at) for key in keys):
            return names, keys
        pairs = [pair for pair in zip(names, keys, strict=True) if not self.touch(pair[1], at)]
        return [name for name, _ in pairs], [key for _, key in pairs]

    def causes(self, tenant: str, event_ids: Sequence[str]) -> tuple[list[str], list[int]]:
        """The events that are not erased, and what stands for each."""
        keys = [self.cause(tenant, event_id) for event_id in event_ids]
        if self._events and any(map(self.forgets, keys)):
            pairs = [pair for pair in zip(event_ids, keys, strict=True) if not self.forgets(pair[1])]
            return [name for name, _ in pairs], [key for _, key in pairs]
        return list(event_ids), keys


def joined(one: Erasure, other: Erasure) -> Erasure:
    """Both: the later holds, and what is known of before adds up."""
    latest = max(one, other, key=lambda erasure: erasure.version)
    contacts = (one.contacts | other.contacts | one.keeps | other.keeps) - latest.keeps
    return replace(latest, contacts=contacts, person=one.person or other.person)


def before(erasure: Erasure, contacts: Iterable[str], person: bool) -> Erasure:
    """With contacts that older rows of the map tell of."""
    former = (erasure.contacts | set(contacts)) - erasure.keeps - {""}
    return replace(erasure, contacts=former, person=erasure.person or person)


def _row(record: Record) -> MapRow | None:
    """The map row; none where it cannot be read: that is said where it is planned."""
    with suppress(msgspec.DecodeError):
        return _map(record.value) if record.value else None
    return None


def persons(erasure: Erasure) -> list[str]:
    """The accounts of kind person of the contacts that are erased: each has the id of its contact."""
    return sorted(f"a{contact[1:]}" for contact in erasure.contacts) if erasure.person else []
