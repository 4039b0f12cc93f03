"""What is held of one account, as `show` and `explain` read it: the last row of `account-profiles`. Pure."""

import msgspec

from schemas.events import (
    Action,
    CrossingRow,
    HandoffRow,
    JourneyRow,
    Member,
    Question,
    ScorePart,
    SilenceRow,
)


class Journey(JourneyRow):
    """A journey of the account."""

    last_touch: str | None = None  # type: ignore[assignment]  # of rows of an older version it is not known


class Crossing(CrossingRow):
    """A step that members shared; the events are not kept with it."""

    caused_by: list[str] = msgspec.field(default_factory=list)


class Handoff(HandoffRow):
    """A hand-off of the account."""

    value: str | None = None  # type: ignore[assignment]


class Dossier(msgspec.Struct):
    """An account with its buying group, as it now holds: the row that `account-profiles` told last."""

    tenant: str
    account_id: str
    kind: str
    name: str
    keys: list[str]
    stage: str
    stage_since: str | None
    journey_id: str
    members: list[Member]
    touches: int
    first_seen: str | None
    last_seen: str | None
    industry: str
    employees: int | None
    country: str
    journeys: list[Journey]
    roles_found: list[str]
    roles_missing: list[str]
    engagement: float
    engagement_at: str | None
    half_life_days: float
    score_parts: list[ScorePart]
    status: str
    silences: list[SilenceRow]
    crossings: list[Crossing]
    handoffs: list[Handoff]
    orders: int
    revenue: str
    currency: str
    owner: str
    interests: list[str]
    contact_points: list[str]
    next_question: Question
    next_best_action: Action

    def name_of(self, contact: str) -> str:
        """How to speak of a contact; empty is the firm itself."""
        if not contact:
            return "the firm itself"
        return next((m.name for m in self.members if m.contact_id == contact and m.name), contact)


class Touch(msgspec.Struct):
    """A touch of the account."""

    at: str
    contact_id: str  # empty: the firm itself
    type: str
    topic: str
    event_id: str
