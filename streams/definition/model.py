"""The journey definition, typed: what `journeys.toml` says, each rule for the module that follows it.

A `Definition` is a value: it decides nothing and knows no file. `version` is a hash of everything in it.
"""

from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

import msgspec

ROLES = ("initiator", "user", "influencer", "decider", "buyer", "gatekeeper")
ClauseKind = Literal["first", "any", "repeated", "topics", "contacts", "after_order", "further_orders"]


class Clause(msgspec.Struct, frozen=True):
    """One way to enter a stage; all windows are closed (a touch exactly `days` later is within them).

    `first`: the first touch. `any`: one touch of `types`. `repeated`: `number` of `types` within `days`.
    `topics`: `number` different topics within `days`. `contacts`: `number` contacts, each in consideration or
    later, active within `days` of each other. `after_order`: a touch of `types` later than the first order.
    `further_orders`: `number` other orders within `days` of the first.
    """

    text: str  # the clause in words
    kind: ClauseKind
    types: tuple[str, ...] = ()
    number: int = 1
    days: int = 0


class StageRule(msgspec.Struct, frozen=True):
    """A stage: entered when any clause is complete. Their order is that of the journey."""

    name: str
    meaning: str
    clauses: tuple[Clause, ...]


class MomentRule(msgspec.Struct, frozen=True):
    """A crucial moment: the first touch of these types in a journey, or (`after_order`) after its order."""

    name: str
    meaning: str
    types: tuple[str, ...]
    after_order: bool = False


class JourneyRule(msgspec.Struct, frozen=True):
    """Where a journey ends and what counts."""

    gap_days: int
    no_life: tuple[str, ...]  # types that are counted in touches, and nowhere else
    orders: tuple[str, ...]
    after_sales: tuple[str, ...]


class TopicRule(msgspec.Struct, frozen=True):
    """Gives a touch without topic this one where all patterns given match (regular, any case)."""

    topic: str
    url: str = ""
    title: str = ""
    search: str = ""  # any of the search terms
    inspiration: bool = False


class RoleRules(msgspec.Struct, frozen=True):
    """Roles: their weight in the score, who is required when, what titles and behaviour say."""

    weights: dict[str, float]  # role -> weight; others have 1
    required: dict[str, tuple[tuple[str, ...], ...]]  # stage -> of each group one; the first named is missing
    titles: dict[str, tuple[str, ...]]  # role (or `none`) -> further titles, before those of the lexicon
    behaviour: dict[str, str]  # touchpoint type -> role
    confidence: dict[str, float]  # source (command, crm, title, behaviour) -> confidence


class ScoreRule(msgspec.Struct, frozen=True):
    """Engagement."""

    points: dict[str, float]  # touchpoint type -> points; others have 0
    most_a_day: float  # of one person
    half_life_days: int


class HandoffRule(msgspec.Struct, frozen=True):
    """When sales is told."""

    requests: tuple[str, ...]  # types that make a hand-off always
    stage: str  # else the account must be in this stage
    engagement: float  # and have this score
    feedback_days: int
    legitimate: tuple[str, ...]  # purposes (email, phone) that need not have been given


class SilenceRule(msgspec.Struct, frozen=True):
    """Levels of silence: P(alive) below which an alarm is raised."""

    quiet: float
    silent: float
    horizon_days: int  # P(active) is of a touch in so many days
    active_days: int  # fewer: unknown


class FactRule(msgspec.Struct, frozen=True):
    """An attribute: how long it holds, and what asking for it is worth."""

    attribute: str
    entity: Literal["contact", "account"]
    shelf_days: int | None  # None: for ever
    value: float = 0.0  # of knowing it
    cost: float = 1.0  # of asking
    stages: tuple[str, ...] = ()  # where it matters; empty: everywhere
    question: str = ""  # as one would ask it; empty: never asked


class ActionRule(msgspec.Struct, frozen=True):
    """A next best action: the first rule that fits counts. Empty conditions always fit."""

    name: str
    stages: tuple[str, ...]
    missing: tuple[str, ...]  # one of these roles is missing
    statuses: tuple[str, ...]  # active, quiet, silent, unknown
    topics: tuple[str, ...]  # one of the interests
    to: str  # a role, or `call_first`, `last_active`, `account`
    channels: tuple[str, ...]  # the first that consent allows
    message: str
    within_days: int
    why: str


class OrderRule(msgspec.Struct, frozen=True):
    """Trade: the reporting currency and what others are worth in it."""

    currency: str
    rates: dict[str, float]  # currency -> its worth in the reporting currency
    customer_months: int
    active_months: int


class Definition(msgspec.Struct, frozen=True, dict=True):
    """All rules."""

    journey: JourneyRule
    stages: tuple[StageRule, ...]
    moments: tuple[MomentRule, ...]
    topics: tuple[TopicRule, ...]
    crossings_ignore: tuple[str, ...]  # types or topics
    roles: RoleRules
    score: ScoreRule
    handoff: HandoffRule
    silence: SilenceRule
    facts: tuple[FactRule, ...]
    actions: tuple[ActionRule, ...]
    orders: OrderRule
    zones: dict[str, str]  # tenant -> time zone of its days; others have UTC
    segments: dict[str, Any]  # as it stands in the file

    @cached_property
    def version(self) -> str:
        """A hash of all rules."""
        return blake2b(msgspec.msgpack.Encoder(order="sorted").encode(self), digest_size=6).hexdigest()
