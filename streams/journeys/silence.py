"""Silence: the gaps between active days that are long for this rhythm, of a member or of the account.

The levels are a table, `LEVELS`; how a status becomes another is one too, `TRANSITIONS`. An alarm is raised
when the gap since the last touch has become longer than what the model allows (`online_models.inactivity`)
and than the rule's shortest for that level. Past spells follow from the touches alone; only the last gap
needs the clock.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from online_models.inactivity import Parameters, alarm_gap, p_active
from schemas.times import DAY_MS
from streams.definition.model import SilenceRule

WEEK_MS: Final = 7 * DAY_MS  # the model's unit
_NEVER: Final = 1 << 61  # ms: longer than any gap


class Level(NamedTuple):
    """A level of silence: a status that an alarm begins and the next touch ends."""

    name: str
    threshold: Callable[[SilenceRule], float]  # of P(alive)
    earliest: Callable[[SilenceRule], int]  # days


LEVELS: Final = (  # from the lighter to the heavier: the alarm of each comes no earlier than that before
    Level("quiet", lambda rule: rule.quiet, lambda rule: rule.quiet_days),
    Level("silent", lambda rule: rule.silent, lambda rule: rule.silent_days),
)
UNKNOWN, ACTIVE = "unknown", "active"


class Transition(NamedTuple):
    """How a status becomes another one."""

    was: str
    now: str
    when: str  # in words
    event: str  # what is told; empty: nothing


TRANSITIONS: Final = (
    Transition(UNKNOWN, ACTIVE, "enough active days", ""),
    Transition(ACTIVE, "quiet", "alarm", "went_quiet"),
    Transition("quiet", "silent", "alarm", "went_silent"),
    Transition("quiet", ACTIVE, "touch", "revived"),
    Transition("silent", ACTIVE, "touch", "revived"),
)


class Spell(NamedTuple):
    """One spell of a level; times in ms."""

    level: str
    since_ms: int  # the alarm time
    last_touch_ms: int
    expected_gap_days: float  # from the last touch to the alarm
    p_active: float  # at the alarm: probability of an active day in the rule's horizon
    ended_at_ms: int | None  # the next touch; None: it lasts


class Rhythm(NamedTuple):
    """What the touches say of the life of a member, or of the account."""

    status: str  # active, quiet, silent, unknown
    p_active: float | None  # when the status began; None: unknown
    active_days: int
    spells: list[Spell]  # by last touch, then level: ascending
    next_alarm_ms: int | None  # when the clock has passed it, the status changes; None: it does not by itself


def spells(
    rule: SilenceRule,
    parameters: Parameters,
    times_ms: Iterable[int],
    clock_ms: int,
    day_of: Callable[[int], int],
) -> Rhythm:
    """The rhythm of these touches (ascending times of signs of life by persons) when the clock stands so.

    `day_of` gives the number of the day, in the tenant's zone, that a time falls on. A gap ends at the next
    touch; at the very time of the alarm it is no silence yet.

    >>> rule = SilenceRule(quiet=0.5, silent=0.3, horizon_days=30, active_days=3)
    >>> times = [day * DAY_MS for day in (0, 1, 7, 9, 15, 22, 29, 344)]
    >>> found = spells(rule, Parameters(), times, 345 * DAY_MS, lambda at: at // DAY_MS)
    >>> [(s.level, s.expected_gap_days, s.p_active) for s in found.spells], found.status
    ([('quiet', 28.1, 0.4092), ('silent', 42.1, 0.2344)], 'active')
    """
    found: list[Spell] = []
    shortest = LEVELS[0].earliest(rule) * DAY_MS
    days = first = day = last = 0
    for at in times_ms:
        today = day_of(at)
        if days and today <= day:  # a clock put back at midnight ends no day twice
            last = at
            continue
        if days >= rule.active_days and at - last > shortest:
            found += _silences(rule, parameters, days, day - first, last, at, ended_at=at)[0]
        days += 1
        day, last = today, at
        if days == 1:
            first = today
    if days < rule.active_days:
        return Rhythm(UNKNOWN, None, days, found, None)

    span = day - first
    lasting, next_alarm = _silences(rule, parameters, days, span, last, clock_ms, ended_at=None)
    return Rhythm(
        status=lasting[-1].level if lasting else ACTIVE,
        p_active=lasting[-1].p_active if lasting else _p_active(rule, parameters, days, span, 0),
        active_days=days,
        spells=found + lasting,
        next_alarm_ms=next_alarm,
    )


def _silences(
    rule: SilenceRule,
    parameters: Parameters,
    days: int,
    span: int,
    last: int,
    end: int,
    ended_at: int | None,
) -> tuple[list[Spell], int | None]:
    """The spells of one gap from `last` to `end` (ms), and the first alarm (ms) that it has not passed.

    `days` active days were seen in `span` days.
    """
    made: list[Spell] = []
    for level in LEVELS:
        modelled = alarm_gap(parameters, days - 1, span / 7, level.threshold(rule)) * WEEK_MS
        gap = max(int(min(modelled, _NEVER)), level.earliest(rule) * DAY_MS)
        if last + gap >= end:
            return made, last + gap
        expects = _p_active(rule, parameters, days, span, gap)
        made.append(Spell(level.name, last + gap, last, round(gap / DAY_MS, 1), expects, ended_at))
    return made, None


def _p_active(rule: SilenceRule, parameters: Parameters, days: int, span: int, gap: int) -> float:
    """The probability of an active day in the rule's horizon, `gap` ms after the last touch."""
    recency = span / 7
    return round(p_active(parameters, days - 1, recency, recency + gap / WEEK_MS, rule.horizon_days / 7), 4)
