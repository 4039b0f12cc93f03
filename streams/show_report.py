"""`journeys show` in words: the timeline of a buying group, for a salesperson with half a minute. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from rich.cells import set_cell_size
from rich.text import Text

from schemas.events import Member
from schemas.times import DAY_MS, from_rfc3339, rfc3339
from streams.dossier import Dossier, Handoff, Touch

OPEN: Final = ("open", "accepted", "working")  # states of a hand-off that is not over
LEAST_WIDTH: Final = 72  # columns; on narrower terminals lines wrap
MOST_MEMBERS: Final = 12  # shown, the most engaged first
MOST_CROSSINGS: Final = 5  # shown, the latest
MOST_NAMES: Final = 3  # of those who crossed
_NAME: Final = 20  # columns of a name
_ROLES: Final = 18  # columns of roles
_MARKS: Final = "·:▪█"  # of 1, 2, 3-4 and 5 or more touches in one column
_CROSSED, _HANDED = "×", "▲"
_LEGEND: Final = f"one touch ·  2 :  3-4 ▪  more █  a step shared {_CROSSED}  hand-off {_HANDED}"
_COLOURS: Final = ("cyan", "blue", "magenta", "green", "yellow", "bright_green")  # of the stages, in order
_STATUS: Final = {"active": "green", "quiet": "yellow", "silent": "red"}


def in_words(shown: Dossier, touches: Sequence[Touch], now: int, width: int = 100) -> Iterator[Text]:
    """The whole answer, a line each: who it is, the latest journey as a timeline, what to do.

    `touches` are those of the latest journey; `now` in ms.
    """
    keys = ", ".join((shown.account_id, *shown.keys))
    yield Text.assemble((shown.name or "an account without a name", "bold"), f"  ({keys})")
    yield Text("  ") + Text(" · ").join(_headline(shown, now))
    if shown.journeys:
        yield Text()
        yield from _timeline(shown, touches, max(width, LEAST_WIDTH))
    yield from _titled("hand-offs", (line for one in _latest_first(shown.handoffs) for line in _handoff(one)))
    yield from _titled("missing", _missing(shown))
    yield from _titled("next", _next(shown))
    yield from _titled("who", _who(shown))
    yield from _titled("paths crossed", _crossings(shown))
    yield from _titled("journeys before", _before(shown))


def engagement_by(shown: Dossier, now: int) -> float:
    """What the engagement is worth by now (ms): halved in whole days."""
    if shown.engagement_at is None:
        return 0.0
    days = max(0, now - from_rfc3339(shown.engagement_at)) // DAY_MS
    return float(shown.engagement * 0.5 ** (days / shown.half_life_days))


def _headline(shown: Dossier, now: int) -> Iterator[Text]:
    if shown.stage:
        ended = shown.journeys[-1].closed_at if shown.journeys else None
        over = f", over since {_day(ended)}" if ended else ""
        yield Text(f"{shown.stage} since {_day(shown.stage_since)}{over}")
    yield _status(shown)
    if shown.engagement_at is not None:
        by_now = f", {engagement_by(shown, now):.0f} by now"
        yield Text(f"engagement {shown.engagement:.0f} on {_day(shown.engagement_at)}{by_now}")
    if shown.orders:
        many = "1 order" if shown.orders == 1 else f"{shown.orders:,} orders"
        yield Text(f"{many}, {shown.currency} {money(shown.revenue)}")
    if firm := ", ".join(filter(None, (shown.industry, _employees(shown.employees), shown.country))):
        yield Text(firm)
    if shown.owner:
        yield Text(f"owner {shown.owner}")


def _status(shown: Dossier) -> Text:
    """The account's rhythm, since when, and what is usual."""
    status = shown.status
    if status == "unknown":
        return Text("too few active days for a rhythm", "dim")
    lasting = [s for s in shown.silences if not s.contact_id and s.ended_at is None]
    words = status
    if status != "active" and lasting:
        one = lasting[-1]
        words += f" since {_day(one.since)} ({one.expected_gap_days:.0f} days without a touch are unusual)"
    return Text(words, _STATUS.get(status, ""))


def _employees(employees: int | None) -> str:
    return "" if employees is None else f"{employees:,} employees"


