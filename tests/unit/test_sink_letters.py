"""Times in refused records that no time can be."""

import pytest

from schemas.times import rfc3339
from streams.ingest.values import Habits
from streams.sink.letters import named


@pytest.mark.parametrize(
    ("occurred_at", "kept"),
    [
        ("9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00Z"),  # a year that no calendar here has
        ("2300-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),  # nor ClickHouse
        ("2200-01-01T00:00:00Z", "2200-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+12:00", "1970-01-01T00:00:00Z"),
        ("0000-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
    ],
)
def test_a_time_that_cannot_be_kept_is_none(occurred_at: str, kept: str) -> None:
    assert rfc3339(named(b'{"occurred_at":"%s"}' % occurred_at.encode(), Habits()).at) == kept
