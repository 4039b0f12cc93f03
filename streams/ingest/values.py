"""Single values of a message: times, labels, identifiers, and what settings say about their spelling."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.identifiers import (
    NAMESPACED_KINDS,
    NOBODY,
    Identified,
    email,
    identify,
    in_namespace,
    is_free_mail,
    is_role_mailbox,
)
from schemas.internal import ISSUED_KINDS
from schemas.message import DEFAULT_COUNTRY, ID_BYTES, IDENTIFIER_BYTES, RefusedError, show
from schemas.times import from_rfc3339

EARLIEST_MS: Final = from_rfc3339("2000-01-01T00:00:00Z")
AHEAD_MS: Final = 48 * 3_600_000  # an event may lie this far after its record's Kafka timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LONGEST_NUMBER: Final = 10**IDENTIFIER_BYTES


@dataclass(frozen=True)
class Habits:
    """What settings say about sources (in lower case) and tenants."""

    zones: Mapping[str, str] = field(default_factory=dict)  # source -> IANA zone of times without offset
    namespaces: Mapping[str, str] = field(default_factory=dict)  # source -> namespace of its ids
    country: str = DEFAULT_COUNTRY  # of phone numbers without country code
    countries: Mapping[str, str] = field(default_factory=dict)  # the same by tenant

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Habits":
        """From a step's settings, where each may be missing."""
        return cls(**{name: settings[name] for name in cls.__annotations__ if name in settings})

    def spelling(self, tenant: str, source: str = "") -> "Spelling":
        """How identifiers of one tenant's source are spelled; without source: as we show them."""
        country = self.countries.get(tenant, self.country)
        if not source or not self.namespaces:
            return Spelling(country)
        return Spelling(country, self.namespaces.get(source.lower(), ""), self.namespaces.values())

    def zone(self, source: str) -> str:
        """The zone of the source's times without offset; empty: there is none."""
        return self.zones.get(source.lower(), "")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One spelling of identifiers."""

    country: str = DEFAULT_COUNTRY
    namespace: str = ""
    namespaces: Collection[str] = ()  # all there are; empty: ids are as we show them

    def identified(self, name: str, kind: str, value: str | float | bool) -> Identified:
        """What the value of field `name` says; RefusedError where it is too long."""
        if value is True or value is False:
            return NOBODY
        text = value if isinstance(value, str) else number(value, name)
        if not self.namespaces or kind not in NAMESPACED_KINDS:
            check(text, name, IDENTIFIER_BYTES)
            return identify(kind, text, self.country)
        check(text, name, IDENTIFIER_BYTES - len(self.namespace) - 1)
        found = identify(kind, text)
        if not found.identifier:
            return found
        return found._replace(identifier=in_namespace(found.identifier, self.namespace, self.namespaces))


def moment(text: str, latest: int, zone: str = "") -> int:
    """`occurred_at` in ms; RefusedError unless it is a time from 2000-01-01 to `latest`.

    It must have an offset, unless there is a `zone` (IANA). Of an hour that occurs twice the first is meant.

    >>> moment("2025-02-03T09:12:04", 2_000_000_000_000, "Europe/Amsterdam")
    1738570324000
    """
    try:
        at = from_rfc3339(text.upper())  # RFC 3339 allows t and z
    except (ValueError, OverflowError):
        at = _local(text, zone)
    if at < EARLIEST_MS:
        raise RefusedError("bad_time", "occurred_at", f"{show(text)} is before 2000-01-01")
    if at > latest:
        raise RefusedError(
            "bad_time", "occurred_at", f"{show(text)} is over 48 h after the record's Kafka time"
        )
    return at


def _local(text: str, zone: str) -> int:
    try:
        time = datetime.fromisoformat(text.upper())
        if time.tzinfo is None and zone and ":" in text:  # a date alone is no time
            return (time.replace(tzinfo=ZoneInfo(zone)) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        why = f"{show(text)} is no time; send RFC 3339 with an offset, e.g. 2025-02-03T08:12:04Z"
    else:
        why = f"{show(text)} has no offset; send e.g. 2025-02-03T08:12:04Z or 2025-02-03T09:12:04+01:00"
    raise RefusedError("bad_time", "occurred_at", why)


def required(text: str, name: str) -> str:
    """A required label, trimmed; RefusedError where it is blank or too long."""
    text = text.strip()
    if not text:
        raise RefusedError("missing_field", name, "is required and empty")
    check(text, name, ID_BYTES)
    return text


def label(value: str | float | None, name: str, cap: int | None = None) -> str:
    """Text or a number as trimmed text of at most `cap` bytes; empty where there is none."""
    if value is None:
        return ""
    text = value.strip() if isinstance(value, str) else number(value, name)
    if cap is not None:
        check(text, name, cap)
    return text


def number(value: float, name: str) -> str:
    """A number as text."""
    if isinstance(value, int):
        if abs(value) >= _LONGEST_NUMBER:  # also keeps Python from refusing to write it
            raise RefusedError("too_large", name, f"a number of more than {IDENTIFIER_BYTES} digits")
        return str(value)
    if not math.isfinite(value):
        raise RefusedError("wrong_type", name, "the number is out of range; send it as text")
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def check(text: str, name: str, cap: int) -> None:
    """RefusedError where the text has more than `cap` bytes in UTF-8."""
    if len(text) > cap or (not text.isascii() and len(text.encode()) > cap):
        raise RefusedError("too_large", name, f"has more than {cap} bytes: {show(text)}")


def nameless(kind: str, value: object) -> str:
    """Why a value names nobody, to follow it in a sentence."""
    text = str(value)
    if kind == "domain" and is_free_mail(text.rpartition("@")[2]):
        return "is a free-mail domain, so it names no firm"
    if kind == "email" and (address := email(text)) is not None and is_role_mailbox(address):
        return "is a role mailbox, which is nobody's own"
    if kind in ISSUED_KINDS:
        return "is no id that we gave out"
    return "names neither person nor firm"
