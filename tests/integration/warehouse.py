"""What the sink and an analyst do in the embedded ClickHouse."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import deadletter
from schemas.events import AccountProfile, AccountRef, JourneyEvent, Member
from schemas.identity import MapRow, Span
from schemas.internal import Asserted, Command, Evidence, Outcome, Touch
from schemas.keys import hasher
from schemas.privacy import PrivacyResult
from schemas.times import from_rfc3339
from schemas.topics import DEAD, EVENTS, EVIDENCE, MAP, PROFILES, RESULTS, VALID
from streams import clickhouse
from streams.core import Record
from streams.runner import Spent
from streams.settings import Settings
from streams.sink.insert import Server
from streams.sink.tables import Refused
from streams.sink.writer import Writer

pack = msgspec.msgpack.Encoder().encode
encode = msgspec.json.Encoder().encode
key_of = hasher(Settings().hash_key)


class Warehouse:
    """What the sink and an analyst do, for one tenant per test."""

    def __init__(self, dsn: str, tenant: str) -> None:
        self.dsn = dsn
        self.tenant = tenant
        self.writer = Writer(Settings(), Server(dsn), Spent())

    def feed(self, *records: Record) -> list[Refused]:
        return asyncio.run(self.writer.write(records))

    def ask(self, sql: str) -> list[dict[str, Any]]:
        return json.loads(clickhouse.query(self.dsn, sql, "json"))

    def rows(self, view: str, columns: str, order: str = "") -> list[tuple[Any, ...]]:
        sql = f"SELECT {columns} FROM {view} WHERE tenant = '{self.tenant}' ORDER BY {order or columns}"
        return [tuple(row.values()) for row in self.ask(sql)]

    def touch(self, event_id: str, identifier: str, at: str, **changes: Any) -> Record:
        strong = [identifier] if identifier.startswith(("email:", "contact_id:", "user_id:")) else []
        plain = {
            **dict.fromkeys(
                ("content", "commerce", "campaign", "contact", "organisation", "consent", "extra")
            ),
            **{"tenant": self.tenant, "source": "web", "type": "page_viewed", "type_name": "", "digest": 5},
            **{
                "account": "",
                "strong": strong,
                "weak": [],
                "actor": 0,
                "channel": "web",
                "rank": 3,
                "lines": [],
            },
        }
        fields = {name: {} if value is None else value for name, value in plain.items()} | changes
        value = Touch(event_id=event_id, identifier=identifier, occurred_at=from_rfc3339(at), **fields)
        return Record(VALID.name, 0, 0, 0, b"", pack(value))

    def mapped(self, identifier: str, *spans: Span, seq: int = 1, **accounts: str) -> Record:
        named = {f"domain:{name}.nl": account for name, account in accounts.items()}
        row = MapRow(self.tenant, identifier, (0, 1, seq), list(spans), named)
        return Record(MAP.name, 0, 0, 0, key_of(self.tenant, identifier), encode(row))

    def event(self, kind: str, key: str, at: str, seq: int, **changes: Any) -> Record:
        plain = {
            "id": f"{kind}-{key}-{seq}",
            "type": f"{kind}_told",
            "account": AccountRef("a1", ["domain:acme.nl"], "Acme", "purchase", "a1.1"),
            "definition_version": "1",
            "emitted_at": "2026-01-01T00:00:00Z",
        }
        fields = {"tenant": self.tenant, "subject": "a1", "kind": kind, "natural_key": key, "occurred_at": at}
        value = JourneyEvent(**plain | fields | changes, version=(0, 1, seq))
        return Record(EVENTS.name, 0, 0, 0, b"", encode(value))

    def profile(self, seq: int, members: Sequence[Member] = (), **changes: Any) -> Record:
        texts = ("id", "type", "occurred_at", "emitted_at", "crm_account_id", "industry", "country")
        plain = {
            **dict.fromkeys(texts, ""),
            **dict.fromkeys(("stage_since", "first_seen", "last_seen", "employees")),
            **{"subject": "a1", "kind": "organisation", "name": "Acme", "keys": ["domain:acme.nl"]},
            **{"stage": "awareness", "journey_id": "a1.1", "touches": 3, "dense": False, "gone": False},
        }
        fields = {
            "tenant": self.tenant,
            "version": (0, 1, seq),
            "members": list(members),
            "definition_version": "1",
        }
        return Record(PROFILES.name, 0, 0, 0, b"", encode(AccountProfile(**plain | fields | changes)))

    def said(self, event_id: str, assertion: str, a: str, b: str, at: str, by: str = "marleen") -> Record:
        value = Asserted(self.tenant, event_id, assertion, a, b, from_rfc3339(at), by)
        return Record(VALID.name, 0, 0, 0, b"", pack(value))

    def happened(self, event_id: str, outcome: str, at: str, *keys: str, **changes: Any) -> Record:
        plain = {"handoff": "", "reason": "why", "reason_code": "", "value": "", "currency": "", "by": "crm"}
        moment = from_rfc3339(at)
        value = Outcome(self.tenant, event_id, outcome, account=[*keys], at=moment, **plain | changes)
        return Record(VALID.name, 0, 0, 0, b"", pack(value))

    def ordered(self, event_id: str, command: str, at: str, *identifiers: str, **changes: Any) -> Record:
        plain = {
            "account": ["domain:acme.nl"],
            "by": "crm",
            **dict.fromkeys(("role", "owner", "scheme", "segment"), ""),
        }
        moment = from_rfc3339(at)
        value = Command(
            self.tenant, event_id, command, identifiers=[*identifiers], at=moment, **plain | changes
        )
        return Record(VALID.name, 0, 0, 0, b"", pack(value))

    def link(self, a: str, b: str, state: str, seq: int = 1, **changes: Any) -> Record:
        """How a link fared; state empty: it is erased."""
        plain = {"source": "crm", "rank": 1, "at": from_rfc3339("2025-01-01T00:00:00Z"), "reason": "why"}
        key = key_of(self.tenant, "link", a, b, str((plain | changes)["source"]))
        version = bytes(23) + bytes([seq])
        value = pack(Evidence(self.tenant, a, b, state=state, version=version, **plain | changes))
        return Record(EVIDENCE.name, 0, 0, 0, key, value if state else None)

    def answer(self, request_id: str, contacts: list[str], seq: int = 1, **changes: Any) -> Record:
        plain = {
            **{"id": "x", "type": "privacy_result", "tenant": self.tenant, "subject": request_id},
            **{"occurred_at": "2025-06-01T00:00:00Z", "emitted_at": "2026-01-01T00:00:00Z"},
            **{"request": "erase", "result": "done", "counts": {"identifiers": 2, "devices": 1}},
        }
        value = PrivacyResult(
            **plain | changes, version=(0, 1, seq), contact_ids=contacts, caused_by=[request_id]
        )
        return Record(RESULTS.name, 0, 0, 0, b"", encode(value))


def member(contact: str, name: str = "", until: str | None = None, touches: int = 1) -> Member:
    return Member(
        contact, name, [f"email:{contact}@acme.nl"], None, until, None, None, touches, "awareness", 0.5
    )


def letter(
    offset: int, original: bytes, generation: int = 1, topic: str = "touchpoints", at: int = 99
) -> Record:
    headers = deadletter.headers(
        reason="bad_time",
        field="occurred_at",
        error="no offset",
        topic=topic,
        partition=1,
        offset=offset,
        generation=generation,
        original=original,
    )
    return Record(DEAD.name, 0, at, 1_738_570_324_050, None, original, headers)
