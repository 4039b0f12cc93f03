"""MBG/NBD against numerical integration, against simulated histories and against published fits."""

import random
from importlib.util import find_spec
from math import exp, gamma, inf, isfinite, lgamma, log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from online_models.inactivity import (
    Parameters,
    active_alarm_gap,
    alarm_gap,
    log_likelihood,
    p_active,
    p_alive,
)

CDNOW = Parameters()  # weeks
OTHERS = (CDNOW, Parameters(2.0, 10.0, 1.5, 6.0), Parameters(0.2, 1.0, 0.3, 0.4))
HISTORIES = (
    (0, 0.0, 0.0),
    (0, 0.0, 20.0),
    (2, 0.3, 12.0),
    (6, 4.14, 4.14),
    (6, 4.14, 50.0),
    (40, 90.0, 95.0),
)


def integral(f, low=-200.0, high=200.0, steps=16_000) -> float:
    """Of a function that is 0 at both ends: the trapezoidal rule is then as good as any."""
    width = (high - low) / steps
    return width * sum(f(low + i * width) for i in range(steps + 1))


def over_rates(p: Parameters, power: int, time: float) -> float:
    """∫ λ^power e^(-λ time) Gamma(λ; r, alpha) dλ, on λ = e^u."""
    scale = p.r * log(p.alpha) - lgamma(p.r)
    return integral(lambda u: exp(scale + (p.r + power) * u - (p.alpha + time) * exp(u)), high=20.0)


def over_leaving(p: Parameters, leaves: int, stays: int) -> float:
    """∫ p^leaves (1-p)^stays Beta(p; a, b) dp, on p = 1 / (1 + e^-s)."""
    scale = gamma(p.a + p.b) / gamma(p.a) / gamma(p.b)
    return integral(lambda s: scale * (1 + exp(-s)) ** -(p.a + leaves) * (1 + exp(s)) ** -(p.b + stays))


def integrated(p: Parameters, repeats: int, recency: float, age: float, horizon: float):
    """P(alive), P(active) and the likelihood, from the definition of the model."""
    stays = over_leaving(p, 0, repeats + 1)
    alive = stays * over_rates(p, repeats, age)
    idle = stays * over_rates(p, repeats, age + horizon)  # alive, and not active within the horizon
    gone = over_leaving(p, 1, repeats) * over_rates(p, repeats, recency)
    return alive / (alive + gone), (alive - idle) / (alive + gone), alive + gone


@pytest.mark.parametrize("parameters", OTHERS)
@pytest.mark.parametrize("history", HISTORIES)
def test_closed_forms_are_what_integration_gives(parameters, history):
    alive, active, likelihood = integrated(parameters, *history, horizon=30 / 7)
    assert p_alive(parameters, *history) == pytest.approx(alive, rel=1e-8)
    assert p_active(parameters, *history, 30 / 7) == pytest.approx(active, rel=1e-6)
    assert log_likelihood(parameters, *history) == pytest.approx(log(likelihood), rel=1e-8)


def test_p_active_is_the_share_that_is_active_in_simulated_histories():
    """A hundred thousand lives, looked at after 39 weeks: of those given p, a share of p is active."""
    rng = random.Random(20)
    p, age, horizon, tenths = Parameters(0.8, 5.0, 0.9, 2.0), 39.0, 4.0, [[0, 0.0, 0] for _ in range(10)]
    for _ in range(100_000):
        rate, leaves = rng.gammavariate(p.r, 1 / p.alpha), rng.betavariate(p.a, p.b)
        times, now, alive = [0.0], 0.0, rng.random() >= leaves
        while alive and now < age + horizon:
            now += rng.expovariate(rate)
            times.append(now)
            alive = rng.random() >= leaves
        before = [time for time in times if time <= age]
        expected = p_active(p, len(before) - 1, before[-1], age, horizon)
        tenth = tenths[int(expected * 10)]
        tenth[0] += 1
        tenth[1] += expected
        tenth[2] += any(age < time <= age + horizon for time in times)
    assert sum(1 for number, _, _ in tenths if number > 100) >= 8
    for number, expected, active in tenths:
        spread = (expected * (1 - expected / max(number, 1))) ** 0.5
        assert abs(active - expected) <= 4 * spread + 1