def _timeline(shown: Dossier, touches: Sequence[Touch], width: int) -> Iterator[Text]:
    journey = shown.journeys[-1]
    times = [from_rfc3339(touch.at) for touch in touches]
    begin = from_rfc3339(journey.opened_at)
    end = from_rfc3339(journey.last_touch) if journey.last_touch else max(times, default=begin)
    axis = Axis(begin, end, width - _NAME - _ROLES - 6)
    yield _row(f"journey {journey.number}", _how_it_is(journey.closed_at, journey.closed_by), axis.ends())
    entered = [(from_rfc3339(stage.entered_at), stage.stage) for stage in journey.stages]
    yield _row("stage", "", axis.bar(entered))
    handed = [from_rfc3339(one.at) for one in shown.handoffs if one.journey == journey.number]
    if handed:
        yield _row("hand-off", "", axis.marks((), dict.fromkeys(handed, _HANDED)))
    of: dict[str, list[int]] = {}
    for touch, at in zip(touches, times, strict=True):
        of.setdefault(touch.contact_id, []).append(at)
    crossed: dict[str, dict[int, str]] = {}
    for shared in shown.crossings:
        if shared.journey == journey.number:
            for contact in shared.contacts:
                crossed.setdefault(contact, {})[from_rfc3339(shared.at)] = _CROSSED
    members = _members(shown)
    for contact in dict.fromkeys(member.contact_id for member in members[:MOST_MEMBERS]):
        roles = dict.fromkeys(r.role for m in members if m.contact_id == contact for r in m.roles)
        marks = axis.marks(of.get(contact, ()), crossed.get(contact, {}))
        yield _row(shown.name_of(contact), ", ".join(roles), marks)
    if "" in of:
        yield _row(shown.name_of(""), "", axis.marks(of[""]))
    yield _row("", "", Text(_LEGEND, "dim"))
    told = " → ".join(f"{s.stage} {_day(s.entered_at)}" for s in journey.stages)
    moments = ", ".join(
        f"{moment.replace('_', ' ')} {_day(at)}"
        for moment, at in sorted(journey.moments.items(), key=lambda of: (of[1], of[0]))
    )
    yield from (
        Text(f"  {line}") for line in (told, f"crucial moments: {moments}" if moments else "") if line
    )


def _row(name: str, roles: str, axis: Text) -> Text:
    columns = f"  {set_cell_size(name, _NAME)} {set_cell_size(roles, _ROLES)}  "
    return Text(columns) + axis


def _how_it_is(closed_at: str | None, closed_by: str) -> str:
    return f"closed: {closed_by}" if closed_at else "open"


