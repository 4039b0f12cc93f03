"""The journey definition, typed: what `journeys.toml` says, each rule for the module that follows it.

A `Definition` is a value: it decides nothing and knows no file. `version` is a hash of everything in it.
The annotations say what a value may be; `streams.definition.load` checks a file against them.
"""

from functools import cached_property
from hashlib import blake2b
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

ROLES = ("initiator", "user", "influencer", "decider", "buyer", "gatekeeper")
SOURCES = ("command", "crm", "title", "behaviour")  # of roles, strongest first
STATUSES = ("active", "quiet", "silent", "unknown")
HANDOFFS = ("open", "accepted", "working")  # states of a hand-off that is not over
CHANNELS = ("email", "phone", "web", "post", "meeting")
GROUPS = ("orders", "after_sales")  # what `[journey]` calls so, in the types of clauses and moments
FILLED = ("topic", "role", "name")  # what a message can have in braces
NO_ROLE = "none"
FOR_EVER = "for ever"  # how a file says that a fact does not expire
NAME = r"^[a-z][a-z0-9_]*$"  # it stands in ids and columns
CURRENCY = r"^[A-Z]{3}$"
MOST = 36_500  # days: a century


def _one_of(names: str) -> Meta:
    """A text that must be known: one of those that the loader calls so."""
    return Meta(extra={"one_of": names})


Name = Annotated[str, Meta(pattern=NAME)]
Words = Annotated[str, Meta(min_length=1)]
TouchType = Annotated[str, _one_of("type")]
TouchTypes = Annotated[str, _one_of("type or group")]
Stage = Annotated[str, _one_of("stage")]
Role = Annotated[str, _one_of("role")]
RoleOrNone = Annotated[str, _one_of("role or none")]
Pattern = Annotated[str, _one_of("pattern")]
Currency = Annotated[str, Meta(pattern=CURRENCY)]
Zone = Annotated[str, _one_of("zone")]
Count = Annotated[int, Meta(ge=1, le=MOST)]
Days = Annotated[int, Meta(ge=0, le=MOST)]
Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]

FactKind = Literal["text", "number", "country", "language", "yes_no", "money", "channel"]
ClauseKind = Literal["first", "any", "repeated", "topics", "contacts", "after_order", "further_orders"]


class Clause(msgspec.Struct, frozen=True):
    """One way to enter a stage; all windows are closed (a touch exactly `days` later is within them).

    `first`: the first touch. `any`: one touch of `types`. `repeated`: `number` of `types` within `days`.
    `topics`: `number` different topics within `days`. `contacts`: `number` contacts, each in `stage` or
    later, active within `days` of each other. `after_order`: a touch of `types` later than the first order.
    `further_orders`: `number` other orders within `days` of the first.
    """

    text: Words  # the clause in words
    kind: ClauseKind
    types: tuple[TouchTypes, ...] = ()  # groups are written out when the definition is loaded
    number: Count = 1
    days: Days = 0
    stage: Annotated[str, _one_of("stage or nothing")] = ""  # of `contacts`: what each must have reached


class StageRule(msgspec.Struct, frozen=True):
    """A stage: entered when any clause is complete. Their order is that of the journey."""

    name: Name
    meaning: Words
    clauses: Annotated[tuple[Clause, ...], Meta(min_length=1)]


class MomentRule(msgspec.Struct, frozen=True):
    """A crucial moment: the first touch of these types in a journey, or (`after_order`) after its order.

    `inspiration`: only of a topic that is inspiration; no types are all types then.
    """

    name: Name
    meaning: Words
    types: tuple[TouchTypes, ...] = ()  # as in clauses
    after_order: bool = False
    inspiration: bool = False


class JourneyRule(msgspec.Struct, frozen=True):
    """Where a journey ends and what counts."""

    gap_days: Count
    no_life: tuple[TouchType, ...]  # types that are counted in touches, and nowhere else
    orders: Annotated[tuple[TouchType, ...], Meta(min_length=1)]
    after_sales: tuple[TouchType, ...]


class TopicRule(msgspec.Struct, frozen=True):
    """Gives a touch without topic this one where all patterns given match (regular, any case).

    Without any pattern it gives none, and only says that the topic is inspiration.
    """

    topic: Words
    url: Pattern = ""
    title: Pattern = ""
    search: Pattern = ""  # any of the search terms
    inspiration: bool = False


class CrossingRule(msgspec.Struct, frozen=True):
    """What is no shared step."""

    ignore: tuple[str, ...]  # types or topics


