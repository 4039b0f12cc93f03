"""Silence in rhythms that people know, at its boundaries, and against a count that takes it literally."""

from bisect import bisect_left
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_models.inactivity import Parameters, alarm_gap, p_active, p_alive
from schemas.times import DAY_MS, HOUR_MS, day_in, from_rfc3339
from streams.definition.model import SilenceRule
from streams.journeys.silence import LEVELS, TRANSITIONS, Rhythm, Spell, spells

RULE = SilenceRule(quiet=0.5, silent=0.3, horizon_days=30, active_days=3)
BARE = SilenceRule(0.5, 0.3, 30, 3, quiet_days=0, silent_days=0)  # the model alone
MODEL = Parameters()
START = from_rfc3339("2024-01-01T10:00:00Z")


def utc(ms: int) -> int:
    return ms // DAY_MS


def told(times: list[str], clock: str, rule: SilenceRule = RULE) -> Rhythm:
    return spells(rule, MODEL, [from_rfc3339(time) for time in times], from_rfc3339(clock), utc)


def rhythm(days: list[int], clock: float, rule: SilenceRule = RULE) -> Rhythm:
    """Touches at ten in the morning of these days; the clock that many days after the first."""
    return spells(rule, MODEL, [START + day * DAY_MS for day in days], int(START + clock * DAY_MS), utc)


DELTA = [
    "2024-02-05T09:00:00Z",
    "2024-02-06T09:30:00Z",
    "2024-02-12T13:00:00Z",
    "2024-02-14T07:45:00Z",
    "2024-02-20T10:00:00Z",
    "2024-02-27T09:00:00Z",
    "2024-02-27T09:00:00Z",
    "2024-03-05T15:00:00Z",
    "2025-01-14T08:30:00Z",
    "2025-01-15T08:50:00Z",
]


def test_09_a_lost_lead_was_silent_and_is_back():
    found = told(DELTA, "2025-01-15T08:50:00Z")
    assert (found.status, found.active_days) == ("active", 9)
    assert [(s.level, s.ended_at_ms) for s in found.spells] == [
        ("quiet", from_rfc3339("2025-01-14T08:30:00Z")),
        ("silent", from_rfc3339("2025-01-14T08:30:00Z")),
    ]
    quiet, silent = found.spells
    assert quiet.last_touch_ms == silent.last_touch_ms == from_rfc3339("2024-03-05T15:00:00Z")
    assert quiet.since_ms < silent.since_ms
    assert from_rfc3339("2024-03-19T00:00:00Z") <= silent.since_ms <= from_rfc3339("2024-07-01T00:00:00Z")
    assert silent.expected_gap_days == pytest.approx(42.1)

    before = told(DELTA[:8], "2024-12-31T00:00:00Z")  # while it lasted
    assert before.status == "silent"
    assert before.p_active == silent.p_active == before.spells[-1].p_active
    assert before.spells == [spell._replace(ended_at_ms=None) for spell in found.spells]


def test_01_and_06_have_no_silence():
    wholesaler = [
        "2025-01-29T20:03:00Z",
        "2025-02-03T08:12:04Z",
        "2025-02-03T08:15:40Z",
        "2025-02-10T19:41:30Z",
        "2025-02-12T07:55:10Z",
        "2025-02-14T06:11:25Z",
        "2025-02-20T13:02:45Z",
        "2025-02-24T10:15:00Z",
        "2025-03-04T10:32:00Z",
        "2025-03-10T08:05:00Z",
        "2025-03-11T18:20:00Z",
    ]
    found = told(wholesaler, wholesaler[-1])
    assert (found.status, found.spells) == ("active", [])

    nordhaven = [  # monthly, the longest gap is 50 days
        "2025-03-04T10:11:00Z",
        "2025-03-11T10:40:00Z",
        "2025-04-22T09:15:00Z",
        "2025-04-29T12:00:00Z",
        "2025-05-21T07:40:00Z",
        "2025-06-24T08:05:00Z",
        "2025-08-13T07:30:00Z",
        "2025-09-30T07:55:00Z",
    ]
    found = told(nordhaven, nordhaven[-1])
    assert (found.status, found.spells) == ("active", [])
    assert told(nordhaven[:7], nordhaven[-1]).status == "active"


PAGE = (Path(__file__).parents[2] / "docs" / "journeys.md").read_text()


