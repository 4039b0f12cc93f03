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
| `role` | `<contact>/<role>` | `role_identified`, `role_lost` | `role`, `source`, `confidence` |
| `crossing` | `<n>/<type>/<topic>` | `paths_crossed` | `journey_id`, `type`, `topic`, `contacts` |
| `silence` | `<contact>/<last touch>/<level>` | `went_quiet`, `went_silent`, `revived` | `level` and more |
| `feedback` | `<n>/<attempt>` | `feedback_overdue` | `handoff_id`, `due` |
| `definition` | `<version>` | `definitions_changed` | `was`, `now` |
| `contact_change` | `<from>` | `contact_merged` | `from`, `into` |
| `contact_change` | `<from>/<into>` | `contact_split` | `from`, `into` |
| `account_change` | `<from>` | `account_merged` | `from`, `into`, `journeys`, `until` |
| `account_change` | `<from>/<into>` | `account_split` | `from`, `into`, `keys` |

`<n>` is the journey's number in the account; `was` and `now`, of a correction, are times or null;
`occurred_at` of an event with `retracted` is the time that no longer holds. A `silence` tells `last_touch`,
`expected_gap_days` and `p_active` beside its level; one that does not hold after all is `silence_corrected`.

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
    roles: list[str] = []


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
    reachable: bool | None = None  # the contact, else the account: somebody of it; None: nobody is meant


class RoleRow(msgspec.Struct, gc=False):
    """A role that a member has in the account."""

    role: str  # initiator, user, influencer, decider, buyer, gatekeeper
    source: str  # command, crm, title, behaviour
    confidence: float  # up to 1
    evidence: str  # in words
    since: str | None  # when it was first known, event time


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
    job_title: str = ""  # as told while here
    roles: list[RoleRow] = []  # strongest source first
    engagement: float = 0.0  # as of the account's `engagement_at`
    reachable: bool = False  # may be approached by e-mail or phone
    reach: str = ""  # why, or why not, in words
    status: str = "unknown"  # active, quiet, silent, unknown
    p_active: float | None = None  # when the status began: probability of a touch in the next 30 days
    steps: list[str] = []  # the last ones in words, the latest first


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
    moments: dict[str, str] = {}  # crucial moment -> when
    last_touch: str = ""


class CrossingRow(msgspec.Struct, gc=False):
    """A step that two or more members shared in one journey."""

    journey: int
    type: str
    topic: str
    at: str  # when the second of them took it
    contacts: list[str]  # all who took it, in order of their first time
    caused_by: list[str]


class SilenceRow(msgspec.Struct, gc=False):
    """One spell of a level of silence, of a contact or of the account (empty `contact_id`)."""

    contact_id: str
    level: str  # quiet, silent
    since: str  # the alarm time
    last_touch: str
    expected_gap_days: float  # longer than this is a silence of this level
    p_active: float  # at the alarm: probability of a touch in the next 30 days
    ended_at: str | None  # the next touch; None: it lasts


class CallFirst(msgspec.Struct, gc=False):
    """Whom to approach first; contact data only as consent allows."""

    contact: str  # contact id; empty: nobody who may be approached is known
    name: str
    phone: str
    email: str
    why: str


class HandoffRow(msgspec.Struct, gc=False):
    """A hand-off as it now stands."""

    handoff_id: str
    journey: int
    attempt: int
    at: str
    score: float
    reasons: list[str]  # in words
    call_first: CallFirst
    status: str  # open, accepted, working, won, lost, rejected, recycled, expired, withdrawn
    outcome: str = ""  # the last valid one; empty: none yet
    outcome_reason: str = ""
    outcome_code: str = ""
    outcome_at: str | None = None
    outcome_by: str = ""
    responded_at: str | None = None  # the first outcome
    value: str = ""  # a decimal; empty: none told
    currency: str = ""
    feedback_due: str | None = None
    caused_by: list[str] = []


class OrderRow(msgspec.Struct, gc=False):
    """One order as all its sources together tell it."""

    order: str  # namespace and id
    at: str
    value: str  # net; empty: none told
    currency: str
    returned: str  # net value of what came back
    cancelled: bool
    families: list[str]


class FactRow(msgspec.Struct, gc=False):
    """The fact that is used of an attribute of the account or of a member."""

    entity: str  # account id, contact id
    attribute: str
    value: str  # normalised; what is no text as JSON
    source: str
    observed_at: str
    confidence: float
    expires_at: str | None  # None: never


class ScorePart(msgspec.Struct, gc=False):
    """The points of one person on one day.

    Engagement is the sum of points × weight × 0.5 ** (age in days / 14).
    """

    day: str  # of the tenant's time zone, YYYY-MM-DD
    contact_id: str
    points: float  # at most 40
    weight: float  # of the person's highest role
    types: dict[str, int]  # touches of each type


class Question(msgspec.Struct, gc=False):
    """The missing fact that is worth most for the stage, and cheapest to ask."""

    attribute: str
    text: str
    why: str


class Action(msgspec.Struct, gc=False):
    """What to do next."""

    to: str  # contact id; empty: the account
    name: str
    channel: str
    message: str
    when: str
    why: str


class AccountProfile(msgspec.Struct):
    """The row of `v_accounts` as it is now, on the compacted topic `account-profiles`.

    `anew`: the members' identifiers of which all before a time is erased, with that time. Whoever hears of an
    erasure elsewhere, sooner or later, sees by it whether the profile names them as of before or after.
    """

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
    anew: dict[str, str] = {}
    roles_found: list[str] = []
    roles_missing: list[str] = []  # those that the stage asks for
    role_completeness: float = 0.0  # found ÷ required; 1 where none is required
    engagement: float = 0.0
    engagement_at: str | None = None  # as of this day
    half_life_days: float = 14  # in which it halves from then on
    score_parts: list[ScorePart] = []  # all of them, latest first: they add up to `engagement`
    status: str = "unknown"  # active, quiet, silent, unknown
    p_active: float | None = None
    silences: list[SilenceRow] = []  # of the account and its members, ascending
    crossings: list[CrossingRow] = []
    handoffs: list[HandoffRow] = []
    segments: dict[str, str] = {}  # kind -> segment
    orders: int = 0  # not cancelled
    revenue: str = "0"  # net, in `currency`, minus returns and cancellations
    currency: str = ""  # the reporting currency
    aov: float | None = None  # mean value of an order
    return_rate: float | None = None  # orders with a return ÷ orders
    order_list: list[OrderRow] = []  # ascending
    order_frequency: float | None = None  # a year, from the second order on
    unconverted: dict[str, str] = {}  # revenue in other currencies: kept and shown, never added
    product_families: list[str] = []
    owner: str = ""
    facts: list[FactRow] = []
    interests: list[str] = []  # topics, the most engaged first
    contact_points: list[str] = []  # role mailboxes
    next_question: Question | None = None
    next_best_action: Action | None = None


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


def headers(output: Output) -> Headers:
    """The Kafka headers of an output of JOURNEYS."""
    schema = {"JourneyEvent": "journey-event", "AccountProfile": "account-profile"}
    return cloud_events(output, "journeys", schema.get(type(output).__name__, "lead-handoff"))
