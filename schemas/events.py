"""Public outputs of JOURNEYS: journey events and account profiles (JSON on their topics).

| kind | natural key | types | details |
|---|---|---|---|
| `journey` | `<n>` | `journey_opened` | `journey_id` |
| `journey_end` | `<n>` | `journey_closed` | `journey_id`, `closed_by` |
| `stage` | `<n>/<stage>` | `stage_entered`, `stage_corrected` | `journey_id`, `stage` (and `was`, `now`) |
| `moment` | `<n>/<moment>` | `crucial_moment` | `journey_id`, `moment` |
| `member` | `<contact>/<period>` | `contact_identified`, `contact_joined` | |
| `member_end` | `<contact>/<period>` | `contact_left` | |
| `champion` | `<contact>/<period>` | `champion_moved` | `from_account` |
| `contact_change` | `<from>` | `contact_merged` | `from`, `into` |
| `contact_change` | `<from>/<into>` | `contact_split` | `from`, `into` |
| `account_change` | `<from>` | `account_merged` | `from`, `into`, `journeys`, `until` |
| `account_change` | `<from>/<into>` | `account_split` | `from`, `into`, `keys` |

`<n>` is the journey's number in the account; `was` and `now`, of a correction, are times or null;
`occurred_at` of an event with `retracted` is the time that no longer holds.

The last two kinds tell how what had been told before is to be read from now on, so they depend on what had
been told. A merge of accounts is told by the account that remains, a split by the account that the `keys`
left. They occur at the clock. What an account `from` told and the account `into` finds true as well, `into`
does not tell again: it counts as told by `into`. `journeys` says which journey is which, former id -> new id.
"""

from typing import Any, Protocol

import msgspec

SCHEMA_VERSION = 1


class AccountRef(msgspec.Struct, frozen=True):
    """The account an event is about, as it was when the event was made.

    `journey_id` is the journey that the event is about; where it is about none (members), the current one.
    """

    id: str
    keys: list[str]  # kind:value
    name: str
    stage: str  # the account's stage; empty: none yet
    journey_id: str  # empty: none yet


class ContactRef(msgspec.Struct, frozen=True):
    """The contact an event is about, where one is meant; identifiers as consent allows."""

    id: str
    identifiers: list[str]


class JourneyEvent(msgspec.Struct, omit_defaults=True):
    """One event on `journey-events`.

    Outputs fold: of one (tenant, subject, kind, natural_key) the highest `version` holds, and nothing
    holds when it is `retracted`. `id` is a hash of (tenant, subject, kind, natural key, value, id it
    corrects), so a repeated event carries the same id.
    """

    id: str
    type: str
    tenant: str
    subject: str
    kind: str  # what is told of the subject: journey, journey_end, stage, moment, member, …
    natural_key: str  # which one of the kind, e.g. journey number and stage
    occurred_at: str
    emitted_at: str
    version: tuple[int, int, int]
    account: AccountRef
    definition_version: str
    caused_by: list[str] = []
    contact: ContactRef | None = None
    details: dict[str, Any] = {}
    corrects: str | None = None
    retracted: bool = False
    schema_version: int = SCHEMA_VERSION


class Member(msgspec.Struct, gc=False):
    """A contact in the account for one period of employment (times RFC 3339; None: open)."""

    contact_id: str
    name: str
    identifiers: list[str]
    valid_from: str | None
    valid_to: str | None
    first_touch: str | None
    last_touch: str | None
    touches: int
    stage: str  # empty: none yet
    lag_days: float | None  # first touch after the account's first member
    consent: dict[str, bool] = {}  # purpose -> given; one identifier that refused is a refusal


class StageEntered(msgspec.Struct, gc=False):
    """A stage of a journey, as it now holds."""

    stage: str
    entered_at: str
    caused_by: list[str]
    corrected: bool  # it was first told otherwise


class JourneyRow(msgspec.Struct, gc=False):
    """A journey of the account, as it now holds."""

    number: int  # in event time, from 1
    opened_at: str
    closed_at: str | None
    closed_by: str  # gap, won, lost or command; empty: open
    stages: list[StageEntered]  # in the order of the stages


class AccountProfile(msgspec.Struct):
    """The row of `v_accounts` as it is now, on the compacted topic `account-profiles`."""

    id: str
    type: str  # account_profile
    tenant: str
    subject: str  # the account id
    occurred_at: str
    emitted_at: str
    version: tuple[int, int, int]
    kind: str  # organisation, person
    name: str
    keys: list[str]
    crm_account_id: str
    stage: str  # empty: none yet
    stage_since: str | None
    journey_id: str
    members: list[Member]
    touches: int
    first_seen: str | None
    last_seen: str | None
    industry: str
    employees: int | None
    country: str
    dense: bool
    gone: bool  # nothing belongs to this account any more
    definition_version: str
    schema_version: int = SCHEMA_VERSION
    journeys: list[JourneyRow] = []  # in event time


Headers = tuple[tuple[str, bytes], ...]


class Output(Protocol):
    """What every output has, whoever makes it."""

    id: str
    type: str
    tenant: str
    subject: str
    occurred_at: str
    schema_version: int


def cloud_events(output: Output, step: str, schema: str) -> Headers:
    """The Kafka headers of an output: CloudEvents 1.0, binary mode."""
    return (
        ("ce_id", output.id.encode()),
        ("ce_source", f"/dmu-journeys/{step}".encode()),
        ("ce_specversion", b"1.0"),
        ("ce_type", output.type.encode()),
        ("ce_time", output.occurred_at.encode()),
        ("ce_subject", output.subject.encode()),
        ("ce_tenant", output.tenant.encode()),
        ("ce_dataschema", f"urn:dmu-journeys:{schema}:{output.schema_version}".encode()),
    )


def headers(event: JourneyEvent | AccountProfile) -> Headers:
    """The Kafka headers of an output of JOURNEYS."""
    schema = "account-profile" if isinstance(event, AccountProfile) else "journey-event"
    return cloud_events(event, "journeys", schema)