@pytest.mark.parametrize(
    ("name", "days", "quiet", "silent"),
    [
        ("three in a week", [0, 2, 5], 36, 69),
        ("three in a month", [0, 12, 28], 53, 102),
        ("seven in four weeks", [0, 1, 7, 9, 15, 22, 29], 28, 42),
        ("every working day of a year", [d for d in range(365) if d % 7 < 5], 14, 28),
        ("every week of a year", list(range(0, 365, 7)), 33, 40),
        ("every month of a year", list(range(0, 360, 30)), 96, 132),
        ("every quarter of three years", list(range(0, 3 * 365, 91)), 276, 375),
    ],
)
def test_the_alarm_fits_the_rhythm(name, days, quiet, silent):
    """As the page for marketing says."""
    found = [s for s in rhythm(days, 9_000).spells if s.ended_at_ms is None]
    assert [(s.level, round(s.expected_gap_days)) for s in found] == [("quiet", quiet), ("silent", silent)]
    assert f"| {name} | {quiet} days | {silent} days |" in PAGE


def test_three_weeks_of_holidays_are_no_silence():
    """A Friday to a Monday: 24 days for somebody who comes every working day."""
    days = [d for d in range(365) if d % 7 < 5 and not 200 <= d < 224]
    assert {s.level for s in rhythm(days, 365).spells} == {"quiet"}
    assert {s.level for s in rhythm(days, 365, BARE).spells} == {"quiet", "silent"}


def test_fewer_than_three_active_days_are_no_rhythm():
    assert rhythm([], 900) == Rhythm("unknown", None, 0, [], None)
    assert rhythm([0, 1], 900) == Rhythm("unknown", None, 2, [], None)
    assert rhythm([0, 0, 0, 1], 900) == Rhythm("unknown", None, 2, [], None)  # touches of one day are one
    assert rhythm([0, 1, 700], 700).spells == []  # nor was the gap before the third day a silence
    assert rhythm([0, 1, 700], 5000).status == "silent"


def test_an_alarm_is_not_raised_at_its_very_time():
    days = [0, 1, 7, 9, 15, 22, 29]
    silent = rhythm(days, 300).spells[1].since_ms
    times = [START + day * DAY_MS for day in days]
    assert spells(RULE, MODEL, times, silent, utc).status == "quiet"
    assert spells(RULE, MODEL, times, silent, utc).next_alarm_ms == silent
    assert spells(RULE, MODEL, times, silent + 1, utc).status == "silent"
    assert spells(RULE, MODEL, times, silent + 1, utc).next_alarm_ms is None
    assert [s.level for s in spells(RULE, MODEL, [*times, silent], silent, utc).spells] == ["quiet"]
    ended = spells(RULE, MODEL, [*times, silent + 1], silent + 1, utc)
    assert [s.ended_at_ms for s in ended.spells] == [silent + 1, silent + 1]


def test_alarms_count_from_the_last_touch_of_the_last_day():
    times = [START + day * DAY_MS for day in (0, 1, 7, 9, 15, 22, 29)]
    evening = [*times, times[-1] + 8 * HOUR_MS]
    alarm = spells(RULE, MODEL, times, times[-1], utc).next_alarm_ms
    assert alarm is not None
    assert spells(RULE, MODEL, evening, evening[-1], utc).next_alarm_ms == alarm + 8 * HOUR_MS


def test_days_are_those_of_the_zone():
    """22:30, 23:30 and 00:30 in Amsterdam, where UTC counts one day."""
    times = [from_rfc3339(f"2025-06-{time}:30:00Z") for time in ("01T20", "01T21", "01T22", "04T08")]
    assert spells(RULE, MODEL, times, times[-1], utc).active_days == 2
    assert spells(RULE, MODEL, times, times[-1], day_in("Europe/Amsterdam")).active_days == 3


def test_a_clock_put_back_at_midnight_ends_no_day_twice():
    days = [10, 11, 10, 11, 12]
    assert spells(RULE, MODEL, list(range(5)), 5, lambda at: days[at]).active_days == 3


def test_what_comes_after_the_clock_raises_no_alarm():
    assert rhythm([0, 1, 7, 9, 15, 22, 29], 10).status == "active"