class Axis:
    """Times (ms) in columns."""

    def __init__(self, begin: int, end: int, width: int) -> None:
        self._begin = begin
        self._span = max(end - begin, 1)
        self.width = width

    def column(self, at: int) -> int:
        """Where a time stands; what is outside stands at the border."""
        return min(self.width - 1, max(0, (at - self._begin) * self.width // self._span))

    def ends(self) -> Text:
        """The first and the last day.

        >>> Axis(0, 864_000_000, 24).ends().plain
        '1970-01-01    1970-01-11'
        """
        first, last = (_day_of(at) for at in (self._begin, self._begin + self._span))
        return Text(f"{first}{last:>{self.width - len(first)}}", "dim")

    def bar(self, entered: Sequence[tuple[int, str]]) -> Text:
        """Each stage from where it was entered, with its name as far as there is room.

        >>> Axis(0, 100, 30).bar([(0, "awareness"), (50, "evaluation"), (95, "purchase")]).plain
        'awareness──────evaluation───pu'
        """
        starts = [self.column(at) for at, _ in entered]
        text = Text(" " * starts[0] if starts else "")
        for number, (begin, end) in enumerate(pairwise([*starts, self.width])):
            name = entered[number][1][: end - begin]
            text.append(f"{name:─<{end - begin}}", _COLOURS[number % len(_COLOURS)])
        return text

    def marks(self, times: Iterable[int], over: Mapping[int, str] | None = None) -> Text:
        """A mark in each column with touches; `over`: marks that stand instead, at their time.

        >>> Axis(0, 100, 10).marks([1, 2, 3, 55], {99: "×"}).plain
        '▪    ·   ×'
        """
        count = [0] * self.width
        for at in times:
            count[self.column(at)] += 1
        cells = [_mark(touches) for touches in count]
        for at, mark in (over or {}).items():
            cells[self.column(at)] = mark
        return Text("".join(cells), "bold")


def _mark(touches: int) -> str:
    """
    >>> [_mark(n) for n in (0, 1, 2, 4, 9)]
    [' ', '·', ':', '▪', '█']
    """
    return " " if not touches else _MARKS[sum(touches > most for most in (1, 2, 4))]


def _members(shown: Dossier) -> list[Member]:
    """Those who are here first, of these the most engaged."""
    return sorted(
        shown.members,
        key=lambda m: (m.valid_to is not None, -m.engagement, m.first_touch or "9", m.contact_id),
    )


def _who(shown: Dossier) -> Iterator[Text]:
    members = _members(shown)
    for member in members[:MOST_MEMBERS]:
        yield from _member(member)
    if len(members) > MOST_MEMBERS:
        yield Text(f"and {len(members) - MOST_MEMBERS:,} more")


def _member(member: Member) -> Iterator[Text]:
    """What there is to know of a member, in two lines."""
    roles = ", ".join(f"{role.role} ({role.source})" for role in member.roles) or "no role known"
    title = f", {member.job_title}" if member.job_title else ""
    yield Text.assemble((member.name or member.contact_id, "bold"), f"{title}: {roles}")
    yield Text(f"  {'; '.join(_seen(member))}")


def _seen(member: Member) -> Iterator[str]:
    if member.first_touch is None:
        yield "never seen here"
    else:
        lag = f", {member.lag_days:.0f} days after the first of them" if member.lag_days else ""
        yield f"seen since {_day(member.first_touch)}{lag}"
        if member.stage:
            yield f"in {member.stage}"
        if member.engagement:
            yield f"{member.engagement:.0f} points"
        yield f"last: {member.steps[0]}" if member.steps else f"last on {_day(member.last_touch)}"
    if member.valid_to:
        yield f"left on {_day(member.valid_to)}"
        return
    if member.status in ("quiet", "silent"):
        yield member.status
    may = "may be approached" if member.reachable else "may not be approached"
    yield f"{may}: {member.reach}" if member.reach else may


def _crossings(shown: Dossier) -> Iterator[Text]:
    """The latest ones."""
    left = len(shown.crossings) - MOST_CROSSINGS
    if left > 0:
        yield Text(f"{left:,} earlier ones, and", "dim")
    for one in shown.crossings[-MOST_CROSSINGS:]:
        names = [shown.name_of(contact) for contact in one.contacts]
        if len(names) > MOST_NAMES:
            names[MOST_NAMES:] = [f"{len(names) - MOST_NAMES:,} more"]
        yield Text(f"{_day(one.at)} {one.type.replace('_', ' ')}, {one.topic}: {' and '.join(names)}")


def _latest_first(handoffs: Iterable[Handoff]) -> list[Handoff]:
    """Those that are not over before those that are; of each the latest first."""
    latest = sorted(handoffs, key=lambda one: (one.at, one.attempt), reverse=True)
    return sorted(latest, key=lambda one: one.status not in OPEN)


def _handoff(one: Handoff) -> Iterator[Text]:
    ended = f", {one.status} on {_day(one.outcome_at)}" if one.outcome_at else f", {one.status}"
    why = next((f": {text}" for text in (one.outcome_reason, one.outcome_code) if text), "")
    worth = f" ({one.currency} {money(one.value)})".replace("( ", "(") if one.value else ""
    style = "bold" if one.status in OPEN else "dim"
    yield Text(f"{one.handoff_id} made on {_day(one.at)}{ended}{worth}{why}", style)
    if one.status not in OPEN:
        return
    for reason in one.reasons:
        yield Text(f"  {reason}")
    yield Text(f"  {first_call(one)}", "green")
    if one.status == "open" and one.feedback_due:
        tell = f"journeys outcome {one.handoff_id} accepted"
        yield Text(f"  say by {_day(one.feedback_due)} what becomes of it: {tell}")


def first_call(one: Handoff) -> str:
    """Whom to call first, by what, and why."""
    first = one.call_first
    if not (first.contact or first.email):
        return f"call first: {first.why or 'nobody is known who may be approached'}"
    if not first.contact:  # the firm's mailbox
        return f"write to {first.email}; {first.why}"
    how = ", ".join(filter(None, (first.phone, first.email))) or "no address or number that may be used"
    return f"call first: {first.name or first.contact}, {how}; {first.why}"


def _missing(shown: Dossier) -> Iterator[Text]:
    for role in shown.roles_missing:
        yield Text(f"no {role} is known, and the stage asks for one", "yellow")


def _next(shown: Dossier) -> Iterator[Text]:
    action, question = shown.next_best_action, shown.next_question
    if action.message:
        until = f"until {action.when}" if action.when else ""
        by = f"by {action.channel}" if action.channel else ""
        whom = ", ".join(filter(None, (action.name, by, until)))
        yield Text(f"{whom}: {action.message}" if whom else action.message, "bold")
        if action.why:
            yield Text(f"  {action.why}")
    if question.text:
        yield Text(f"ask: {question.text}" + (f" ({question.why})" if question.why else ""))


def _before(shown: Dossier) -> Iterator[Text]:
    for one in reversed(shown.journeys[:-1]):
        stages = " → ".join(stage.stage for stage in one.stages) or "no stage"
        period = f"{_day(one.opened_at)} until {_day(one.closed_at)}, closed by {one.closed_by}"
        yield Text(f"{one.number}: {period}: {stages}", "dim")


def _titled(title: str, lines: Iterable[Text]) -> Iterator[Text]:
    lines = list(lines)
    if lines:
        yield Text()
        yield Text(f"  {title}", "bold underline")
        yield from (Text("    ") + line for line in lines)


def money(value: str) -> str:
    """A decimal with thousands and two digits.

    >>> money("4612.750000"), money("12")
    ('4,612.75', '12.00')
    """
    return f"{float(value or 0):,.2f}"


def _day(time: str | None) -> str:
    return time[:10] if time else ""


def _day_of(ms: int) -> str:
    return rfc3339(ms)[:10]
