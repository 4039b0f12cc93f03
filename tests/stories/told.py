"""How a story is told: lines of input, and what a sensible person says of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.times import DAY_MS, from_rfc3339, rfc3339

Line = dict[str, Any]
Touches = dict[str, tuple[frozenset[str], frozenset[str] | str]]  # event id -> contact, account

BEGIN_MS = from_rfc3339("2025-01-01T09:00:00Z")
NOBODY = "nobody"
PERSON = "person"  # an account of kind person

_PERSON_KINDS = ("contact_id", "user_id", "email", "phone", "anonymous_id", "device_id")
_ACCOUNT_KINDS = ("account_id", "customer_number", "vat_number", "domain")


def day(number: float) -> str:
    """The time so many days after the story's begin."""
    return rfc3339(BEGIN_MS + round(number * DAY_MS))


def touch(event_id: str, on: float, type: str = "page_viewed", source: str = "web", **more: Any) -> Line:
    """A touchpoint on day `on`; identifiers and account keys by their names, other fields as they are.

    The domain of the account is `domain`, its name `firm`.
    """
    line: Line = {"event_id": event_id, "type": type, "occurred_at": day(on), "source": source}
    person = {kind: more.pop(kind) for kind in _PERSON_KINDS if kind in more}
    firm = {kind: more.pop(kind) for kind in _ACCOUNT_KINDS if kind in more}
    if "firm" in more:
        firm["name"] = more.pop("firm")
    if person:
        line["identifiers"] = person
    if firm:
        line["account"] = firm
    return line | more


def record(event_id: str, on: float, **more: Any) -> Line:
    """What the CRM says of a person or a firm: facts, no touch."""
    return touch(event_id, on, **({"type": "profile_updated", "source": "crm"} | more))


def people(event_id: str, on: float, assertion: str, a: str, b: str, by: str = "steward") -> Line:
    """What a person says of a pair, each named `kind:value`."""
    named = [dict([name.split(":", 1)]) for name in (a, b)]
    message = {
        "event_id": event_id,
        "occurred_at": day(on),
        "assertion": assertion,
        "a": named[0],
        "b": named[1],
        "by": by,
    }
    return {"topic": "identity-assertions", "message": message}


def erase(event_id: str, on: float, identifier: str) -> Line:
    """A privacy request."""
    message = {
        "event_id": event_id,
        "occurred_at": day(on),
        "request": "erase",
        "identifiers": dict([identifier.split(":", 1)]),
    }
    return {"topic": "privacy-requests", "message": message}


@dataclass(frozen=True)
class Story:
    """`contacts` and `accounts` are complete: all strong identifiers, all account keys of organisations.

    `touches`: event id -> (who, where): an identifier of the contact or NOBODY; an account key, PERSON or
    NOBODY. Where `all_touches` the touches named are all there are (facts are none).
    `devices`: weak identifier -> identifiers of the contacts that own it at some time.
    `erased`: text that must be nowhere afterwards.
    """

    name: str
    lines: list[Line]
    contacts: list[set[str]]
    touches: dict[str, tuple[str, str]] = field(default_factory=dict)
    accounts: list[set[str]] | None = None
    devices: Mapping[str, set[str]] = field(default_factory=dict)
    erased: tuple[str, ...] = ()
    last: tuple[Line, ...] = ()  # come after all others in every order: requests of privacy

    def told(self, tenant: str, lines: list[Line]) -> list[bytes]:
        """The lines as JSON, of this tenant."""
        return [json.dumps(_of(tenant, line)).encode() for line in lines]


def _of(tenant: str, line: Line) -> Line:
    if "message" in line:
        return {"topic": line["topic"], "message": {**line["message"], "tenant": tenant}}
    return {**line, "tenant": tenant}


@dataclass
class Answer:
    """What was found of a story, in its own words: ids are replaced by what they stand for."""

    contacts: list[set[str]]
    accounts: list[set[str]]
    touches: Touches
    devices: dict[str, set[str]]


def problems(story: Story, found: Answer) -> list[str]:
    """In what the answer differs from the story; empty: in nothing."""
    wrong = []
    for what, want, got in (
        ("contacts", story.contacts, found.contacts),
        ("accounts", story.accounts, found.accounts),
    ):
        if want is not None and sorted(map(sorted, want)) != sorted(map(sorted, got)):
            wrong.append(f"{story.name}: {what}: expected {want}, found {got}")
    if story.touches.keys() != found.touches.keys():
        wrong.append(
            f"{story.name}: touches: expected {sorted(story.touches)}, found {sorted(found.touches)}"
        )
    for event, (who, where) in story.touches.items():
        if event not in found.touches:
            continue
        contact, account = found.touches[event]
        if who not in contact and not (who == NOBODY and not contact):
            wrong.append(f"{story.name}: {event} is of {set(contact) or NOBODY}, expected {who}")
        same = (
            account == where
            if isinstance(account, str)
            else where in account or (where == NOBODY and not account)
        )
        if not same:
            wrong.append(f"{story.name}: {event} is in {account or NOBODY}, expected {where}")
    for device, owners in story.devices.items():
        if found.devices.get(device, set()) & owners != owners:
            wrong.append(f"{story.name}: {device} is of {found.devices.get(device)}, expected {owners}")
    return wrong