def literal(rule: SilenceRule, times: list[int], clock: int) -> Rhythm:
    """The same by the definitions, gap by gap."""
    by_day: dict[int, list[int]] = {}
    for at in times:
        by_day.setdefault(utc(at), []).append(at)
    active = sorted(by_day)
    found, status, expects, alarm = [], "unknown", None, None
    for i, day in enumerate(active):
        if i + 1 < rule.active_days:
            continue
        last, until = max(by_day[day]), min(by_day[active[i + 1]]) if i + 1 < len(active) else None
        recency = (day - active[0]) / 7
        status, expects, alarm = "active", p_active(MODEL, i, recency, recency, 30 / 7), None
        for name, q, least in (
            ("quiet", rule.quiet, rule.quiet_days),
            ("silent", rule.silent, rule.silent_days),
        ):
            weeks = max(alarm_gap(MODEL, i, recency, q), least / 7)
            since = last + int(weeks * 7 * DAY_MS)
            if since < (clock if until is None else until):
                status, expects = name, p_active(MODEL, i, recency, recency + weeks, 30 / 7)
                found.append(Spell(name, since, last, round(weeks * 7, 1), round(expects, 4), until))
            elif alarm is None and until is None:
                alarm = since
    return Rhythm(status, expects and round(expects, 4), len(active), found, alarm)


histories = st.lists(
    st.one_of(st.integers(1, 12 * HOUR_MS), st.integers(1, 9 * DAY_MS), st.integers(DAY_MS, 400 * DAY_MS)),
    max_size=25,
).map(lambda gaps: [START + sum(gaps[: i + 1]) for i in range(len(gaps))])
rules = st.sampled_from([RULE, BARE, SilenceRule(0.8, 0.1, 30, 2, 3, 60)])


@given(rules, histories, st.integers(0, 500 * DAY_MS))
def test_it_is_what_the_definitions_say(rule, times, later):
    clock = (times[-1] if times else START) + later
    found, expected = spells(rule, MODEL, times, clock, utc), literal(rule, times, clock)
    assert found[:3] == pytest.approx(expected[:3])
    near = [spell._replace(since_ms=pytest.approx(spell.since_ms, abs=2)) for spell in expected.spells]
    assert found.spells == near  # the last digits of floats
    alarm = expected.next_alarm_ms
    assert found.next_alarm_ms == (None if alarm is None else pytest.approx(alarm, abs=2))


@given(rules, histories, st.integers(0, 500 * DAY_MS))
def test_the_timer_tells_when_the_status_changes_and_only_along_the_table(rule, times, later):
    clock = (times[-1] if times else START) + later
    allowed = {(t.was, t.now) for t in TRANSITIONS if t.when == "alarm"}
    found = spells(rule, MODEL, times, clock, utc)
    while (alarm := found.next_alarm_ms) is not None:
        assert alarm >= clock
        assert spells(rule, MODEL, times, alarm, utc).status == found.status
        after = spells(rule, MODEL, times, alarm + 1, utc)
        if after.status != found.status:
            assert (found.status, after.status) in allowed
        found, clock = after, alarm + 1
    assert spells(rule, MODEL, times, clock + 9_000 * DAY_MS, utc).status == found.status


@given(rules, histories, st.integers(0, 25))
def test_later_touches_change_only_the_last_gap(rule, times, cut):
    whole = spells(rule, MODEL, times, times[-1] if times else 0, utc).spells
    known = [at for at in times if bisect_left(times, at) < cut]
    part = spells(rule, MODEL, known, known[-1] if known else 0, utc).spells
    assert [s for s in whole if s.ended_at_ms is not None and known and s.ended_at_ms <= known[-1]] == part


def test_a_level_comes_no_earlier_than_the_one_before():
    for days in ([0, 1, 2], [0, 100, 300], list(range(500))):
        found = rhythm(days, 9_000).spells
        assert [s.level for s in found if s.ended_at_ms is None] == [level.name for level in LEVELS]
        assert sorted(found, key=lambda s: s.since_ms) == found


def test_the_alarm_is_where_the_model_says():
    quiet, silent = rhythm([0, 30, 60], 900, BARE).spells
    weeks = (silent.since_ms - silent.last_touch_ms) / 7 / DAY_MS
    assert p_alive(MODEL, 2, 60 / 7, 60 / 7 + weeks) == pytest.approx(0.3)
    assert silent.p_active == pytest.approx(p_active(MODEL, 2, 60 / 7, 60 / 7 + weeks, 30 / 7), abs=1e-4)
    assert silent.expected_gap_days == pytest.approx(7 * weeks, abs=0.05)
    assert quiet.since_ms < silent.since_ms


def test_every_level_and_every_status_has_its_transitions():
    into = {t.now: t.event for t in TRANSITIONS}
    assert {level.name: into[level.name] for level in LEVELS} == {
        "quiet": "went_quiet",
        "silent": "went_silent",
    }
    assert {t.was for t in TRANSITIONS if t.event == "revived"} == {level.name for level in LEVELS}