class RoleRules(msgspec.Struct, frozen=True):
    """Roles: their weight in the score, who is required when, what titles and behaviour say."""

    weights: dict[Role, Amount]  # role -> weight; others have 1
    required: dict[Stage, tuple[Annotated[tuple[Role, ...], Meta(min_length=1)], ...]]
    # stage -> of each group one; the first named is missing
    titles: dict[RoleOrNone, tuple[Words, ...]]  # role (or `none`) -> further titles, before the lexicon's
    behaviour: dict[TouchType, RoleOrNone]  # touchpoint type -> role; what shows none is left out
    confidence: dict[Annotated[str, _one_of("source")], Share]
    topics: dict[str, RoleOrNone] = {}  # topic -> role, as `behaviour`


class ScoreRule(msgspec.Struct, frozen=True):
    """Engagement."""

    points: dict[TouchType, Amount]  # touchpoint type -> points; others have 0
    most_a_day: Positive  # of one person
    half_life_days: Count


class HandoffRule(msgspec.Struct, frozen=True):
    """When sales is told."""

    requests: tuple[TouchType, ...]  # types that make a hand-off always
    stage: Stage  # else the account must be in this stage
    engagement: Amount  # and have this score
    feedback_days: Days
    legitimate: tuple[Literal["email", "phone"], ...]  # purposes that need not have been given


class SilenceRule(msgspec.Struct, frozen=True):
    """Levels of silence: P(alive) below which an alarm is raised, and never before so many days."""

    quiet: Share
    silent: Share  # below `quiet`
    horizon_days: Count  # P(active) is of a touch in so many days
    active_days: Count  # fewer: unknown
    quiet_days: Days = 14
    silent_days: Days = 28  # three weeks of holidays of somebody who comes every working day are 24


class FactRule(msgspec.Struct, frozen=True):
    """An attribute: how long it holds, and what asking for it is worth."""

    attribute: Words
    entity: Literal["contact", "account"]
    shelf_days: Count | None  # None: for ever
    kind: FactKind = "text"  # how values are written in one spelling
    value: Amount = 0.0  # of knowing it
    cost: Positive = 1.0  # of asking
    stages: tuple[Stage, ...] = ()  # where it matters; empty: everywhere
    question: str = ""  # as one would ask it; empty: never asked


class ActionRule(msgspec.Struct, frozen=True):
    """A next best action: the first rule that fits counts. Empty conditions always fit."""

    name: Name
    to: Annotated[str, _one_of("addressee")]  # a role, or `call_first`, `last_active`, `account`
    channels: Annotated[tuple[Annotated[str, _one_of("channel")], ...], Meta(min_length=1)]  # first allowed
    message: Words  # with {topic}, {role}, {name}
    within_days: Days
    why: Words
    stages: tuple[Stage, ...] = ()
    missing: tuple[Role, ...] = ()  # one of these roles is missing
    statuses: tuple[Annotated[str, _one_of("status")], ...] = ()
    handoff: tuple[Annotated[str, _one_of("hand-off state")], ...] = ()  # one in such a state is not over
    customer: Literal["", "yes", "no"] = ""  # whether the account is one
    topics: tuple[str, ...] = ()  # one of the interests


class OrderRule(msgspec.Struct, frozen=True):
    """Trade: the reporting currency and what others are worth in it."""

    currency: Currency
    rates: dict[Currency, Positive]  # currency -> its worth in the reporting currency
    customer_months: Count  # a customer: an order not cancelled in so many months
    active_months: Count  # an active customer likewise


class Definition(msgspec.Struct, frozen=True, dict=True):
    """All rules."""

    journey: JourneyRule
    stages: Annotated[tuple[StageRule, ...], Meta(min_length=1)]
    moments: tuple[MomentRule, ...]
    topics: tuple[TopicRule, ...]
    crossings: CrossingRule
    roles: RoleRules
    score: ScoreRule
    handoff: HandoffRule
    silence: SilenceRule
    facts: tuple[FactRule, ...]
    actions: tuple[ActionRule, ...]
    orders: OrderRule
    zones: dict[str, Zone]  # tenant -> time zone (IANA) of its days; others have UTC
    segments: dict[str, Any]  # as it stands in the file

    @cached_property
    def version(self) -> str:
        """A hash of all rules."""
        # The order of keys says nothing, and that of rules does: as they stand.
        return blake2b(msgspec.msgpack.Encoder(order="sorted").encode(self), digest_size=6).hexdigest()
