"""Engagement: points of touches, weighted by role, capped per person and day, halved every so many days.

Days are whole days of the tenant's time zone. What is smaller than a hundredth of a point by now is left out
of the score and of its parts alike, so that the score is always the sum of the parts that are shown.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, fsum, log2
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

    __slots__ = ("_day", "_day_of", "_rule", "_theirs", "_total", "_weight_of")

    def __init__(self, rule: ScoreRule, weight_of: Mapping[str, float], day_of: Callable[[int], int]) -> None:
        self._rule = rule
        self._weight_of = weight_of
        self._day_of = day_of
        self._day = 0
        self._total = 0.0  # as of `_day`
        self._theirs: dict[str, tuple[int, float, float]] = {}  # person -> day, points on it, score as of it

    def add(self, touched: Touched) -> None:
        """Take the next touch."""
        rule, contact = self._rule, touched.contact
        points = rule.points.get(touched.touch.type)
        if not points:
            return
        today = self._day_of(touched.at)
        day, had, theirs = self._theirs.get(contact, (today, 0.0, 0.0))
        if day != today:
            had, theirs = 0.0, worth(theirs, today - day, rule.half_life_days)
        has = min(rule.most_a_day, had + points)
        more = (has - had) * self._weight_of.get(contact, 1.0)
        self._theirs[contact] = (today, has, theirs + more)
        if self._day != today:
            self._total = worth(self._total, today - self._day, rule.half_life_days)
            self._day = today
        self._total += more

    def score(self, at: int) -> float:
        """The score at a time not before that of the last touch, rounded as it is compared."""
        days = self._day_of(at) - self._day
        return round(worth(self._total, days, self._rule.half_life_days), 2)

    def shares(self, at: int) -> dict[str, float]:
        """What each person has of it."""
        today, half_life = self._day_of(at), self._rule.half_life_days
        return {
            contact: round(worth(theirs, today - day, half_life), 2)
            for contact, (day, _, theirs) in self._theirs.items()
        }


class Score:
    """An account's engagement: the sum of its parts."""

    __slots__ = ("_shares", "day", "parts", "value")

    def __init__(self, day: int | None, parts: list[Part], rule: ScoreRule) -> None:
        self.day = day  # of the last touch with points; None: there is none
        self.parts = parts  # the latest first
        theirs: dict[str, list[float]] = {}
        for part in parts:
            theirs.setdefault(part.contact, []).append(part.at(day or 0, rule))
        self._shares = {contact: round(fsum(values), 2) for contact, values in theirs.items()}
        self.value = round(fsum(value for values in theirs.values() for value in values), 2)  # as of `day`

    def of(self, contact: str) -> float:
        """The share of one person."""
        return self._shares.get(contact, 0.0)


def score(
    rule: ScoreRule, touches: Sequence[Touched], weight_of: Mapping[str, float], day_of: Callable[[int], int]
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
    types: dict[tuple[int, str], dict[str, int]] = {}
    last: int | None = None
    oldest = 0  # days before are worth less than what is shown, whoever's they are
    for at, _, _, contact, touch in reversed(touches):
        value = points_of.get(touch.type)
        if value:
            day = day_of(at)
            if last is None:
                last = day
                heaviest = max(weight_of.values(), default=1.0)
                halvings = log2(max(most * max(heaviest, 1.0) / _LEAST, 1.0))
                oldest = day - ceil(halvings * rule.half_life_days)
            elif day < oldest:
                break
            key = (day, contact)
            if key not in points:
                points[key], types[key] = 0.0, {}
            points[key] += value
            types[key][touch.type] = types[key].get(touch.type, 0) + 1
    if last is None:
        return Score(None, [], rule)
    parts = [
        Part(*key, float(min(most, total)), float(weight_of.get(key[1], 1.0)), types[key])
        for key, total in sorted(points.items(), reverse=True)
    ]
    return Score(last, [part for part in parts if part.at(last, rule) >= _LEAST], rule)
