"""Times: integer milliseconds since 1970 inside, RFC 3339 in UTC outside."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_MS = timedelta(milliseconds=1)
_IN_HOUR = tuple(f"{second // 60:02d}:{second % 60:02d}" for second in range(3600))
_QUARTER_MS = 900_000  # zones change their offset on a quarter of an hour
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@lru_cache(maxsize=16_384)  # about two years: times of one batch share their hours
def _hour(hours: int) -> str:
    return (_NAIVE_EPOCH + timedelta(hours=hours)).isoformat()[:14]


def rfc3339(ms: int) -> str:
    """Milliseconds as RFC 3339 in UTC, with a fraction only where there is one.

    >>> rfc3339(1_738_570_324_000), rfc3339(1_738_570_324_050)
    ('2025-02-03T08:12:04Z', '2025-02-03T08:12:04.050Z')
    """
    hours, rest = divmod(ms, HOUR_MS)
    seconds, fraction = divmod(rest, 1000)
    if fraction:
        return f"{_hour(hours)}{_IN_HOUR[seconds]}.{fraction:03d}Z"
    return f"{_hour(hours)}{_IN_HOUR[seconds]}Z"


def from_rfc3339(text: str) -> int:
    """RFC 3339 with an offset as milliseconds; ValueError where there is none or it is no time.

    >>> from_rfc3339("2025-02-03T09:12:04+01:00")
    1738570324000
    """
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return (time - _EPOCH) // _MS


@cache  # a handful of zones
def day_in(zone: str) -> Callable[[int], int]:
    """A function from milliseconds to the number of the day (since 1970) on the calendar of a time zone.

    >>> late = from_rfc3339("2025-02-03T23:30:00Z")
    >>> day_text(day_in("UTC")(late)), day_text(day_in("Europe/Amsterdam")(late))
    ('2025-02-03', '2025-02-04')
    """
    if zone == "UTC":
        return lambda ms: ms // DAY_MS
    there = ZoneInfo(zone)

    @lru_cache(maxsize=65_536)  # touches share their quarters
    def offset(quarter: int) -> int:
        gap = datetime.fromtimestamp(quarter * 900, there).utcoffset() or timedelta()
        return gap // _MS

    return lambda ms: (ms + offset(ms // _QUARTER_MS)) // DAY_MS


def day_text(day: int) -> str:
    """The number of a day as YYYY-MM-DD."""
    return date.fromordinal(_EPOCH.toordinal() + day).isoformat()
