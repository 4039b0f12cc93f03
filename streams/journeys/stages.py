"""The stages of an account's journey and its crucial moments, each once, as a typed table.

Everything else follows from these tables: the walk through a journey, the definition's version, the pictures
in `docs/journeys.md`. Clauses see the touches of one journey in order of event time; all windows are closed
(a touch exactly 30 days later is within 30 days).
"""

from functools import cache
from hashlib import blake2b
from typing import NamedTuple, Protocol

from schemas.internal import Mini
from schemas.times import DAY_MS

JOURNEY_GAP_DAYS = 180  # a journey ends when no member has been heard of for longer than this
JOURNEY_GAP_MS = JOURNEY_GAP_DAYS * DAY_MS

NO_LIFE = frozenset({"email_opened"})  # mail gateways open mail: counted in `touches`, never a sign of life

ORDERS = ("order_placed", "subscription_started")
AFTER_SALES = ("app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted")


class Touched(NamedTuple):
    """A touch and its contact (empty: the account only). Sorts by time; the first three fields are unique."""

    at: int  # ms
    source: str
    event_id: str
    contact: str
    touch: Mini


class Progress:
    """How far the touches of one stream (an account, or one member of it) have come within one journey.

    `reached` maps a stage (its index) to the touch that completed its first clause; a stage reached when a
    further one had been reached before is also in `late`: a crucial moment, not a step back.
    """

    __slots__ = (
        "_bits",
        "active",
        "any",
        "by_type",
        "contact",
        "furthest",
        "late",
        "orders",
        "reached",
        "recent",
        "topics",
    )

    def __init__(self, contact: str) -> None:
        self.contact = contact  # empty: the account as a whole
        self.furthest = -1  # index in STAGES; -1: none yet
        self.reached: dict[int, Touched] = {}
        self.late: set[int] = set()
        self.recent: dict[str, list[int]] = {}  # clause -> times of its latest touches
        self.topics: list[tuple[str, int]] = []  # the latest distinct topics, the last one first
        self.orders: dict[str, int] = {}  # order -> when it was first told
        self.active: dict[str, int] = {}  # contact in consideration or later -> last touch
        self._bits = 0  # the stages reached, for `_pending`
        self.by_type, self.any = _pending(0, bool(contact))

    def advance(self, touched: Touched, member: "Progress | None") -> None:
        """Take the next touch; `member` is the progress of who made it, which has taken it already.

        `member` is None for a touch of the account only, and when this is itself a member's progress.
        """
        for index, clause in self.by_type.get(touched.touch.type, self.any):
            if clause.complete(self, touched, member) and index not in self.reached:
                self._reach(index, touched)

    def _reach(self, index: int, touched: Touched) -> None:
        if index > self.furthest:
            self.furthest = index
        elif any(further > index and earlier.at < touched.at for further, earlier in self.reached.items()):
            self.late.add(index)
        self.reached[index] = touched
        self._bits |= 1 << index
        self.by_type, self.any = _pending(self._bits, bool(self.contact))


class Clause(Protocol):
    """One way to enter a stage. `types`: the touches it looks at; empty: all."""

    @property
    def types(self) -> tuple[str, ...]:
        """Types of touchpoints."""

    @property
    def text(self) -> str:
        """The clause in words."""

    def complete(self, progress: Progress, touched: Touched, member: Progress | None) -> bool:
        """Whether this touch completes the clause; keeps in `progress` what later ones need."""


class FirstTouch(NamedTuple):
    """The first touch."""

    text: str
    types: tuple[str, ...] = ()

    def complete(self, _progress: Progress, _touched: Touched, _member: Progress | None) -> bool:
        """Always."""
        return True


class AnyOf(NamedTuple):
    """One touch of these types."""

    text: str
    types: tuple[str, ...]

    def complete(self, _progress: Progress, _touched: Touched, _member: Progress | None) -> bool:
        """Always: the type says it all."""
        return True


class Repeated(NamedTuple):
    """`number` touches of these types within `days`."""

    text: str
    types: tuple[str, ...]
    number: int
    days: int

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether the `number`-th last of them is at most `days` old."""
        at = touched.at
        times = progress.recent[self.text] = [*progress.recent.get(self.text, ()), at][-self.number :]
        return len(times) == self.number and times[0] >= at - self.days * DAY_MS


class Topics(NamedTuple):
    """Touches with `number` different topics within `days`."""

    text: str
    number: int
    days: int
    types: tuple[str, ...] = ()

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether the `number`-th latest distinct topic is at most `days` old."""
        at, topic, latest = touched.at, touched.touch.topic, progress.topics
        if not topic:
            return False
        if latest and latest[0][0] == topic:
            latest[0] = (topic, at)
        else:
            latest = [(topic, at), *[seen for seen in latest if seen[0] != topic]][: self.number]
            progress.topics = latest
        return len(latest) == self.number and latest[-1][1] >= at - self.days * DAY_MS


