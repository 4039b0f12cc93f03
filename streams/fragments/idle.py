"""Weak identifiers that belong to nobody are forgotten 120 days after anything was last said of them."""

from collections.abc import Container
from typing import Final

from schemas.internal import WEAK_KINDS, kind_of
from schemas.times import DAY_MS
from streams.core import Group, Rows
from streams.fragments import row
from streams.fragments.row import Fragment
from streams.fragments.snapshots import snapshots

IDLE_MS: Final = 120 * DAY_MS


class Idle:
    """The rows to look at, by the day of T on which they may be forgotten. It follows from the rows.

    A row is noted when it becomes nobody's, and again when it is looked at too early; one too many does no
    harm. A list of a day costs 8 bytes a row, a heap ten times that: so it is done to the day.
    """

    def __init__(self) -> None:
        self._due: dict[int, list[Group]] = {}
        self._today = 0

    def resume(self, clock: int) -> None:
        """The clock stood there before: a restart is no midnight."""
        self._today = clock // DAY_MS

    def note(self, group: Group, identifier: str, last: int | None) -> None:
        """A row that stands nowhere; others than those of weak identifiers are kept for good."""
        if last is not None and kind_of(identifier) in WEAK_KINDS:
            self._due.setdefault(_day(last), []).append(group)

    def recovered(self, group: Group, value: bytes) -> None:
        """A row that was read back; where it stands is found out when its day comes."""
        brief = row.brief(value)
        self.note(group, brief.identifier, brief.last)

    def forget(self, rows: Rows, clock: int, heard: Container[Group]) -> None:
        """Delete the rows whose day has come; where erasures are to be remembered, all but those.

        Rows that this batch spoke of (`heard`) wait for the next midnight: what they owe is sent after the
        rows are written, and if a crash comes between, they must still be there to send it.
        """
        today = clock // DAY_MS
        if today <= self._today:
            return
        self._today = today
        for day in sorted(day for day in self._due if day <= today):
            for group in self._due.pop(day):
                value = rows.get(group)
                fragment = None if value is None else row.decode(value)
                if fragment is None or fragment.last is None or snapshots(fragment):
                    continue
                if _day(fragment.last) > today or group in heard:
                    self.note(group, fragment.identifier, fragment.last)
                elif (kept := _remains(fragment)) is not None:
                    rows.put(group, b"", row.encode(kept))
                else:
                    rows.delete(group)


def _day(last: int) -> int:
    """The first day (UTC) that is past the time for which a row is kept."""
    return (last + IDLE_MS) // DAY_MS + 1


def _remains(fragment: Fragment) -> Fragment | None:
    mapped = fragment.mapped
    if mapped is None or not (mapped.erased or mapped.forgotten):
        return None
    erased, left = fragment.erased, fragment.left
    return Fragment(fragment.tenant, fragment.identifier, mapped=mapped, left=left, erased=erased)
