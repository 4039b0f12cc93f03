"""Hand-offs to sales on `lead-handoffs` (JSON): who is ready for a conversation, why, and whom to call."""

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

    contact: str  # contact id
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
    feedback_due: str | None
    definition_version: str
    stage: str = ""
    score: float = 0.0  # engagement when it was made
    reasons: list[Reason] = []
    call_first: CallFirst | None = None
    members: list[HandoffMember] = []  # the most engaged first
    contact_points: list[str] = []  # role mailboxes
    roles_missing: list[str] = []
    interests: list[str] = []  # topics
    orders: int = 0
    revenue: str = "0"
    currency: str = ""
    earlier_handoffs: list[Earlier] = []
    next_step: str = ""
    assigned_to: str = ""
    caused_by: list[str] = []
    corrects: str | None = None
    retracted: bool = False
    schema_version: int = SCHEMA_VERSION
