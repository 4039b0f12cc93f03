"""Hand-offs to sales, derived in the walk over an account's touches and outcomes, in event time.

`TABLE` says which outcome is possible in which state; the picture in docs/journeys.md is made from it. At
most one hand-off of an account is open. The desk is told of everything in order of its time, so late news
gives the same hand-offs as news in time.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from schemas.internal import Outcome
from schemas.times import DAY_MS
from streams.definition.model import HandoffRule
from streams.journeys.engagement import Meter
from streams.journeys.stages import Touched

# State -> outcome -> the state after it. What a state does not name is impossible in it.
TABLE: Final[Mapping[str, Mapping[str, str]]] = {
    "open": {
        "accepted": "accepted",
        "rejected": "rejected",
        "working": "working",
        "won": "won",
        "lost": "lost",
        "recycled": "recycled",
    },
    "accepted": {
        "accepted": "accepted",
        "rejected": "rejected",
        "working": "working",
        "won": "won",
        "lost": "lost",
        "recycled": "recycled",
    },
    "working": {"working": "working", "won": "won", "lost": "lost", "recycled": "recycled"},
    # Over: the same outcome told again may tell another reason or value.
    "rejected": {"rejected": "rejected"},
    "won": {"won": "won"},
    "lost": {"lost": "lost"},
    "recycled": {"recycled": "recycled"},
    "expired": {},
}
OVER: Final = frozenset({"rejected", "won", "lost", "recycled", "expired"})

GROUP_READY: Final = "group_ready"  # the reason of a hand-off that nobody asked for


class InJourney(Protocol):
    """The journey that a touch is part of."""

    number: int

    @property
    def stage(self) -> str:
        """The furthest stage by now."""


class Refused(NamedTuple):
    """An outcome that counts for no hand-off."""

    outcome: Outcome
    reason: str  # no_handoff, impossible_outcome
    error: str  # in words


class Handoff:
    """One hand-off: why it was made, what became of it."""

    __slots__ = (
        "asker",
        "at",
        "attempt",
        "code",
        "ended_at",
        "former",
        "journey",
        "news",
        "outcomes",
        "score",
        "shares",
        "state",
    )

    def __init__(
        self,
        journey: int,
        attempt: int,
        code: str,
        cause: Touched,
        meter: Meter,
        former: "Handoff | None",
    ) -> None:
        self.former = former  # the one before it in the account
        self.journey = journey
        self.attempt = attempt
        self.code = code  # the type of the request, or GROUP_READY
        self.at = cause.at
        self.asker = cause.contact if code != GROUP_READY else ""
        self.news = [cause]  # the cause, then requests made while it was open
        self.measure(meter)
        self.state = "open"
        self.outcomes: list[Outcome] = []  # the valid ones
        self.ended_at: int | None = None  # ms

    def measure(self, meter: Meter) -> None:
        """Take the account's engagement when it was made, and what each person has of it."""
        self.score = meter.score(self.at)
        self.shares = meter.shares(self.at)

    @property
    def key(self) -> str:
        """Its number within the account: `<journey>.<attempt>`."""
        return f"{self.journey}.{self.attempt}"

    @property
    def cause(self) -> Touched:
        """The touch that made it."""
        return self.news[0]

    @property
    def outcome(self) -> Outcome | None:
        """The last valid outcome."""
        return self.outcomes[-1] if self.outcomes else None

    def due(self, days: int) -> int:
        """When feedback is due, ms."""
        return self.at + days * DAY_MS

    def lacks_answer(self, days: int) -> bool:
        """Whether by then nothing was heard of it, and it was not over."""
        due = self.due(days)
        ended = self.ended_at is not None and self.ended_at <= due
        return not ended and not (self.outcomes and self.outcomes[0].at <= due)


class Desk:
    """Follows the hand-offs of one account through the walk."""

    def __init__(
        self,
        rule: HandoffRule,
        account: str,
        meter: Callable[[], Meter],
        approachable: Callable[[int], bool],
    ) -> None:
        """`approachable(at)`: whether anybody may be approached then."""
        self._rule = rule
        self._account = account
        self._new_meter = meter
        self._approachable = approachable
        self._meter = self._newer = meter()  # of all; of what is newer than the end of the hand-off before
        self._unmeasured: list[Touched] = []  # they wait until somebody asks for the score
        self._made: dict[str, Handoff] = {}  # by `key`
        self.made: list[Handoff] = []
        self.open: Handoff | None = None
        self.refused: list[Refused] = []

    def take(self, touched: Touched, journey: InJourney) -> None:
        """A touch by a person, which the journey has taken already."""
        self._unmeasured.append(touched)
        if self.open is not None and touched.at == self.open.at:
            # Of the very same time, as when several meet: it counts for the score like the cause.
            self._measured()
            self.open.measure(self._meter)
        if touched.touch.type in self._rule.requests:
            if self.open is not None:
                self.open.news.append(touched)
            else:
                self._make(journey.number, touched.touch.type, touched)
        elif (
            self.open is None
            and journey.stage == self._rule.stage
            and self._measured().score(touched.at) >= self._rule.engagement
            and self._approachable(touched.at)
        ):
            self._make(journey.number, GROUP_READY, touched)

    def told(self, outcome: Outcome) -> Handoff | None:
        """An outcome, in order of its time; the hand-off that it counts for, None where it is refused."""
        found = self._meant(outcome)
        if found is None:
            self._refuse(outcome, "no_handoff", "no hand-off of this account was open then")
            return None
        after = TABLE[found.state].get(outcome.outcome)
        if after is None:
            error = (
                f"hand-off {self._account}.{found.key} is {found.state}: it cannot become {outcome.outcome}"
            )
            self._refuse(outcome, "impossible_outcome", error)
            return None
        found.outcomes.append(outcome)
        found.state = after
        if after in OVER and found is self.open:
            self._end(outcome.at)
        return found

    def closed(self, at: int) -> None:
        """The journey has closed: what is open of it has expired."""
        if self.open is not None:
            self.open.state = "expired"
            self._end(at)

    def _make(self, journey: int, code: str, cause: Touched) -> None:
        self._measured()
        former = self.made[-1] if self.made else None
        attempt = former.attempt + 1 if former is not None and former.journey == journey else 1
        self.open = Handoff(journey, attempt, code, cause, self._meter, former)
        self._made[self.open.key] = self.open
        self.made.append(self.open)

    def _measured(self) -> Meter:
        """The meter of what is newer than the end of the hand-off before."""
        for touched in self._unmeasured:
            self._meter.add(touched)
            if self._newer is not self._meter:
                self._newer.add(touched)
        self._unmeasured.clear()
        return self._newer

    def _end(self, at: int) -> None:
        if self.open is not None:
            self.open.ended_at = at
        self.open = None
        self._measured()
        self._newer = self._new_meter()

    def _meant(self, outcome: Outcome) -> Handoff | None:
        """The hand-off that is named; where none is, or its account has another id by now, the open one."""
        account, _, key = outcome.handoff.partition(".")
        return self._made.get(key, self.open) if account == self._account else self.open

    def _refuse(self, outcome: Outcome, reason: str, error: str) -> None:
        self.refused.append(Refused(outcome, reason, error))
