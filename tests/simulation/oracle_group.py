"""Silence and shared steps, computed naively: for every day again, straight from models.md and journey.md.

The model itself (MBG/NBD) is written out in its plainest form. Only `Touched` is shared with the product.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.simulation.oracle import Touched
from tests.simulation.said import DAY_MS

LEVELS = {"quiet": (0.5, 14), "silent": (0.3, 28)}  # P(alive) below it, at least so many days
R, ALPHA, A, B = 0.525, 6.183, 0.891, 1.614  # weeks
WEEK_MS = 7 * DAY_MS


class Silence(NamedTuple):
    """Times in ms; `ended` None: it lasts."""

    level: str
    since: int
    last: int
    ended: int | None


def silences(times: Iterable[int], clock: int) -> list[Silence]:
    """The silences between these times of signs of life, and after them up to the clock."""
    heard = sorted(times)
    found = []
    for n, last in enumerate(heard):
        following = heard[n + 1] if n + 1 < len(heard) else None
        days = sorted({at // DAY_MS for at in heard[: n + 1]})
        if len(days) < 3 or (following is not None and following // DAY_MS == last // DAY_MS):
            continue
        end = clock if following is None else following
        for level, (threshold, least) in LEVELS.items():
            gap = max(int(_gap(len(days) - 1, (days[-1] - days[0]) / 7, threshold) * WEEK_MS), least * DAY_MS)
            if last + gap < end:
                found.append(Silence(level, last + gap, last, following))
    return found


def _gap(x: int, t_x: float, q: float) -> float:
    """g* = (α+t_x)·{[(1/q-1)(b+x)/a]^(1/(r+x)) - 1}, in weeks."""
    gap: float = (ALPHA + t_x) * (((1 / q - 1) * (B + x) / A) ** (1 / (R + x)) - 1)
    return max(0.0, gap)


def crossings(touches: Iterable[Touched]) -> Iterator[tuple[str, str, int]]:
    """(type, topic, when the second contact took it) of the steps of a journey that several contacts took."""
    steps: dict[tuple[str, str], dict[object, int]] = {}
    for touched in touches:
        if touched.contact is not None and touched.said.topic:
            who = steps.setdefault((touched.said.type, touched.said.topic), {})
            who.setdefault(touched.contact, touched.at)
    for (kind, topic), who in steps.items():
        if len(who) > 1:
            yield kind, topic, sorted(who.values())[1]
