"""Engagement: points of touches, weighted by role, capped per person and day, halved every so many days.

Days are whole days of the tenant's time zone. What is smaller than a hundredth of a point by now is left out
of the score and of its parts alike, so that the score is always the sum of the parts that are shown.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import fsum
from typing import Final, NamedTuple

from streams.definition.model import ScoreRule
from streams.journeys.stages import Touched

_LEAST: Final = 0.01  # points


class Part(NamedTuple):
    """What one person (empty: the firm itself) did on one day."""

    day: int  # since 1970
    contact: str
    points: float  # at most `most_a_day`
    weight: float
    types: dict[str, int]

    def at(self, day: int, rule: ScoreRule) -> float:
        """What it is worth on a later day."""
        return worth(self.points * self.weight, day - self.day, rule.half_life_days)


def worth(points: float, days: int, half_life_days: int) -> float:
    """Points after so many whole days.

    >>> worth(20, 28, 14)
    5.0
    """
    return float(points * 0.5 ** (days / half_life_days))


class Meter:
    """The score along a walk: touches in order of their time."""

    __slots__ = ("_day", "_day_of", "_rule", "_today", "_total", "_weight_of")

    def __init__(self, rule: ScoreRule, weight_of: Mapping[str, float], day_of: Callable[[int], int]) -> None:
        self._rule = rule
        self._weight_of = weight_of
        self._day_of = day_of
        self._day = 0
        self._total = 0.0  # as of `_day`
        self._today: dict[str, float] = {}  # points per person on `_day`, capped

    def add(self, touched: Touched) -> float:
        """Take the next touch; the score as of its day, rounded as it is compared."""
        points = self._rule.points.get(touched.touch.type, 0.0)
        if points:
            day = self._day_of(touched.at)
            if day != self._day:
                self._total = worth(self._total, day - self._day, self._rule.half_life_days)
                self._day = day
                self._today.clear()
            had = self._today.get(touched.contact, 0.0)
            has = self._today[touched.contact] = min(self._rule.most_a_day, had + points)
            self._total += (has - had) * self._weight_of.get(touched.contact, 1.0)
        return self.score(touched.at)

    def score(self, at: int) -> float:
        """The score at a time not before that of the last touch."""
        days = self._day_of(at) - self._day
        return round(worth(self._total, days, self._rule.half_life_days), 2)


class Score(NamedTuple):
    """An account's engagement."""

    value: float  # as of `day`
    day: int | None  # of the last touch with points; None: there is none
    parts: list[Part]  # the latest first; they add up to the value

    def of(self, contact: str, rule: ScoreRule) -> float:
        """The share of one person."""
        if self.day is None:
            return 0.0
        return round(fsum(p.at(self.day, rule) for p in self.parts if p.contact == contact), 2)


def score(
    rule: ScoreRule, touches: Iterable[Touched], weight_of: Mapping[str, float], day_of: Callable[[int], int]
) -> Score:
    """The score of these touches, in order of their time, with its parts.

    >>> from streams.definition import default
    >>> from schemas.internal import Mini
    >>> asked = Mini(0, 0, "e1", "web", "demo_requested", 0, 3, "", "demo", "", "", "web")
    >>> found = score(default().score, [Touched(0, "web", "e1", "c1", asked)], {"c1": 1.5}, lambda at: at)
    >>> found.value, found.parts[0].types
    (37.5, {'demo_requested': 1})
    """
    most, points_of = rule.most_a_day, rule.points
    points: dict[tuple[int, str], float] = {}
    types: dict[tuple[int, str], Counter[str]] = {}
    for at, _, _, contact, touch in touches:
        value = points_of.get(touch.type)
        if value:
            key = (day_of(at), contact)
            points[key] = points.get(key, 0.0) + value
            types.setdefault(key, Counter())[touch.type] += 1
    if not points:
        return Score(0.0, None, [])
    last = max(day for day, _ in points)
    parts = [
        Part(day, contact, min(most, total), weight_of.get(contact, 1.0), dict(types[day, contact]))
        for (day, contact), total in sorted(points.items(), reverse=True)
    ]
    parts = [part for part in parts if part.at(last, rule) >= _LEAST]
    return Score(round(fsum(part.at(last, rule) for part in parts), 2), last, parts)
