"""How long a silence may last before it means something: the MBG/NBD model, in closed form.

While alive, somebody is active at a rate of their own; after each active day, the first included, they leave
for good with a probability of their own. Rates are Gamma(`r`, `alpha`) over all somebodies, probabilities of
leaving Beta(`a`, `b`). What is known of one of them is

- `repeats`: active days after the first one,
- `recency`: from the first to the last active day,
- `age`: from the first active day to now (at least `recency`), or `gap`: from the last one to now.

Times are in the unit of `alpha`: weeks. All functions are pure, cost about a microsecond, and are safe for
ten thousand repeats and decades of age: they add logarithms where the formulas multiply powers.

Caveats: the model knows no seasons and no appointments; it takes activity within a rhythm as random, so a
punctual monthly buyer is given as much time as one who buys monthly on average. Recency alone ranks almost as
well on some data: always look at it beside the model.

References: Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for customer
base analysis, Int. J. of Research in Marketing 24(3). Hoppe, Wagner (2007), Customer base analysis: the case
for a central variant of the betageometric/NBD model, Marketing ZFP 29(2).
"""

from math import exp, expm1, inf, lgamma, log, log1p

import msgspec


class Parameters(msgspec.Struct, frozen=True):
    """What is known of everybody together. The default was fitted on the purchases of CDNOW's customers.

    Parameters
    ----------
    r, alpha
        Shape, and rate in weeks, of the activity: on average `r / alpha` active days a week while alive.
    a, b
        Of the probability to leave after an active day: on average `a / (a + b)`.
    """

    r: float = 0.525
    alpha: float = 6.183  # weeks
    a: float = 0.891
    b: float = 1.614


def p_alive(parameters: Parameters, repeats: int, recency: float, age: float) -> float:
    """The probability that they have not left.

    >>> round(p_alive(Parameters(), 6, 4.0, 4.0), 2), round(p_alive(Parameters(), 6, 4.0, 10.0), 2)
    (0.9, 0.29)
    """
    return _one_in(_log_odds(parameters, repeats, recency, age - recency))


def p_active(parameters: Parameters, repeats: int, recency: float, age: float, horizon: float) -> float:
    """The probability of an active day within `horizon` from now.

    >>> round(p_active(Parameters(), 6, 4.0, 4.0, 30 / 7), 2)
    0.8
    """
    waits = log1p(horizon / (parameters.alpha + age))
    return p_alive(parameters, repeats, recency, age) * -expm1(-(parameters.r + repeats) * waits)


def alarm_gap(parameters: Parameters, repeats: int, recency: float, threshold: float) -> float:
    """How long after the last active day `p_alive` has fallen to `threshold` (in 0 to 1, not included).

    0 where it is lower from the start, infinity where that is beyond all numbers.

    >>> gap = alarm_gap(Parameters(), 6, 4.0, 0.3)
    >>> round(gap, 2), round(p_alive(Parameters(), 6, 4.0, 4.0 + gap), 6)
    (5.93, 0.3)
    """
    log_odds = log((1 / threshold - 1) * (parameters.b + repeats) / parameters.a)
    if log_odds <= 0:
        return 0.0
    try:
        return (parameters.alpha + recency) * expm1(log_odds / (parameters.r + repeats))
    except OverflowError:
        return inf


def active_alarm_gap(
    parameters: Parameters, repeats: int, recency: float, threshold: float, horizon: float
) -> float:
    """How long after the last active day `p_active` has fallen to `threshold`, to 10⁻⁴ weeks (a minute).

    It has no closed form: `p_active` falls as the gap grows and is below `p_alive`, whose gap bounds this
    one, so it is found by bisection (twenty steps). Nothing lasts longer than 10⁵ weeks here.

    >>> gap = active_alarm_gap(Parameters(), 6, 4.0, 0.3, 30 / 7)
    >>> round(gap, 2), round(p_active(Parameters(), 6, 4.0, 4.0 + gap, 30 / 7), 4)
    (5.12, 0.3)
    """
    low, high = 0.0, min(alarm_gap(parameters, repeats, recency, threshold), 1e5)
    if p_active(parameters, repeats, recency, recency, horizon) <= threshold:
        return 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if p_active(parameters, repeats, recency, recency + middle, horizon) > threshold:
            low = middle
        else:
            high = middle
    return high


def log_likelihood(parameters: Parameters, repeats: int, recency: float, age: float) -> float:
    """The logarithm of the likelihood of one somebody's history.

    >>> round(log_likelihood(Parameters(), 2, 30.43, 38.86), 3)
    -9.486
    """
    r, alpha, a, b = parameters.r, parameters.alpha, parameters.a, parameters.b
    gone = _log_odds(parameters, repeats, recency, age - recency)
    either = max(gone, 0.0) + log1p(exp(-abs(gone)))  # alive, or gone: log(1 + odds)
    rates = lgamma(r + repeats) - lgamma(r) + r * log(alpha) - (r + repeats) * log(alpha + age)
    stays = lgamma(b + repeats + 1) - lgamma(a + b + repeats + 1) + lgamma(a + b) - lgamma(b)
    return rates + stays + either


def _log_odds(parameters: Parameters, repeats: int, recency: float, gap: float) -> float:
    """The logarithm of the odds that they have left."""
    waited = (parameters.r + repeats) * log1p(gap / (parameters.alpha + recency))
    return log(parameters.a / (parameters.b + repeats)) + waited


def _one_in(log_odds: float) -> float:
    """1 / (1 + odds), for any odds."""
    if log_odds <= 0:
        return 1 / (1 + exp(log_odds))
    small = exp(-log_odds)
    return small / (1 + small)