@given(
    st.sampled_from(OTHERS),
    st.integers(0, 10_000),
    st.floats(0, 2_000),
    st.floats(1e-6, 1 - 1e-6),
    st.floats(0.1, 100),
)
def test_at_the_alarm_the_probability_is_the_threshold(parameters, repeats, recency, threshold, horizon):
    gap = alarm_gap(parameters, repeats, recency, threshold)
    if 0 < gap < 1e9:  # beyond, weeks that differ are the same float
        assert p_alive(parameters, repeats, recency, recency + gap) == pytest.approx(threshold, rel=1e-4)
    elif not gap:
        assert p_alive(parameters, repeats, recency, recency) <= threshold * (1 + 1e-9)
    active = active_alarm_gap(parameters, repeats, recency, threshold, horizon)
    assert active <= gap + 1e-4
    late = p_active(parameters, repeats, recency, recency + active + 1e-3, horizon)
    assert late <= threshold or active >= 99_999
    if active > 1e-3:
        assert p_active(parameters, repeats, recency, recency + active - 1e-3, horizon) >= threshold


@given(st.sampled_from(OTHERS), st.integers(0, 10_000), st.floats(0, 5_000), st.floats(0, 5_000))
def test_numbers_stay_numbers_for_decades_and_ten_thousand_days(parameters, repeats, recency, gap):
    history = (repeats, recency, recency + gap)
    alive, active = p_alive(parameters, *history), p_active(parameters, *history, 30 / 7)
    assert 0 <= active <= alive <= 1
    assert isfinite(log_likelihood(parameters, *history))
    later = (repeats, recency, recency + gap + 1)
    assert p_alive(parameters, *later) <= alive
    assert p_active(parameters, *later, 30 / 7) <= active


def test_a_gap_beyond_all_numbers_is_infinite():
    assert alarm_gap(Parameters(0.01, 1, 1, 1), 0, 0, 1e-9) == inf
    assert active_alarm_gap(Parameters(0.01, 1, 1, 1), 0, 0, 1e-9, 1e6) == pytest.approx(1e5)


def test_odds_as_published():
    """1 / (1 + a / (b + x) ((alpha + T) / (alpha + t_x))^(r + x)): Hoppe and Wagner (2007)."""
    r, alpha, a, b, x, recency, age = 0.525, 6.183, 0.891, 1.614, 2, 30.43, 38.86
    published = 1 / (1 + a / (b + x) * ((alpha + age) / (alpha + recency)) ** (r + x))
    assert p_alive(CDNOW, x, recency, age) == pytest.approx(published, rel=1e-12)


def cdnow() -> list[tuple[int, float, float]]:
    """The sample's 2,357 customers after 39 weeks: days with purchases after the first, recency, age."""
    found = find_spec("lifetimes")
    if found is None or found.origin is None:
        pytest.skip("the package lifetimes, which ships CDNOW's purchases, is not installed")
    import datetime

    end = datetime.date(1997, 9, 30)
    days: dict[str, set[datetime.date]] = {}
    for line in (Path(found.origin).parent / "datasets" / "CDNOW_sample.txt").read_text().splitlines():
        if line.strip():
            _, customer, date, *_ = line.split()
            days.setdefault(customer, set()).add(datetime.date(int(date[:4]), int(date[4:6]), int(date[6:])))
    ordered = [sorted(day for day in bought if day <= end) for bought in days.values()]
    return [(len(d) - 1, (d[-1] - d[0]).days / 7, (end - d[0]).days / 7) for d in ordered]


def test_cdnow_as_published():
    customers = cdnow()
    assert len(customers) == 2357

    def total(parameters: Parameters) -> float:
        return sum(log_likelihood(parameters, *customer) for customer in customers)

    best = total(CDNOW)
    assert best == pytest.approx(-9582.1, abs=0.05)
    values = (CDNOW.r, CDNOW.alpha, CDNOW.a, CDNOW.b)
    for i, value in enumerate(values):  # the maximum is here
        for factor in (0.98, 1.02):
            assert total(Parameters(*values[:i], value * factor, *values[i + 1 :])) < best
