"""The stages of an account's journey and its crucial moments, as the definition's rules say.

Clauses see the touches of one journey in order of event time; all windows are closed (a touch exactly 30 days
later is within 30 days).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

from schemas.internal import Mini
from schemas.times import DAY_MS
from schemas.touchpoint import TYPES
from streams.definition.model import Clause as ClauseRule
from streams.definition.model import ClauseKind, Definition, MomentRule


class Touched(NamedTuple):
    """A touch and its contact (empty: the account only). Sorts by time; the first three fields are unique."""

    at: int  # ms
    source: str
    event_id: str
    contact: str
    touch: Mini


class Rules:
    """What a walk follows of a definition, as it needs it touch by touch. Made by `rules`."""

    __slots__ = ("_clauses", "_pending", "gap_ms", "inspiration", "moments", "names", "no_life")

    def __init__(self, definition: Definition) -> None:
        journey = definition.journey
        self.gap_ms = journey.gap_days * DAY_MS  # a journey ends when nobody is heard of for longer than this
        self.no_life = frozenset(journey.no_life)
        self.names = tuple(stage.name for stage in definition.stages)  # in the order of the journey
        self.inspiration = frozenset(rule.topic for rule in definition.topics if rule.inspiration)
        self.moments: dict[str, tuple[MomentRule, ...]] = {}  # type of touch -> those it can be
        for moment in definition.moments:
            if moment.inspiration and not self.inspiration:
                continue
            for touch_type in moment.types or TYPES:
                self.moments[touch_type] = (*self.moments.get(touch_type, ()), moment)
        self._clauses: list[tuple[int, Clause]] = [(ORDERED, Ordered(journey.orders))]
        for index, stage in enumerate(definition.stages):
            for rule in stage.clauses:
                self._clauses.append((index, _CLAUSES[rule.kind](rule, definition, len(self._clauses))))
        self._pending: dict[tuple[int, bool], tuple[ByType, Pending]] = {}

    def pending(self, reached: int, of_member: bool) -> "tuple[ByType, Pending]":
        """The clauses of the stages not in the bit set `reached`: (by type of touch, for all other types).

        A member on its own never completes a clause about several contacts.
        """
        found = self._pending.get((reached, of_member))
        if found is None:
            clauses = [
                (index, clause)
                for index, clause in self._clauses
                if (index == ORDERED or not reached >> index & 1)
                and not (of_member and isinstance(clause, Contacts))
            ]
            types = {touch_type for _, clause in clauses for touch_type in clause.types}
            by_type = {
                t: tuple(pair for pair in clauses if not pair[1].types or t in pair[1].types) for t in types
            }
            found = by_type, tuple(pair for pair in clauses if not pair[1].types)
            self._pending[reached, of_member] = found
        return found


class Progress:
    """How far the touches of one stream (an account, or one member of it) have come within one journey.

    `reached` maps a stage (its index) to the touch that completed its first clause; a stage reached when a
    further one had been reached before is also in `late`: a crucial moment, not a step back.
    """

    __slots__ = (
        "_bits",
        "_rules",
        "active",
        "any",
        "by_type",
        "contact",
        "furthest",
        "late",
        "ordered_at",
        "orders",
        "reached",
        "recent",
        "topics",
    )

    def __init__(self, rules: Rules, contact: str) -> None:
        self._rules = rules
        self.contact = contact  # empty: the account as a whole
        self.furthest = -1  # index in Rules.names; -1: none yet
        self.reached: dict[int, Touched] = {}
        self.late: set[int] = set()
        self.recent: dict[int, list[int]] = {}  # clause -> times of its latest touches
        self.topics: dict[int, list[tuple[str, int]]] = {}  # clause -> the latest distinct topics, last first
        self.orders: dict[str, int] = {}  # order -> when it was first told
        self.ordered_at: int | None = None  # when the first order was placed, ms
        self.active: dict[int, dict[str, int]] = {}  # clause -> contact that has come so far -> last touch
        self._bits = 0  # the stages reached, for `Rules.pending`
        self.by_type, self.any = rules.pending(0, bool(contact))

    def advance(self, touched: Touched, member: "Progress | None") -> None:
        """Take the next touch; `member` is the progress of who made it, which has taken it already.

        `member` is None for a touch of the account only, and when this is itself a member's progress.
        """
        for index, clause in self.by_type.get(touched.touch.type, self.any):
            if clause.complete(self, touched, member) and index not in self.reached:
                self._reach(index, touched)

    def ordered_before(self, at: int) -> bool:
        """Whether the first order of the journey was placed before `at` (ms)."""
        return self.ordered_at is not None and self.ordered_at < at

    def _reach(self, index: int, touched: Touched) -> None:
        if index > self.furthest:
            self.furthest = index
        elif any(further > index and earlier.at < touched.at for further, earlier in self.reached.items()):
            self.late.add(index)
        self.reached[index] = touched
        self._bits |= 1 << index
        self.by_type, self.any = self._rules.pending(self._bits, bool(self.contact))


class Clause(Protocol):
    """One way to enter a stage. `types`: the touches it looks at; empty: all."""

    types: tuple[str, ...]

    def complete(self, progress: Progress, touched: Touched, member: Progress | None) -> bool:
        """Whether this touch completes the clause; keeps in `progress` what later ones need."""


Pending = tuple[tuple[int, Clause], ...]
ByType = Mapping[str, Pending]
ORDERED: Final = -1  # in the place of a stage


class Ordered:
    """Enters no stage: notes when the first order was placed."""

    def __init__(self, types: tuple[str, ...]) -> None:
        self.types = types

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Never."""
        if progress.ordered_at is None:
            progress.ordered_at = touched.at
        return False


