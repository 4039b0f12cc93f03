"""What the data is enough for by now: with little, the answer is unknown rather than wrong."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from streams.children import ChildError
from streams.console import Failure, clickhouse
from streams.embedded import StackError
from streams.settings import Settings

SEGMENTS_ACCOUNTS: Final = 50  # of one tenant; fewer make no groups
CONVERSION_OUTCOMES: Final = 50  # hand-offs of one tenant with an outcome; fewer say nothing of the next

_BUILT: Final = ("rules", "rhythm")  # the models behind the others do not run yet

# Of the tenant with the most accounts, since nothing is learnt across tenants.
_COUNTS: Final = """
SELECT countIf(status != 'unknown'), count() AS known, sum(arrayCount(h -> h.outcome != '', handoffs))
FROM accounts FINAL WHERE NOT gone GROUP BY tenant ORDER BY known DESC, tenant LIMIT 1
"""


@dataclass(frozen=True)
class Phase:
    """A phase of what can be said; `on`: there is enough data for it, and this version can say it."""

    name: str  # rules, rhythm, segments, conversion
    on: bool
    has: int = 0
    needs: int = 0  # 0: nothing
    of: str = ""  # what is counted

    def __str__(self) -> str:
        """For people."""
        if not self.needs:
            return f"{self.name} on"
        if self.on:
            return f"{self.name} on ({self.of}: {self.has:,})"
        if self.has >= self.needs:
            return f"{self.name} off ({self.of}: {self.has:,}; comes with a later version)"
        return f"{self.name} off ({self.of}: {self.has:,} of {self.needs:,})"


def phases(rhythms: int, accounts: int, outcomes: int) -> tuple[Phase, ...]:
    """The phases with so much data.

    >>> print(in_words(phases(12, 34, 56)))
    rules on, rhythm on (accounts with 3 active days: 12), segments off (accounts: 34 of 50), \
conversion off (outcomes: 56; comes with a later version)
    """
    return (
        Phase("rules", on=True),
        *(
            Phase(name, has >= needs and name in _BUILT, has, needs, of)
            for name, has, needs, of in (
                ("rhythm", rhythms, 1, "accounts with 3 active days"),
                ("segments", accounts, SEGMENTS_ACCOUNTS, "accounts"),
                ("conversion", outcomes, CONVERSION_OUTCOMES, "outcomes"),
            )
        ),
    )


def in_words(found: Iterable[Phase]) -> str:
    """The phases in a line."""
    return ", ".join(map(str, found))


def of(client: Client) -> tuple[Phase, ...]:
    """The phases of what ClickHouse holds."""
    counts = client.query(_COUNTS).result_rows
    return phases(*(int(count) for count in counts[0])) if counts else phases(0, 0, 0)


def asked(settings: Settings, data_dir: Path | None) -> tuple[Phase, ...] | None:
    """The same of the ClickHouse that commands ask; None where there is none, or it holds nothing yet."""
    from streams.clickhouse import connect

    try:
        with clickhouse(settings, data_dir) as dsn, connect(dsn) as client:
            return of(client)
    except (StackError, ChildError, ClickHouseError, Failure):
        return None
