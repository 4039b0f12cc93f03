"""What records become in ClickHouse: rows per table. Pure: no I/O, no clock.

A row is a tuple in the order of the table's columns, ready for JSON: times and decimals as text (ClickHouse
reads a bare number as seconds or milliseconds, by setting, and quietly clamps what it gets wrong). A repeated
record gives an equal row, and the tables fold those.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.events import AccountProfile, JourneyEvent
from schemas.identity import MapRow
from schemas.internal import MACHINE, PERSON, US, Owner, Tick, Told, Touch
from schemas.times import rfc3339
from schemas.topics import DEAD, EVENTS, MAP, PROFILES, VALID
from streams.core import Record

Row = tuple[Any, ...]

# Columns that a row fills, in its order.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "touchpoints": (
        *(
            "tenant",
            "source",
            "event_id",
            "type",
            "type_name",
            "occurred_at",
            "digest",
            "identifier",
            "account",
        ),
        *(
            "strong",
            "weak",
            "actor",
            "rank",
            "channel",
            "url",
            "title",
            "topic",
            "search_terms",
            "content_id",
        ),
        *("order_namespace", "order_id", "order_value", "currency", "return_reason", "promotion", "lines"),
        *("campaign_id", "campaign_name", "campaign_medium", "campaign_source"),
        *("contact_facts", "organisation_facts", "consent", "extra"),
    ),
    "identity_map": (
        *("tenant", "identifier", "version", "span_from", "span_contact", "span_account", "accounts"),
    ),
    "journey_events": (
        *("tenant", "subject", "id", "type", "kind", "natural_key", "version", "occurred_at", "emitted_at"),
        *("account_id", "account_name", "account_keys", "stage", "journey_id"),
        *("contact_id", "contact_identifiers", "caused_by", "details", "corrects", "retracted"),
        "definition_version",
    ),
    "accounts": (
        *(
            "tenant",
            "account_id",
            "version",
            "kind",
            "name",
            "keys",
            "crm_account_id",
            "stage",
            "stage_since",
        ),
        *("journey_id", "members", "touches", "first_seen", "last_seen", "industry", "employees", "country"),
        *("dense", "gone", "definition_version"),
    ),
    "dead_letters": (
        *("generation", "topic", "partition", "offset", "at", "reason", "field", "error", "original_base64"),
        "size",
    ),
}

_EVER: Final = rfc3339(0)  # before every touchpoint: none is older than the year 2000
_ACTORS: Final = {PERSON: "person", MACHINE: "machine", US: "us"}

_json = msgspec.json.Encoder().encode
_valid = msgspec.msgpack.Decoder(Touch | Owner | Told | Tick).decode
_map = msgspec.json.Decoder(MapRow).decode
_event = msgspec.json.Decoder(JourneyEvent).decode
_profile = msgspec.json.Decoder(AccountProfile).decode


@dataclass(frozen=True)
class Refused:
    """A record that cannot be kept; `reason` is one of schemas.deadletter.REASONS."""

    record: Record
    reason: str
    error: str


@dataclass(frozen=True)
class Block:
    """Rows for one table, each beside the record it came from."""

    rows: list[Row] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def __getitem__(self, part: slice) -> "Block":
        """Some of its rows."""
        return Block(self.rows[part], self.records[part])


@dataclass(frozen=True)
class Plan:
    """What to insert, per table, and what cannot be read."""

    blocks: dict[str, Block] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


def plan(records: Iterable[Record]) -> Plan:
    """Rows for the records of the topics that an analyst can ask about; other topics raise KeyError.

    A deleted row of a compacted topic and what is no touchpoint on `touchpoints.valid` give none.
    """
    planned = Plan()
    for record in records:
        table, row_of = _TOPICS[record.topic]
        try:
            row = row_of(record)
        except msgspec.DecodeError as error:
            planned.refused.append(Refused(record, "processing_error", f"sink: {error}"))
            continue
        if row is not None:
            block = planned.blocks.setdefault(table, Block())
            block.rows.append(row)
            block.records.append(record)
    return planned


def version_number(version: Sequence[int]) -> str:
    """(generation, epoch, seq) as one integer of 192 bits, as text, since JSON numbers end at 64 bits.

    >>> version_number((0, 1, 2)) == str(2**64 + 2)
    True
    """
    generation, epoch, seq = version
    return str(generation << 128 | epoch << 64 | seq)


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


def _touchpoint(record: Record) -> Row | None:
    touch = _valid(record.value or b"")
    if type(touch) is not Touch:
        return None
    content, commerce, campaign = touch.content.get, touch.commerce.get, touch.campaign.get
    return (
        touch.tenant,
        touch.source,
        touch.event_id,
        touch.type,
        touch.type_name,
        rfc3339(touch.occurred_at),
        touch.digest,
        touch.identifier,
        touch.account,
        touch.strong,
        touch.weak,
        _ACTORS[touch.actor],
        touch.rank,
        touch.channel,
        _text(content("url")),
        _text(content("title")),
        _text(content("topic")),
        _text(content("search_terms")),
        _text(content("content_id")),
        _text(commerce("order_namespace")),
        _text(commerce("order_id")),
        _number(commerce("value")),
        _text(commerce("currency")),
        _text(commerce("return_reason")),
        _text(commerce("promotion")),
        [(n.sku, n.product_family, n.brand, _number(n.quantity), _number(n.value)) for n in touch.lines],
        campaign("campaign_id", ""),
        campaign("name", ""),
        campaign("medium", ""),
        campaign("source", ""),
        _object(touch.contact),
        _object(touch.organisation),
        touch.consent,
        _object(touch.extra),
    )


def _mapped(record: Record) -> Row | None:
    if not record.value:
        return None
    row = _map(record.value)
    return (
        row.tenant,
        row.identifier,
        version_number(row.version),
        [span.since or _EVER for span in row.spans],
        [span.contact_id or "" for span in row.spans],
        [span.account_id or "" for span in row.spans],
        row.accounts,
    )


def _journey_event(record: Record) -> Row:
    event = _event(record.value or b"")
    account, contact = event.account, event.contact
    return (
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
        account.name,
        account.keys,
        account.stage,
        account.journey_id,
        contact.id if contact else "",
        contact.identifiers if contact else [],
        event.caused_by,
        {name: value if isinstance(value, str) else _detail(value) for name, value in event.details.items()},
        event.corrects or "",
        event.retracted,
        event.definition_version,
    )


def _detail(value: Any) -> str:
    return "" if value is None else _json(value).decode()


def _account(record: Record) -> Row | None:
    if not record.value:
        return None
    profile = _profile(record.value)
    return (
        profile.tenant,
        profile.subject,
        version_number(profile.version),
        profile.kind,
        profile.name,
        profile.keys,
        profile.crm_account_id,
        profile.stage,
        profile.stage_since,
        profile.journey_id,
        [
            (
                *(m.contact_id, m.name, m.identifiers, m.valid_from, m.valid_to, m.first_touch, m.last_touch),
                *(m.touches, m.stage, m.lag_days),
            )
            for m in profile.members
        ],
        profile.touches,
        profile.first_seen,
        profile.last_seen,
        profile.industry,
        profile.employees,
        profile.country,
        profile.dense,
        profile.gone,
        profile.definition_version,
    )


def _dead_letter(record: Record) -> Row:
    """Without the headers that name the refused record, its own place does: nothing refused is lost."""
    told = {name: value.decode("utf-8", "replace") for name, value in record.headers}
    original = record.value or b""

    def number(name: str, otherwise: int) -> int:
        text = told.get(name, "")
        digits = text.removeprefix("-") if name == "offset" else text  # a negative one stands for an account
        return int(text) if digits.isascii() and digits.isdigit() else otherwise

    return (
        number("generation", 0),
        told.get("topic", record.topic),
        number("partition", record.partition),
        number("offset", record.offset),
        rfc3339(record.timestamp),
        told.get("reason", ""),
        told.get("field", ""),
        told.get("error", ""),
        original,  # bytes become base64 in JSON
        number("size", len(original)),
    )


_TOPICS: Final[dict[str, tuple[str, Callable[[Record], Row | None]]]] = {
    VALID.name: ("touchpoints", _touchpoint),
    MAP.name: ("identity_map", _mapped),
    EVENTS.name: ("journey_events", _journey_event),
    PROFILES.name: ("accounts", _account),
    DEAD.name: ("dead_letters", _dead_letter),
}
INPUTS: Final = tuple(_TOPICS)  # the topics that SINK reads
