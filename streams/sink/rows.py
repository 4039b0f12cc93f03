"""What records become in ClickHouse: rows per table. Pure: no I/O, no clock.

A row is a tuple in the order of the table's columns, ready for JSON: times and decimals as text (ClickHouse
reads a bare number as seconds or milliseconds, by setting, and quietly clamps what it gets wrong). A repeated
record gives an equal row, and the tables fold those. What is erased (`Erased`) becomes no row, or is left out
of one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.events import AccountProfile, JourneyEvent
from schemas.handoff import LeadHandoff
from schemas.identifiers import place
from schemas.identity import MapRow
from schemas.internal import (
    MACHINE,
    PERSON,
    US,
    Asserted,
    Command,
    Evidence,
    Outcome,
    Owner,
    Tick,
    Told,
    Touch,
)
from schemas.privacy import PrivacyResult
from schemas.times import from_rfc3339, rfc3339
from schemas.topics import DEAD, EVENTS, EVIDENCE, HANDOFFS, MAP, PROFILES, RESULTS, VALID
from streams.core import Record
from streams.ingest.values import Habits
from streams.sink import accounts
from streams.sink.erased import Erased, number, short
from streams.sink.letters import named
from streams.sink.tables import LINKS, Block, Plan, Refused, Row

_EVER: Final = rfc3339(0)  # before every touchpoint: none is older than the year 2000
_LATEST: Final = (1 << 63) - 1
_ACTORS: Final = {PERSON: "person", MACHINE: "machine", US: "us"}
ERASED: Final = "it told of a person who is erased"  # instead of what was wrong with it

_json = msgspec.json.Encoder().encode
_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick | Asserted | Outcome | Command).decode
_map = msgspec.json.Decoder(MapRow).decode
_event = msgspec.json.Decoder(JourneyEvent).decode
_profile = msgspec.json.Decoder(AccountProfile).decode
_handoff = msgspec.json.Decoder(LeadHandoff).decode
_evidence = msgspec.msgpack.Decoder(Evidence).decode
_result = msgspec.json.Decoder(PrivacyResult).decode


def plan(records: Iterable[Record], erased: Erased, habits: Habits | None = None) -> Plan:
    """Rows for the records of the topics that an analyst can ask about; other topics raise KeyError.

    A deleted row of a compacted topic and what nobody asks about on `touchpoints.valid` give none. Touches
    come first: `erased` learns of those that are erased, which nothing may name as a cause.
    `habits`: how identifiers in refused records are spelled.
    """
    planned, planner = Plan(), _Planner(erased, habits or Habits())
    links: defaultdict[int, Block] = defaultdict(Block)
    for record in sorted(records, key=lambda record: record.topic != VALID.name):
        if record.topic == EVIDENCE.name and not record.value:
            link = short(record.key or b"")
            links.pop(link, None)
            planned.tombstones.append(link)
            continue
        try:
            found = planner.row(record)
        except msgspec.DecodeError as error:
            planned.refused.append(Refused(record, "processing_error", f"sink: {error}"))
            continue
        if found is not None:
            table, row = found
            block = links[row[1]] if table == LINKS else planned.blocks[table]
            block.rows.append(row)
            block.records.append(record)
    for block in links.values():
        whole = planned.blocks[LINKS]
        whole.rows.extend(block.rows)
        whole.records.extend(block.records)
    return planned


def version_number(version: Sequence[int]) -> str:
    """(generation, epoch, seq) as one integer of 192 bits, as text, since JSON numbers end at 64 bits.

    >>> version_number((0, 1, 2)) == str(2**64 + 2)
    True
    """
    return str(number(version))


def _text(value: Any) -> str:
    """Text as it is, nothing as empty, a list of texts as words, all else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return _json(value).decode()


def _object(value: dict[str, Any]) -> str:
    return _json(value).decode() if value else ""


def _number(value: Any) -> str | None:
    return str(value) if value not in ("", None) else None


def _commerce(said: dict[str, Any]) -> tuple[str | None, ...]:
    get = said.get
    return (
        *(_text(get("order_namespace")), _text(get("order_id")), _number(get("value"))),
        *(_text(get("currency")), _text(get("return_reason")), _text(get("promotion"))),
    )


_NO_COMMERCE: Final = _commerce({})  # as most touches have


