"""From scores to probabilities that mean what they say, and how well they do."""

from collections.abc import Sequence
from math import exp, log

import msgspec

Judged = Sequence[tuple[float, bool]]
"""Score or probability, and what came."""


class Platt(msgspec.Struct, frozen=True):
    """p = 1 / (1 + e^-(slope · score + shift))."""

    slope: float
    shift: float

    def probability(self, score: float) -> float:
        """Of a score."""
        at = self.slope * score + self.shift
        return 1 / (1 + exp(-at)) if at >= 0 else exp(at) / (1 + exp(at))


def fit_platt(judged: Judged) -> Platt:
    """The line that makes what came most likely: Platt (1999), with his smoothed targets and Newton's steps.

    The slope is not below 0: scores that mislead are worth nothing, and are not turned around.

    >>> told = [(score / 10, n < 5 + score) for score in range(-4, 5) for n in range(10)]
    >>> found = fit_platt(told)
    >>> round(found.probability(-0.4), 2), round(found.probability(0.0), 2), round(found.probability(0.4), 2)
    (0.14, 0.5, 0.86)
    """
    wins = sum(won for _, won in judged)
    rest = len(judged) - wins
    high, low = (wins + 1) / (wins + 2), 1 / (rest + 2)
    start = log((wins + 1) / (rest + 1))
    slope, shift = 0.0, start
    for _ in range(25):
        g0 = g1 = h01 = 0.0
        h00 = h11 = 1e-9
        now = Platt(slope, shift)
        for score, won in judged:
            p = now.probability(score)
            error, weight = p - (high if won else low), p * (1 - p)
            g0, g1 = g0 + error * score, g1 + error
            h00, h01, h11 = h00 + weight * score * score, h01 + weight * score, h11 + weight
        whole = h00 * h11 - h01 * h01
        if whole <= 1e-12:
            break
        step0, step1 = (h11 * g0 - h01 * g1) / whole, (h00 * g1 - h01 * g0) / whole
        longest = max(
            abs(step0), abs(step1), 1.0
        )  # one unit at most: Newton overshoots where p is near 0 or 1
        slope, shift = slope - step0 / longest, shift - step1 / longest
        if max(abs(step0), abs(step1)) < 1e-7:
            break
    return Platt(slope, shift) if slope > 0 else Platt(0.0, start)


def ranked_auc(judged: Judged) -> float | None:
    """The share of pairs, one that came and one that did not, in which the former was ranked higher.

    >>> ranked_auc([(0.1, False), (0.4, False), (0.35, True), (0.8, True)])
    0.75
    """
    ordered = sorted(judged)
    wins = sum(won for _, won in ordered)
    if not 0 < wins < len(ordered):
        return None
    above, i = 0.0, 0
    lost_below = 0
    while i < len(ordered):
        j = i
        while j < len(ordered) and ordered[j][0] == ordered[i][0]:
            j += 1
        won_here = sum(won for _, won in ordered[i:j])
        lost_here = j - i - won_here
        above += won_here * (lost_below + lost_here / 2)
        lost_below += lost_here
        i = j
    return above / (wins * (len(ordered) - wins))


def reliability_error(judged: Judged, bins: int = 10) -> float:
    """Expected calibration error: how far, in tenths of equal size, probabilities are from shares.

    >>> reliability_error([(0.5, True), (0.5, False)] * 10)
    0.0
    """
    ordered = sorted(judged, key=lambda one: one[0])
    total = 0.0
    for number in range(bins):
        part = ordered[number * len(ordered) // bins : (number + 1) * len(ordered) // bins]
        total += abs(sum(p - won for p, won in part))
    return total / len(ordered)