class _Clause:
    """What clauses have in common; `key` names one among those of a definition."""

    __slots__ = ("key", "number", "types", "within")

    def __init__(self, rule: ClauseRule, _definition: Definition, key: int) -> None:
        self.key = key
        self.types = rule.types
        self.number = rule.number
        self.within = rule.days * DAY_MS


class Once(_Clause):
    """The first touch, or one touch of these types."""

    __slots__ = ()

    def complete(self, _progress: Progress, _touched: Touched, _member: Progress | None) -> bool:
        """Always: the type says it all."""
        return True


class Repeated(_Clause):
    """`number` touches of these types within `days`."""

    __slots__ = ()

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether the `number`-th last of them is at most `days` old."""
        at = touched.at
        times = progress.recent[self.key] = [*progress.recent.get(self.key, ()), at][-self.number :]
        return len(times) == self.number and times[0] >= at - self.within


class Topics(_Clause):
    """Touches with `number` different topics within `days`."""

    __slots__ = ()

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether the `number`-th latest distinct topic is at most `days` old."""
        topic = touched.touch.topic
        if not topic:
            return False
        at, latest = touched.at, progress.topics.get(self.key, [])
        if latest and latest[0][0] == topic:
            latest[0] = (topic, at)
        else:
            latest = [(topic, at), *[seen for seen in latest if seen[0] != topic]][: self.number]
            progress.topics[self.key] = latest
        return len(latest) == self.number and latest[-1][1] >= at - self.within


class Contacts(_Clause):
    """`number` contacts, each in a certain stage or later, active within `days` of each other."""

    __slots__ = ("_least",)

    def __init__(self, rule: ClauseRule, definition: Definition, key: int) -> None:
        super().__init__(rule, definition, key)
        self._least = [stage.name for stage in definition.stages].index(rule.stage)

    def complete(self, progress: Progress, touched: Touched, member: Progress | None) -> bool:
        """Whether `number` such contacts have a touch in the `days` up to this touch of one of them."""
        if member is None or member.furthest < self._least:
            return False
        active = progress.active.setdefault(self.key, {})
        at = active[member.contact] = touched.at
        if len(active) < self.number:
            return False
        return sum(last >= at - self.within for last in active.values()) >= self.number


class AfterOrder(_Clause):
    """A touch of these types later than the first order of the journey."""

    __slots__ = ()

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether an order was placed before."""
        return progress.ordered_before(touched.at)


class FurtherOrders(_Clause):
    """`number` other orders within `days` of the first of the journey."""

    __slots__ = ()

    def __init__(self, rule: ClauseRule, definition: Definition, key: int) -> None:
        super().__init__(rule, definition, key)
        self.types = definition.journey.orders

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether this is (at least) the `number`-th other order, in time. One order told twice is one."""
        at, orders = touched.at, progress.orders
        orders.setdefault(order_of(touched.touch), at)
        first = next(iter(orders.values()))
        return len(orders) > self.number and at <= first + self.within


_CLAUSES: Final[
    Mapping[ClauseKind, type[Once | Repeated | Topics | Contacts | AfterOrder | FurtherOrders]]
] = {
    "first": Once,
    "any": Once,
    "repeated": Repeated,
    "topics": Topics,
    "contacts": Contacts,
    "after_order": AfterOrder,
    "further_orders": FurtherOrders,
}

_made: dict[str, Rules] = {}  # version of a definition -> its rules


def rules(definition: Definition) -> Rules:
    """What a walk follows of this definition; made once."""
    found = _made.get(definition.version)
    if found is None:
        found = _made[definition.version] = Rules(definition)
    return found


def order_of(touch: Mini) -> str:
    """Which order a touch tells of: its order id, else the event itself (the space keeps the two apart).

    >>> order_of(Mini(0, 0, "e1", "web", "order_placed", 0, 3, "", "", "", "", "web"))
    ' web e1'
    """
    return touch.order or f" {touch.source} {touch.event_id}"
