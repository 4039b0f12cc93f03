"""The rhythm of each and the fit on all: what the formulas give, from the set of active days alone."""

import random
from bisect import bisect_left

import pytest
from test_inactivity import cdnow

from online_models.inactivity import Parameters, alarm_gap, log_likelihood, p_active, p_alive
from online_models.rhythms import (
    ENOUGH,
    FALSE_ALARMS,
    RECENT,
    Rhythms,
    Standing,
    calibrate,
    fit_parameters,
    together,
)


def lives(number: int, seed: int, until: int = 400) -> list[tuple[str, int]]:
    """Active days of people as the model says they live, and somewhat other than CDNOW's customers."""
    rng = random.Random(seed)
    truth = Parameters(r=1.2, alpha=3.0, a=0.8, b=4.0)
    told = []
    for n in range(number):
        rate, leaves = rng.gammavariate(truth.r, 1 / truth.alpha), rng.betavariate(truth.a, truth.b)
        now = rng.uniform(0, 60)
        end = len(told) + RECENT  # of whom more is known, not all is
        while now < until and len(told) < end:
            told.append((f"c{n}", int(now)))
            if rng.random() < leaves:
                break
            now += 7 * rng.expovariate(rate)
    return told


def told_of(days: list[tuple[str, int]]) -> Rhythms:
    rhythms = Rhythms()
    for who, day in days:
        rhythms.learn_one(who, day)
    return rhythms


def test_what_is_known_of_somebody_is_what_the_formulas_give():
    rhythms = told_of([("c", day) for day in (0, 7, 7, 35, 28)])
    assert rhythms.statistics("c") == (3, 5.0, 35)
    found = rhythms.predict_one("c", 77)
    assert found.p_alive == p_alive(Parameters(), 3, 5.0, 11.0)
    assert found.p_active == p_active(Parameters(), 3, 5.0, 11.0, 30 / 7)
    assert found.alarm_days == 7 * alarm_gap(Parameters(), 3, 5.0, 0.3)
    assert found.recency_days == 42
    assert rhythms.predict_one("c", 35 + int(found.alarm_days) + 1).level == "silent"
    assert rhythms.predict_one("c", 35 + int(found.alarm_days)).level == "quiet"
    assert rhythms.predict_one("c", 35).level == "active"


def test_two_active_days_are_no_rhythm():
    rhythms = told_of([("c", 0), ("c", 9)])
    assert rhythms.predict_one("c", 300) == Standing("unknown", None, None, 291, None)
    assert rhythms.statistics("nobody") is None


def test_order_and_doubles_leave_no_trace():
    told = lives(90, 1)
    rng = random.Random(2)
    straight, wild = told_of(sorted(told)), told_of(rng.sample(told + told[::3], len(told) + len(told[::3])))
    assert straight.close_epoch(400) == wild.close_epoch(400)
    assert straight.snapshot() == wild.snapshot()


def test_many_active_days_are_counted():
    days = list(range(0, 600, 3))
    rhythms = told_of([("c", day) for day in random.Random(4).sample(days, len(days))])
    assert rhythms.statistics("c") == (199, 597 / 7, 597)
    assert len(rhythms.snapshot()) < 10 * RECENT
    rhythms.remove("c")
    assert rhythms.statistics("c") is None
    assert rhythms.snapshot() == Rhythms().snapshot()


def test_few_rhythms_are_not_fitted():
    days = [(f"c{n}", day) for n in range(ENOUGH - 1) for day in (0, 5 + n % 9, 20 + n % 7)]
    rhythms = told_of([*days, ("new", 3), ("new", 4)])
    assert rhythms.close_epoch(100) is None
    assert rhythms.fit_on(100).version == 0
    rhythms.learn_one("new", 5)
    assert rhythms.close_epoch(100).regulars == ENOUGH


def test_a_fit_holds_from_its_day_on():
    rhythms = told_of(lives(150, 5))
    first = rhythms.close_epoch(200)
    assert rhythms.close_epoch(200) is None
    second = rhythms.close_epoch(207)
    assert [rhythms.fit_on(day).version for day in (199, 200, 206, 207, 900)] == [0, 1, 1, 2, 2]
    assert first.parameters != second.parameters
    who = next(f"c{n}" for n in range(150) if rhythms.predict_one(f"c{n}", 450).p_alive is not None)
    repeats, recency, last = rhythms.statistics(who)
    history = repeats, recency, recency + (450 - last) / 7
    assert rhythms.predict_one(who, 450).p_alive == p_alive(second.parameters, *history)
    assert rhythms.predict_one(who, 450).p_alive != p_alive(Parameters(), *history)


def test_parameters_of_simulated_lives_are_found():
    rhythms = told_of(lives(1_500, 6))
    found = rhythms.close_epoch(400).parameters
    assert found.r / found.alpha == pytest.approx(1.2 / 3.0, rel=0.15)
    assert found.a / (found.a + found.b) == pytest.approx(0.8 / 4.8, rel=0.2)


def test_few_gaps_that_ended_raised_an_alarm():
    rhythms = told_of(lives(400, 7))
    fit = rhythms.close_epoch(400)
    assert fit.silent <= fit.quiet
    assert fit.false_alarms <= FALSE_ALARMS
    by_hand = total = 0
    days: dict[str, list[int]] = {}
    for who, day in lives(400, 7):
        if day not in days.setdefault(who, []):
            days[who].append(day)
    for of_one in days.values():
        for n in range(2, len(of_one) - 1):
            gap = (of_one[n + 1] - of_one[n]) / 7
            alarm = alarm_gap(fit.parameters, n, (of_one[n] - of_one[0]) / 7, fit.silent)
            by_hand, total = by_hand + (gap > alarm), total + 1
    assert by_hand / total == pytest.approx(fit.false_alarms, abs=0.002)
    assert by_hand / total > 0.05 or fit.silent == 0.3  # no lower than it must be


def test_where_many_come_back_late_alarms_wait_longer():
    rhythms = Rhythms()
    for n in range(80):
        for day in [*range(0, 18, 3), *([215] if n < 60 else [])]:  # a fifth of the gaps are long
            rhythms.learn_one(f"c{n}", day + n % 7)
    fit = rhythms.close_epoch(230)
    assert fit.silent < 0.3
    assert fit.false_alarms <= FALSE_ALARMS
    assert fit.quiet >= fit.silent


def test_thresholds():
    ended = [n / 100 for n in range(100)]
    for most in (0.05, 0.1, 0.2):
        found = calibrate(ended, 0.3, most)
        assert bisect_left(ended, found) / 100 <= most
    assert calibrate([0.9] * 10, 0.3, 0.1) == 0.3
    assert calibrate([], 0.3, 0.1) == 0.3


def test_cdnow_is_fitted_as_published():
    customers = cdnow()
    found = fit_parameters(customers)
    assert [round(value, 3) for value in (found.r, found.alpha, found.a, found.b)] == [
        0.525, 6.183, 0.891, 1.614,
    ]  # fmt: skip
    assert sum(log_likelihood(found, *one) for one in customers) == pytest.approx(-9582.1, abs=0.05)


def test_a_group_is_active_when_one_is():
    rhythms = told_of([(who, day) for who in "ab" for day in (0, 7, 12)] + [("c", 3)])
    one, other, unknown = (rhythms.predict_one(who, 30) for who in "abc")
    assert together([one, other, unknown]) == pytest.approx(1 - (1 - one.p_active) ** 2)
    assert together([unknown]) is None
