"""What the sink and an analyst do in the embedded ClickHouse."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from schemas import deadletter
from schemas.events import (
    AccountProfile,
    AccountRef,
    Action,
    CallFirst,
    CrossingRow,
    FactRow,
    HandoffRow,
    JourneyEvent,
    Member,
    OrderRow,
    Question,
    RoleRow,
    ScorePart,
    SilenceRow,
)
from schemas.handoff import HandoffAccount, HandoffMember, LeadHandoff, Reason
from schemas.identity import MapRow, Span
from schemas.internal import Asserted, Command, Evidence, Outcome, Touch
from schemas.keys import hasher
from schemas.privacy import PrivacyResult
from schemas.times import from_rfc3339
from schemas.topics import DEAD, EVENTS, EVIDENCE, HANDOFFS, MAP, PROFILES, RESULTS, VALID
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

    def handed(self, seq: int, **changes: Any) -> Record:
        """A message to sales."""
        members = [
            HandoffMember("cj", "Jane Doe", "buyer", ["buyer"], "", ["x"], True, "jane.doe@acme.nl", "")
        ]
        plain = {
            **{
                "id": f"h{seq}",
                "type": "handoff_made",
                "subject": "a1",
                "occurred_at": "2025-01-01T00:00:00Z",
            },
            **{"emitted_at": "2026-01-01T00:00:00Z", "handoff_id": "a1.1.1", "attempt": 1, "status": "open"},
            **{"feedback_due": None, "definition_version": "1", "stage": "evaluation", "score": 42.5},
            "account": HandoffAccount("a1", "Acme", "organisation", [], "evaluation", "a1.1", "", None, ""),
            "reasons": [Reason("quote_requested", "Jane Doe asked", ["e1"]), Reason("group_ready", "", [])],
            "call_first": CallFirst("cj", "Jane Doe", "", "jane.doe@acme.nl", "Jane Doe asked"),
            **{"members": members, "roles_missing": ["decider"], "interests": ["pumps"]},
            **{"assigned_to": "marleen", "next_step": "call Jane Doe", "caused_by": ["e1"]},
        }
        value = LeadHandoff(tenant=self.tenant, version=(0, 1, seq), **plain | changes)
        return Record(HANDOFFS.name, 0, 0, 0, b"", encode(value))

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


def group() -> dict[str, Any]:
    """What a profile tells of its buying group beside its members: one of everything."""
    return {
        "roles_found": ["user"],
        "roles_missing": ["buyer", "decider"],
        "role_completeness": 0.3333,
        "engagement": 80.0,
        "engagement_at": "2025-03-10T00:00:00Z",
        "half_life_days": 7,
        "score_parts": [ScorePart("2025-03-10", "c1", 40.0, 1.5, {"order_placed": 1, "app_used": 5})],
        "status": "quiet",
        "p_active": 0.25,
        "silences": [
            SilenceRow("", "quiet", "2025-04-01T00:00:00Z", "2025-03-10T08:00:00Z", 21.5, 0.25, None),
            SilenceRow(
                *("c1", "silent", "2025-02-01T00:00:00Z", "2025-01-01T08:00:00Z", 28.0, 0.05),
                "2025-03-01T00:00:00Z",
            ),
        ],
        "crossings": [
            CrossingRow(2, "page_viewed", "pumps", "2025-03-02T00:00:00Z", ["c1", "c2"], ["e1", "e2"])
        ],
        "handoffs": [
            HandoffRow(
                *("a1.2.1", 2, 1, "2025-03-02T00:00:00Z", 55.5, ["Jane Doe asked for a quote"]),
                CallFirst("c1", "Jane Doe", "+31611112222", "jane.doe@acme.nl", "Jane Doe asked for a quote"),
                "won",
                outcome="won",
                outcome_reason="cheap",
                outcome_code="other",
                outcome_at="2025-03-09T00:00:00Z",
                outcome_by="crm",
                responded_at="2025-03-03T06:30:00Z",
                value="1250.5",
                currency="EUR",
                feedback_due="2025-03-09T00:00:00Z",
                caused_by=["e1"],
            ),
            HandoffRow(
                *("a1.2.2", 2, 2, "2025-03-10T00:00:00Z", 0.0, []),
                CallFirst("", "", "", "", ""),
                "withdrawn",
            ),
        ],
        "segments": {"scheme": "gold"},
        "orders": 2,
        "revenue": "4400",
        "currency": "EUR",
        "aov": 2306.38,
        "return_rate": 0.5,
        "order_list": [
            OrderRow("default:7", "2025-03-05T00:00:00Z", "4612.75", "EUR", "212.75", False, ["pumps"]),
            OrderRow("default:8", "2025-03-06T00:00:00Z", "", "", "", True, []),
        ],
        "order_frequency": 4.5,
        "unconverted": {"USD": "100.5"},
        "product_families": ["pumps"],
        "owner": "marleen",
        "facts": [
            FactRow("a1", "employees", "34", "crm", "2025-01-01T00:00:00Z", 0.9, None),
            FactRow("c1", "name", "Jane Doe", "web", "2025-01-02T00:00:00Z", 0.7, "2025-02-01T00:00:00Z"),
            FactRow("c1", "language", "nl", "web", "2025-01-02T00:00:00Z", 0.7, "2199-02-01T00:00:00Z"),
        ],
        "interests": ["pumps", "valves"],
        "contact_points": ["email:info@acme.nl"],
        "next_question": Question("budget", "What may it cost?", "evaluation asks for it"),
        "next_best_action": Action("c1", "Jane Doe", "phone", "Call Jane Doe", "today", "she asked"),
    }


def involved(one: Member, who: str = "Jane Doe") -> Member:
    """The member with a role, a title, a score and steps; all its texts tell of `who`."""
    return msgspec.structs.replace(
        one,
        job_title=f"Head of {who}",
        roles=[
            RoleRow("decider", "crm", 0.9, f"{who} decides", None),
            RoleRow("user", "behaviour", 0.5, "how-to", "2025-01-01T00:00:00Z"),
        ],
        engagement=40.0,
        reachable=True,
        reach=f"{who} gave consent",
        status="active",
        p_active=0.75,
        steps=[f"order placed, {who} (2025-03-10)"],
    )
