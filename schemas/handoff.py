"""Hand-offs to sales on `lead-handoffs` (JSON): who is ready for a conversation, why, and whom to call."""

from typing import Any

import msgspec

from schemas.events import SCHEMA_VERSION, CallFirst

STATES = ("open", "accepted", "working", "won", "lost", "rejected", "recycled", "expired", "withdrawn")


class Reason(msgspec.Struct):
    """Why the account is handed over."""

    code: str  # demo_requested, quote_requested, call_requested, group_ready
    text: str
    evidence: list[str]  # event ids


class HandoffMember(msgspec.Struct):
    """A member of the buying group."""

    contact: str
    name: str
    job_title: str
    roles: list[str]
    stage: str
    last_steps: list[str]
    reachable: bool
    email: str
    phone: str


class Earlier(msgspec.Struct):
    """A hand-off of the same account before this one."""

    handoff_id: str
    at: str
    outcome: str
    reason: str


class HandoffAccount(msgspec.Struct):
    """The account and what is known of the firm."""

    id: str
    name: str
    kind: str
    keys: list[str]
    stage: str
    journey_id: str
    industry: str
    employees: int | None
    country: str


class LeadHandoff(msgspec.Struct):
    """One message on `lead-handoffs`: `handoff_made`, `handoff_updated` or `handoff_withdrawn`.

    Of one `handoff_id` the highest `version` holds.
    """

    id: str
    type: str
    tenant: str
    subject: str  # the account id
    occurred_at: str
    emitted_at: str
    version: tuple[int, int, int]
    handoff_id: str  # <journey_id>.<attempt>
    attempt: int
    status: str  # of STATES
    account: HandoffAccount
    stage: str
    score: float
    reasons: list[Reason]
    call_first: CallFirst
    members: list[HandoffMember]
    contact_points: list[str]
    roles_missing: list[str]
    interests: list[str]
    orders: int
    revenue: str
    currency: str
    earlier_handoffs: list[Earlier]
    next_step: str
    assigned_to: str
    feedback_due: str
    definition_version: str
    caused_by: list[str] = []
    corrects: str | None = None
    retracted: bool = False
    schema_version: int = SCHEMA_VERSION
    silent_days: int | None = None  # the longest silence before it, where the account came back
    details: dict[str, Any] = {}
