"""Lines in order of arrival, of stories that are written one after another; memory stays bounded.

A line waits in the bucket of its day of arrival. When no later story can put anything into a day, the day
is sorted and given out. Above `LIMIT` waiting lines the buckets go to files in a temporary directory.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from schemas.times import DAY_MS

LIMIT: Final = 400_000  # lines in memory, about 250 MB

Line = tuple[int, bytes]  # time of arrival in ms, the line
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Line]).decode


class Arrivals:
    """Sorts lines by time of arrival, ties by content.

    >>> with Arrivals() as arrivals:
    ...     arrivals.add([(7, b"second"), (DAY_MS, b"third"), (5, b"first")])
    ...     early = list(arrivals.before(DAY_MS))
    ...     early, list(arrivals.rest())
    ([b'first', b'second'], [b'third'])
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._days: dict[int, list[Line]] = {}
        self._waiting = 0
        self._directory: TemporaryDirectory[str] | None = None
        self._spilled: dict[int, Path] = {}

    def __enter__(self) -> "Arrivals":
        return self

    def __exit__(self, *_: object) -> None:
        if self._directory is not None:
            self._directory.cleanup()

    def add(self, lines: list[Line]) -> None:
        """Lines to wait for their time."""
        days = self._days
        for line in lines:
            day = line[0] // DAY_MS
            if day in days:
                days[day].append(line)
            else:
                days[day] = [line]
        self._waiting += len(lines)
        if self._waiting > self._limit:
            self._spill()

    def before(self, at: int) -> Iterator[bytes]:
        """All lines of days that end at or before `at`, in order; nothing may be added to them later."""
        for day in sorted(day for day in {*self._days, *self._spilled} if (day + 1) * DAY_MS <= at):
            yield from self._take(day)

    def rest(self) -> Iterator[bytes]:
        """All lines that still wait, in order."""
        for day in sorted({*self._days, *self._spilled}):
            yield from self._take(day)

    def _take(self, day: int) -> Iterator[bytes]:
        lines = self._days.pop(day, [])
        self._waiting -= len(lines)
        path = self._spilled.pop(day, None)
        if path is not None:
            data = path.read_bytes()
            path.unlink()
            start = 0
            while start < len(data):
                size = int.from_bytes(data[start : start + 8], "big")
                lines += _decode(memoryview(data)[start + 8 : start + 8 + size])
                start += 8 + size
        lines.sort()
        for _, line in lines:
            yield line

    def _spill(self) -> None:
        if self._directory is None:
            self._directory = TemporaryDirectory(prefix="journeys-simulate-")
        for day, lines in self._days.items():
            path = self._spilled.setdefault(day, Path(self._directory.name) / str(day))
            data = _encode(lines)
            with path.open("ab") as file:
                file.write(len(data).to_bytes(8, "big") + data)
        self._days = {}
        self._waiting = 0
