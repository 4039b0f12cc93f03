"""How a story of a journey is told, and what a sensible person says of the account in the end.

Days are those of `told.day`; people are called by the first part of their address, accounts by a key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from schemas.times import DAY_MS, from_rfc3339, rfc3339
from tests.stories.told import BEGIN_MS, Line, day, touch

# Where the clock of every story stands at the end, so that all of them fit into one run.
END_MS = from_rfc3339("2025-12-31T09:00:00Z")

Entry = dict[str, Any]  # what is said of an account, aspect by aspect


def outcome(event_id: str, on: float, what: str, domain: str = "acme.nl", **more: Any) -> Line:
    """What sales says became of a hand-off; `handoff_id` names it instead of the firm."""
    about: Line = {} if "handoff_id" in more else {"account": {"domain": domain}}
    message = {"event_id": event_id, "occurred_at": day(on), "outcome": what, **about, **more}
    return {"topic": "lead-outcomes", "message": message}


def command(event_id: str, on: float, what: str, domain: str = "acme.nl", **more: Any) -> Line:
    """What somebody decides about an account; `email` is the person meant."""
    if "email" in more:
        more["identifiers"] = {"email": more.pop("email")}
    message = {"event_id": event_id, "occurred_at": day(on), "command": what, "account": {"domain": domain}}
    return {"topic": "account-commands", "message": message | more}


def order(
    event_id: str, on: float, number: str, value: float, type: str = "order_placed", **more: Any
) -> Line:
    """A touch of trade, with what it tells of the order; `source`, `email` and the like as in `touch`."""
    commerce = {"order_id": number, "value": value, "currency": "EUR", **more.pop("commerce", {})}
    return touch(event_id, on, type, **more, commerce=commerce)


@dataclass(frozen=True)
class Handed:
    """A hand-off: made when, whom to call first ("": nobody), what became of it.

    `lines`: what of `call_first` is told, "email", "phone". `shown`: everybody whose address or number the
    message tells. What is None is not asked.
    """

    at: float
    call: str
    status: str = "open"
    outcome: str = ""
    lines: set[str] | None = None
    shown: set[str] | None = None
    reason: str | None = None
    code: str | None = None
    value: float | None = None
    earlier: Sequence[str] | None = None  # what became of those before


@dataclass(frozen=True)
class Trip:
    """A journey: stage -> day; hand-offs; steps that were shared; how and when it ended (None: not yet)."""

    stages: Mapping[str, float]
    handoffs: Sequence[Handed] = ()
    crossings: Sequence[tuple[str, str, float, set[str]]] | None = None  # type, topic, day, who
    closed: tuple[str, float] | None = None
    moments: Mapping[str, float] = field(default_factory=dict)  # these among others


@dataclass(frozen=True)
class Quiet:
    """A spell of silence: of whom ("": the account), since some day between two, until when."""

    who: str
    level: str
    earliest: float
    latest: float
    ended: float | None = None


@dataclass(frozen=True)
class Firm:
    """What is expected of one account; None: not asked.

    `key`: an account key; of a person without a firm one of the identifiers. `roles`: of every member, those
    without one too. `silence` is complete for the account, level `silent`, and for every other (who, level)
    that it names.
    """

    key: str
    journeys: Sequence[Trip]
    roles: Mapping[str, set[str]] | None = None
    missing: set[str] | None = None
    silence: Sequence[Quiet] = ()
    status: Mapping[str, str] = field(default_factory=dict)  # "": the account
    reachable: Mapping[str, bool] = field(default_factory=dict)
    trade: Entry = field(default_factory=dict)  # orders, revenue, aov, return_rate, unconverted, families
    facts: Mapping[tuple[str, str], str | None] = field(
        default_factory=dict
    )  # (who, attribute); None: unused
    also: Entry = field(default_factory=dict)  # owner, segments, contact_points, stage


@dataclass(frozen=True)
class JourneyStory:
    """`lines` in the order of the story; `after` come after all others, in every order.

    `pauses`: after so many lines the story rests, and what holds by then is told. Of `told` every one is an
    event, corrections as (stage, was, now); it is looked at in the story's own order only. A `handoff_id`
    may name `{key}` for the id that the account has when the line is fed. `letters`: reasons of dead letters.
    """

    name: str
    lines: Sequence[Line]
    firms: Sequence[Firm]
    clock: float | None = None  # where it stands at the end; None: when the last was said
    after: Sequence[Line] = ()
    pauses: Sequence[int] = ()
    letters: Sequence[str] = ()
    told: Sequence[tuple[Any, ...]] = ()
    erased: Sequence[str] = ()

    @property
    def end(self) -> float:
        """The day on which the clock stands at the end."""
        if self.clock is not None:
            return self.clock
        told = (*self.lines, *self.after)
        times = [from_rfc3339(line.get("message", line)["occurred_at"]) for line in told]
        return (max(times) - BEGIN_MS) / DAY_MS

    def at(self, on: float) -> str:
        """The time of a day of this story, when its clock ends where all clocks end."""
        return rfc3339(END_MS + round((on - self.end) * DAY_MS))

    def ready(self, line: Line, tenant: str, ids: Mapping[str, str]) -> Line:
        """The line as it is fed: its time so moved, its tenant, and the `ids` that accounts have by now."""
        message = line.get("message", line)
        on = (from_rfc3339(message["occurred_at"]) - BEGIN_MS) / DAY_MS
        message = {**message, "tenant": tenant, "occurred_at": self.at(on)}
        for key, account in ids.items() if "handoff_id" in message else ():
            message["handoff_id"] = message["handoff_id"].replace(f"{{{key}}}", account)
        return {**line, "message": message} if "message" in line else message

    @property
    def parts(self) -> list[list[Line]]:
        """The lines between the pauses."""
        edges = [0, *self.pauses, len(self.lines)]
        return [list(self.lines[a:b]) for a, b in pairwise(edges)]


def expected(story: JourneyStory, firm: Firm) -> Entry:
    """What is expected, in the words of `asked`."""
    at = story.at
    entry: Entry = {
        "journeys": [
            {
                "stages": {stage: at(on) for stage, on in trip.stages.items()},
                "closed": None if trip.closed is None else (trip.closed[0], at(trip.closed[1])),
            }
            for trip in firm.journeys
        ],
        "moments": [{name: at(on) for name, on in trip.moments.items()} for trip in firm.journeys],
        "handoffs": [
            _handed(story, number, one)
            for number, trip in enumerate(firm.journeys, 1)
            for one in trip.handoffs
        ],
    }
    crossed = {
        number: sorted((type, topic, at(on), tuple(sorted(who))) for type, topic, on, who in trip.crossings)
        for number, trip in enumerate(firm.journeys, 1)
        if trip.crossings is not None
    }
    if crossed:
        entry["crossings"] = crossed
    if firm.roles is not None:
        entry["roles"] = {who: sorted(roles) for who, roles in firm.roles.items()}
    if firm.missing is not None:
        entry["missing"] = sorted(firm.missing)
    entry |= {"status": dict(firm.status), "reachable": dict(firm.reachable), "facts": dict(firm.facts)}
    return entry | firm.trade | firm.also


def _handed(story: JourneyStory, number: int, one: Handed) -> Entry:
    asked = {
        "journey": number,
        "at": story.at(one.at),
        "call": one.call,
        "status": one.status,
        "outcome": one.outcome,
        "lines": one.lines,
        "shown": one.shown,
        "reason": one.reason,
        "code": one.code,
        "value": one.value,
        "earlier": None if one.earlier is None else list(one.earlier),
    }
    return {what: value for what, value in asked.items() if value is not None}


def differences(story: JourneyStory, firm: Firm, found: Entry | None) -> list[str]:
    """In what the account differs from the story; empty: in nothing."""
    if found is None:
        return [f"{story.name}: {firm.key}: there is no such account"]
    wanted = expected(story, firm)
    asked = _asked(wanted, found)
    wrong = [
        f"{story.name}: {firm.key}: {what}: expected {want}, found {asked.get(what)}"
        for what, want in wanted.items()
        if asked.get(what) != want
    ]
    return wrong + [f"{story.name}: {firm.key}: {text}" for text in _silences(story, firm, found["silences"])]


def _asked(wanted: Entry, found: Entry) -> Entry:
    """Of what was found that which the story speaks of."""
    asked = dict(found)
    for what in ("status", "reachable", "facts"):
        asked[what] = {key: found[what].get(key) for key in wanted[what]}
    asked["moments"] = [
        {name: moments.get(name) for name in names}
        for names, moments in zip(wanted["moments"], found["moments"], strict=False)
    ]
    asked["handoffs"] = found["handoffs"]
    if len(found["handoffs"]) == len(wanted["handoffs"]):
        asked["handoffs"] = [
            {what: one.get(what, value) for what, value in want.items()}  # no view shows all of them
            for want, one in zip(wanted["handoffs"], found["handoffs"], strict=True)
        ]
    asked["crossings"] = {
        number: sorted(found["crossings"].get(number, [])) for number in wanted.get("crossings", ())
    }
    return asked


def _silences(
    story: JourneyStory, firm: Firm, found: Sequence[tuple[str, str, str, str | None]]
) -> list[str]:
    kinds = {("", "silent")} | {(one.who, one.level) for one in firm.silence}
    there = sorted((spell for spell in found if spell[:2] in kinds), key=lambda spell: (spell[2], spell[0]))
    wanted = sorted(firm.silence, key=lambda one: (one.earliest, one.who))
    fits = len(there) == len(wanted) and all(
        spell[:2] == (one.who, one.level)
        and story.at(one.earliest) <= spell[2] <= story.at(one.latest)
        and spell[3] == (None if one.ended is None else story.at(one.ended))
        for one, spell in zip(wanted, there, strict=True)
    )
    if fits:
        return []
    told = [
        (
            *(one.who, one.level, story.at(one.earliest), story.at(one.latest)),
            None if one.ended is None else story.at(one.ended),
        )
        for one in wanted
    ]
    return [f"silence: expected {told}, found {there}"]