class Contacts(NamedTuple):
    """`number` contacts, each in consideration or later, active within `days` of each other."""

    text: str
    number: int
    days: int
    types: tuple[str, ...] = ()

    def complete(self, progress: Progress, touched: Touched, member: Progress | None) -> bool:
        """Whether `number` such contacts have a touch in the `days` up to this touch of one of them."""
        if member is None or member.furthest < CONSIDERATION:
            return False
        at = progress.active[member.contact] = touched.at
        if len(progress.active) < self.number:
            return False
        return sum(last >= at - self.days * DAY_MS for last in progress.active.values()) >= self.number


class AfterOrder(NamedTuple):
    """A touch of these types later than the first order of the journey."""

    text: str
    types: tuple[str, ...]

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether an order was placed before."""
        return PURCHASE in progress.reached and progress.reached[PURCHASE].at < touched.at


class FurtherOrders(NamedTuple):
    """`number` other orders within `days` of the first of the journey."""

    text: str
    number: int
    days: int
    types: tuple[str, ...] = ORDERS

    def complete(self, progress: Progress, touched: Touched, _member: Progress | None) -> bool:
        """Whether this is (at least) the `number`-th other order, in time. One order told twice is one."""
        at, orders = touched.at, progress.orders
        orders.setdefault(order_of(touched.touch), at)
        first = next(iter(orders.values()))
        return len(orders) > self.number and at <= first + self.days * DAY_MS


class Stage(NamedTuple):
    """A stage: entered when any of its clauses is complete."""

    name: str
    meaning: str
    clauses: tuple[Clause, ...]


STAGES: tuple[Stage, ...] = (
    Stage(
        "awareness",
        "wish and think: inspiration, orientation",
        (FirstTouch("first touch of any member (an opened mail alone is not one)"),),
    ),
    Stage(
        "consideration",
        "the concrete journey starts: this is the lead",
        (
            AnyOf("catalogue or sample requested", ("catalogue_requested", "sample_requested")),
            AnyOf("account registered", ("account_registered",)),
            Repeated("2 downloads within 30 days", ("content_downloaded",), number=2, days=30),
            Topics("3 different topics within 30 days", number=3, days=30),
        ),
    ),
    Stage(
        "evaluation",
        "the group compares",
        (
            AnyOf("demo, quote or call requested", ("demo_requested", "quote_requested", "call_requested")),
            AnyOf("meeting held", ("meeting_held",)),
            Contacts(
                "2 known contacts, each in consideration or later, active within 30 days of each other",
                number=2,
                days=30,
            ),
        ),
    ),
    Stage("purchase", "the account buys", (AnyOf("order placed or subscription started", ORDERS),)),
    Stage(
        "experience",
        "after-sales decides retention",
        (AfterOrder("after an order in this journey: app, support, FAQ, how-to, review", AFTER_SALES),),
    ),
    Stage(
        "loyalty",
        "the account comes back",
        (FurtherOrders("2 further orders within 365 days of the first of this journey", number=2, days=365),),
    ),
)
NAMES = tuple(stage.name for stage in STAGES)
CONSIDERATION, PURCHASE = NAMES.index("consideration"), NAMES.index("purchase")


class Moment(NamedTuple):
    """A crucial moment: the first touch of these types in a journey, or (`after_order`) after its order."""

    name: str
    meaning: str
    types: tuple[str, ...]
    after_order: bool = False


MOMENTS: tuple[Moment, ...] = (
    Moment("catalogue_request", "first catalogue requested", ("catalogue_requested",)),
    Moment("sample_request", "first sample requested", ("sample_requested",)),
    Moment("account_creation", "first account registered", ("account_registered",)),
    Moment("first_order", "first order placed or subscription started", ORDERS),
    Moment(
        "first_after_sales",
        "first app, support, FAQ, how-to, review after an order",
        AFTER_SALES,
        after_order=True,
    ),
)
MOMENT_OF = {touch_type: moment for moment in MOMENTS for touch_type in moment.types}

DEFINITION_VERSION = blake2b(
    repr((STAGES, MOMENTS, JOURNEY_GAP_DAYS, sorted(NO_LIFE))).encode(), digest_size=6
).hexdigest()


def order_of(touch: Mini) -> str:
    """Which order a touch tells of: its order id, else the event itself (the space keeps the two apart).

    >>> order_of(Mini(0, 0, "e1", "web", "order_placed", 0, 3, "", "", "", "", "web"))
    ' web e1'
    """
    return touch.order or f" {touch.source} {touch.event_id}"


Pending = tuple[tuple[int, Clause], ...]


@cache  # at most 2 ** 6 sets of stages, twice
def _pending(reached: int, of_member: bool) -> tuple[dict[str, Pending], Pending]:
    """The clauses of the stages not in the bit set `reached`: (by type of touch, for all other types).

    A member on its own never completes a clause about several contacts.
    """
    clauses = [
        (index, clause)
        for index, stage in enumerate(STAGES)
        for clause in stage.clauses
        if not reached >> index & 1 and not (of_member and isinstance(clause, Contacts))
    ]
    types = {touch_type for _, clause in clauses for touch_type in clause.types}
    by_type = {t: tuple(pair for pair in clauses if not pair[1].types or t in pair[1].types) for t in types}
    return by_type, tuple(pair for pair in clauses if not pair[1].types)
