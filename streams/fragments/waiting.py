"""Outcomes on an id that stands for no account: they wait, and are refused when nothing can be expected.

Every account key has an account as soon as it is named; only an id that we are said to have issued may stand
for nobody. Which outcomes were refused is kept in the row; what waits follows from the rows.
"""

from collections.abc import Iterator

from schemas.internal import ISSUED_KINDS, Outcome, kind_of
from streams.core import Group, Rows
from streams.fragments import keeping, row
from streams.fragments.row import Fragment
from streams.fragments.snapshots import snapshots
from streams.letters import PATIENCE_MS


class Waiting:
    """The rows with outcomes that may have to be refused, and when (ms of T) to look at them."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._due: dict[Group, int] = {}

    def note(self, group: Group, fragment: Fragment) -> None:
        """A row that has outcomes; one too many does no harm."""
        if fragment.outcomes and kind_of(fragment.identifier) in ISSUED_KINDS:
            at = min((said.at for said in open_outcomes(fragment)), default=None)
            if at is not None:
                self._due[group] = at + PATIENCE_MS

    def recovered(self, group: Group, value: bytes) -> None:
        """A row that was read back."""
        if kind_of(row.brief(value).identifier) in ISSUED_KINDS:
            self.note(group, row.decode(value))

    def refuse(self, rows: Rows, clock: int, *, drained: bool) -> Iterator[Outcome]:
        """The outcomes that are refused now: after 24 h of T, or at the drain (not live)."""
        for group in [g for g, due in self._due.items() if due < clock or (drained and not self._live)]:
            del self._due[group]
            value = rows.get(group)
            fragment = None if value is None else row.decode(value)
            if fragment is None or snapshots(fragment):
                continue
            refused = [
                said for said in open_outcomes(fragment) if not self._live or said.at + PATIENCE_MS < clock
            ]
            fragment.refused = sorted({*fragment.refused, *(said.event_id for said in refused)})
            rows.put(group, b"", row.encode(fragment))
            self.note(group, fragment)
            yield from refused


def open_outcomes(fragment: Fragment) -> list[Outcome]:
    """The outcomes of a row that were not refused."""
    return [said for said in keeping.counted(fragment.outcomes) if said.event_id not in fragment.refused]
