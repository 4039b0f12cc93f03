"""Whom the bytes of a refused record name, however broken they are. Pure: no I/O, no clock."""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from schemas.identifiers import email
from schemas.internal import ISSUED_KINDS, STRONG_KINDS, WEAK_KINDS
from schemas.message import DEFAULT_TENANT, RefusedError
from schemas.times import from_rfc3339
from streams.ingest.values import Habits

_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_VALUES: Final = re.compile(rf"{_TEXT}|-?[\d.]+")
_PERSONAL: Final = "|".join((*STRONG_KINDS, *WEAK_KINDS, *ISSUED_KINDS))
_NAMED: Final = re.compile(rf'"({_PERSONAL})"\s*:\s*(\[[^\]]*\]?|{_TEXT}|-?[\d.]+)')
_FIELD: Final = re.compile(rf'"(tenant|source|occurred_at)"\s*:\s*({_TEXT})')
_TOO_LATE: Final = from_rfc3339("2299-12-31T00:00:00Z")  # ClickHouse's DateTime64 ends with that year
_ADDRESS: Final = re.compile(r"[^\s@()<>,;:\\\"'\[\]=&?/]+@[^\s@()<>,;:\\\"'\[\]=&?/]+")


class Named(NamedTuple):
    """What refused bytes tell of whom they are about."""

    tenant: str
    identifiers: list[str]  # kind:value
    at: int  # event time in ms; 0: none, or one that ClickHouse cannot keep


def named(original: bytes, habits: Habits, tenant: str = "") -> Named:
    """Read what can be read. Whatever looks like an e-mail address is one, wherever it stands.

    `tenant`: whose the bytes are, where that is known.

    >>> named(b'{"occurred_at":"2025-01-01T00:00:00Z","identifiers":{"email":"Jane@acme.nl","phone', Habits())
    Named(tenant='default', identifiers=['email:jane@acme.nl'], at=1735689600000)
    """
    text = original.decode("utf-8", "replace")
    fields = {found[1]: _text(found[2]).strip() for found in reversed(list(_FIELD.finditer(text)))}
    tenant = tenant or fields.get("tenant") or DEFAULT_TENANT
    spellings = [habits.spelling(tenant), habits.spelling(tenant, fields.get("source", ""))]
    found: dict[str, None] = {}
    for kind, value in _pairs(text):
        for spelling in spellings:
            try:
                found[spelling.identified(kind, kind, value).identifier] = None
            except RefusedError:
                continue  # longer than any identifier
    for address in _ADDRESS.findall(text):
        if normal := email(address):
            found[f"email:{normal}"] = None
    found.pop("", None)
    return Named(tenant, list(found), _time(fields.get("occurred_at", "")))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for match in _NAMED.finditer(text):
        for value in _VALUES.findall(match[2]):
            yield match[1], _text(value)


def _text(token: str) -> str:
    """A JSON string or number as text."""
    if not token.startswith('"'):
        return token
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token.strip('"')


def _time(text: str) -> int:
    try:
        at = from_rfc3339(text.upper())
    except (ValueError, OverflowError):
        return 0
    return at if 0 <= at < _TOO_LATE else 0
