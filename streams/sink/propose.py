"""Merge candidates: account names out of ClickHouse, proposals into it."""

from collections import defaultdict
from typing import Any, Final, Protocol

import msgspec

from streams.sink.candidates import Proposal, proposals

_NAMES: Final = """
SELECT tenant, account_id, name FROM accounts FINAL WHERE NOT gone AND kind = 'organisation' AND name != ''
"""
# Pairs of accounts about which people have said last that they are not one; subsidiaries too.
_APART: Final = """
SELECT tenant, least(one.account_id, other.account_id) AS x, greatest(one.account_id, other.account_id) AS y
FROM assertions FINAL
INNER JOIN resolved AS one ON one.tenant = assertions.tenant AND one.identifier = assertions.a
INNER JOIN resolved AS other ON other.tenant = assertions.tenant AND other.identifier = assertions.b
WHERE one.of_account AND other.of_account AND x != y
GROUP BY tenant, x, y
HAVING argMax(assertion, (said_at, event_id)) IN ('cannot_link', 'parent')
"""
_THERE: Final = "SELECT tenant, a, b, a_name, b_name, score, why FROM merge_candidates FINAL WHERE NOT gone"

_lines = msgspec.json.Encoder().encode_lines


class Database(Protocol):
    """A ClickHouse that is asked and written to (`streams.sink.insert.Server`)."""

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of an answer."""

    def insert(self, table: str, body: bytes, token: str) -> None:
        """Insert JSON lines."""


def propose(database: Database, now: int) -> int:
    """Look at all accounts, and keep what has changed; returns how many pairs are proposed.

    `now`: ms; it rises from call to call. Raises ClickHouseError.
    """
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for tenant, account, name in database.ask(_NAMES):
        names[tenant].append((account, name))
    apart: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for tenant, a, b in database.ask(_APART):
        apart[tenant].add((a, b))
    found = {(tenant, *pair) for tenant in names for pair in proposals(names[tenant], apart[tenant])}
    there = {(tenant, *Proposal(*pair)) for tenant, *pair in database.ask(_THERE)}
    pairs = {row[:3] for row in found}
    rows = [(*row[:3], now, *row[3:], False) for row in sorted(found - there)]
    rows += [(*row[:3], now, *row[3:], True) for row in sorted(there) if row[:3] not in pairs]
    if rows:
        database.insert("merge_candidates", _lines(rows), f"merge_candidates {now}")
    return len(found)