class _Planner:
    """Rows of single records, without what is erased; None: no row."""

    def __init__(self, erased: Erased, habits: Habits) -> None:
        self._erased = erased
        self._habits = habits
        self._of: dict[str, Callable[[Record], tuple[str, Row] | None]] = {
            VALID.name: self._accepted,
            MAP.name: self._mapped,
            EVENTS.name: self._journey_event,
            PROFILES.name: self._account,
            DEAD.name: self._dead_letter,
            EVIDENCE.name: self._link,
            RESULTS.name: _privacy_result,
            HANDOFFS.name: _handoff_message,
        }

    def row(self, record: Record) -> tuple[str, Row] | None:
        """The table and the row that the record becomes."""
        return self._of[record.topic](record)

    def _accepted(self, record: Record) -> tuple[str, Row] | None:
        match _valid(record.value or b""):
            case Touch() as touch:
                return self._touchpoint(touch)
            case Asserted() as said:
                return self._assertion(said)
            case Outcome() as said:
                return _outcome(said)
            case Command() as said:
                return self._command(said)
        return None

    def _touchpoint(self, touch: Touch) -> tuple[str, Row]:
        erased, tenant, at = self._erased, touch.tenant, touch.occurred_at
        key = erased.key(tenant, touch.identifier)
        event = erased.event(tenant, touch.source, touch.event_id)
        if erased.touch(key, at):
            cause = erased.cause(tenant, touch.event_id)
            erased.forget_touch(cause, key, at)
            return "erased_touchpoints", (tenant, event, cause, 0, key, at)
        strong, strong_keys = erased.allowed(tenant, touch.strong, at)
        weak, weak_keys = erased.allowed(tenant, touch.weak, at)
        content, campaign = touch.content.get, touch.campaign.get
        return "touchpoints", (
            tenant,
            touch.source,
            touch.event_id,
            touch.type,
            touch.type_name,
            rfc3339(at),
            touch.digest,
            touch.identifier,
            touch.account,
            strong,
            weak,
            _ACTORS[touch.actor],
            touch.rank,
            touch.channel,
            *(_text(content("url")), _text(content("title")), _text(content("topic"))),
            *(_text(content("search_terms")), _text(content("content_id"))),
            *(_commerce(touch.commerce) if touch.commerce else _NO_COMMERCE),
            [(n.sku, n.product_family, n.brand, _number(n.quantity), _number(n.value)) for n in touch.lines],
            *(campaign("campaign_id", ""), campaign("name", "")),
            *(campaign("medium", ""), campaign("source", "")),
            _object(touch.contact),
            _object(touch.organisation),
            touch.consent,
            _object(touch.extra),
            key,
            strong_keys,
            weak_keys,
            event,
            place(touch),
        )

    def _assertion(self, said: Asserted) -> tuple[str, Row]:
        a, b = (self._erased.key(said.tenant, name) for name in (said.a, said.b))
        return "assertions", (
            *(said.tenant, said.event_id, _LATEST - said.at, said.assertion),
            *(self._name(said.a, a, said.at), self._name(said.b, b, said.at), a, b),
            *(rfc3339(said.at), said.by),
        )

    def _command(self, said: Command) -> tuple[str, Row]:
        keys = self._erased.keys(said.tenant, said.identifiers)
        names = [self._name(name, key, said.at) for name, key in zip(said.identifiers, keys, strict=True)]
        return "account_commands", (
            *(said.tenant, said.event_id, _LATEST - said.at, said.command, said.account, names, keys),
            *(said.role, said.owner, said.scheme, said.segment, rfc3339(said.at), said.by),
        )

    def _name(self, identifier: str, key: int, at: int) -> str:
        return erased_name(key) if self._erased.touch(key, at) else identifier

    def _mapped(self, record: Record) -> tuple[str, Row] | None:
        """An erased identifier has a row again as soon as something later is known of it."""
        if not record.value:
            return None
        row = _map(record.value)
        key, version = self._erased.key(row.tenant, row.identifier), number(row.version)
        known = self._erased.find(key)
        if row.identifier.startswith("#") or (known is not None and version < known.version):
            return None
        return "identity_map", (
            row.tenant,
            row.identifier,
            str(version),
            [span.since or _EVER for span in row.spans],
            [span.contact_id or "" for span in row.spans],
            [span.account_id or "" for span in row.spans],
            row.accounts,
            key,
            [span.placed for span in row.spans],
            row.places,
        )

    def _journey_event(self, record: Record) -> tuple[str, Row]:
        event = _event(record.value or b"")
        account, contact, erased = event.account, event.contact, self._erased
        at = from_rfc3339(event.occurred_at)
        identifiers: list[str] = []
        keys: list[int] = []
        if contact is not None:
            identifiers, keys = erased.of_event(event.tenant, contact.identifiers, contact.id, at)
        caused_by, caused_keys = erased.causes(event.tenant, event.caused_by)
        return "journey_events", (
            event.tenant,
            event.subject,
            event.id,
            event.type,
            event.kind,
            event.natural_key,
            version_number(event.version),
            event.occurred_at,
            event.emitted_at,
            account.id,
            "" if erased.person(account.id, at) else account.name,
            account.keys,
            account.stage,
            account.journey_id,
            contact.id if contact else "",
            identifiers,
            caused_by,
            {name: _detail(value) for name, value in event.details.items()},
            event.corrects or "",
            event.retracted,
            event.definition_version,
            keys,
            caused_keys,
        )

    def _account(self, record: Record) -> tuple[str, Row] | None:
        if not record.value:
            return None
        profile = _profile(record.value)
        return "accounts", accounts.row(profile, self._erased)

    def _link(self, record: Record) -> tuple[str, Row] | None:
        link = _evidence(record.value or b"")
        a, b = (self._erased.key(link.tenant, name) for name in (link.a, link.b))
        if self._erased.touch(a, link.at) or self._erased.touch(b, link.at):
            return None
        version = str(int.from_bytes(link.version, "big"))
        return LINKS, (
            *(link.tenant, short(record.key or b""), version, link.a, link.b, a, b),
            *(link.source, link.rank, rfc3339(link.at), link.state, link.reason),
        )

    def _dead_letter(self, record: Record) -> tuple[str, Row]:
        """Without the headers that name the refused record, its own place does: nothing refused is lost."""
        told = {name: value.decode("utf-8", "replace") for name, value in record.headers}
        original, error = record.value or b"", told.get("error", "")
        tenant = told.get("tenant", "").strip()
        whom = named(original, self._habits, tenant)
        keys = self._erased.keys(whom.tenant, whom.identifiers)
        if any(self._erased.touch(key, whom.at) for key in keys):
            original, error, keys = b"", ERASED, []

        def count(name: str, otherwise: int) -> int:
            text = told.get(name, "")
            # A negative offset stands for an account.
            digits = text.removeprefix("-") if name == "offset" else text
            return int(text) if digits.isascii() and digits.isdigit() else otherwise

        return "dead_letters", (
            count("generation", 0),
            told.get("topic", record.topic),
            count("partition", record.partition),
            count("offset", record.offset),
            rfc3339(record.timestamp),
            told.get("reason", ""),
            told.get("field", ""),
            error,
            original,  # bytes become base64 in JSON
            count("size", len(record.value or b"")),
            keys,
            rfc3339(whom.at),
            tenant,
        )


def erased_name(key: int) -> str:
    """What stands for an identifier in a row that it is taken off."""
    return f"#{key:016x}"


def _detail(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else _json(value).decode()


def _outcome(said: Outcome) -> tuple[str, Row]:
    return "lead_outcomes", (
        *(said.tenant, said.event_id, _LATEST - said.at, said.outcome, said.handoff, said.account),
        *(said.reason, said.reason_code, _number(said.value), said.currency, rfc3339(said.at), said.by),
    )


def _privacy_result(record: Record) -> tuple[str, Row]:
    answer = _result(record.value or b"")
    return "privacy_results", (
        *(answer.tenant, answer.subject, version_number(answer.version), answer.request),
        *(answer.occurred_at, answer.result, answer.counts, answer.contact_ids, answer.emitted_at),
    )


def _handoff_message(record: Record) -> tuple[str, Row]:
    """Without names, addresses and ids of events, so that nobody who is erased stands in it."""
    told = _handoff(record.value or b"")
    return "handoff_messages", (
        *(told.tenant, told.subject, told.id, version_number(told.version), told.type, told.handoff_id),
        *(told.attempt, told.status, told.stage, told.score, [reason.code for reason in told.reasons]),
        *(len(told.members), told.roles_missing, told.interests, told.assigned_to, told.occurred_at),
        *(told.emitted_at, told.feedback_due, told.corrects or "", told.retracted, told.definition_version),
    )


# The topics that SINK reads.
INPUTS: Final = tuple(t.name for t in (VALID, MAP, EVIDENCE, EVENTS, PROFILES, HANDOFFS, DEAD, RESULTS))
