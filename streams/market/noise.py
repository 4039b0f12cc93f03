"""What happens to events on their way: late, out of order, twice, and lines that nobody can accept."""

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from streams.market import rates, words
from streams.market.arrivals import Line
from streams.market.scene import Event, stamp
from streams.market.together import Word

_SPECIAL: Final = rates.LATE + rates.REORDERED + rates.DUPLICATE + rates.BAD + rates.WORTHLESS
_COOKIE: Final = '"identifiers":{"anonymous_id":"c-1"}'


def _page(event_id: str, at: int, rest: str) -> str:
    return (
        f'{{"event_id":"{event_id}","type":"page_viewed","occurred_at":"{stamp(at)}","source":"web",{rest}}}'
    )


def _not_json(event_id: str, at: int) -> str:
    return _page(event_id, at, _COOKIE)[:-20]


def _not_an_object(event_id: str, at: int) -> str:
    return f"[{_page(event_id, at, _COOKIE)}]"


def _missing_field(event_id: str, at: int) -> str:
    return f'{{"event_id":"{event_id}","occurred_at":"{stamp(at)}","source":"web",{_COOKIE}}}'


def _wrong_type(event_id: str, at: int) -> str:
    return _page(event_id, at, '"identifiers":["anonymous_id","c-1"]')


def _bad_time(event_id: str, at: int) -> str:
    when = ("gisteren", "1987-03-01T08:00:00Z", stamp(at)[:19])[at % 3]  # no time, too old, without offset
    return f'{{"event_id":"{event_id}","type":"page_viewed","occurred_at":"{when}","source":"web",{_COOKIE}}}'


def _too_large(event_id: str, at: int) -> str:
    return _page(event_id, at, f'{_COOKIE},"content":{{"title":"{"warmtepomp " * 6_500}"}}')  # 72 KB


def _no_identifier(event_id: str, at: int) -> str:
    return _page(event_id, at, '"content":{"topic":"warmtepompen"}')


BAD: Final[dict[str, Callable[[str, int], str]]] = {
    "not_json": _not_json,
    "not_an_object": _not_an_object,
    "missing_field": _missing_field,
    "wrong_type": _wrong_type,
    "bad_time": _bad_time,
    "too_large": _too_large,
    "no_identifier": _no_identifier,
}
"""A bad line for every reason that a line can give (`tenant_mismatch` needs a header)."""
_REASONS: Final = (
    *BAD,
    *tuple(reason for reason in BAD if reason != "too_large") * 9,
)  # large lines are rare


class Noise:
    """Sends the events of one story on their way. `room` is how many lines may be added to the events."""

    def __init__(self, rng: Random, difficulties: dict[str, int]) -> None:
        self._rng = rng
        self._difficulties = difficulties
        self.dead_letters: dict[str, int] = dict.fromkeys(BAD, 0)
        self.duplicates = 0
        self.worthless = 0
        self.twice: list[Event] = []  # of the last story, what comes twice the same

    def arrive(self, events: list[Event], room: int) -> list[Line]:
        """The lines of the events, each with the time of its arrival in ms, and at most `room` more."""
        random = self._rng.random
        lines: list[Line] = []
        self.twice = []
        for event in events:
            at = event.at + int(random() * rates.USUAL_MS)
            line = event.line.encode()
            if event.copy:
                self.duplicates += 1
                at += int(random() * rates.HOUR_MS)
            chance = random()
            if chance < _SPECIAL:
                at, more = self._special(event, at, line, chance, room)
                room -= len(more)
                lines += more
            lines.append((at, line))
        return lines

    def say(self, words: Iterable[Word]) -> list[Line]:
        """The lines of what people say: they come once, and soon."""
        return [(word.at + int(self._rng.random() * rates.USUAL_MS), word.line.encode()) for word in words]

    def _special(
        self, event: Event, at: int, line: bytes, chance: float, room: int
    ) -> tuple[int, list[Line]]:
        """What is special about this event's way: when it arrives, and further lines."""
        random = self._rng.random
        if chance < rates.LATE:
            self._note("late")
            return at + rates.HOUR_MS + int(random() * (rates.LATE_MS - rates.HOUR_MS)), []
        if chance < rates.LATE + rates.REORDERED:
            self._note("out of order")
            return at + int(random() * rates.REORDERED_MS), []
        if not room:
            return at, []
        if chance < rates.LATE + rates.REORDERED + rates.DUPLICATE:
            self._note("twice the same")
            self.duplicates += 1
            self.twice.append(event)
            return at, [(at + int(random() * rates.DUPLICATE_MS), line)]
        event_id = f"{event.event_id}-x"
        if chance < rates.LATE + rates.REORDERED + rates.DUPLICATE + rates.WORTHLESS:
            self._note("worthless identifier")
            self.worthless += 1
            kind = ("user_id", "anonymous_id", "email")[int(random() * 3)]
            values = words.NO_ADDRESS if kind == "email" else words.WORTHLESS
            value = values[int(random() * len(values))]
            return at, [(at, _page(event_id, event.at, f'"identifiers":{{"{kind}":"{value}"}}').encode())]
        reason = _REASONS[int(random() * len(_REASONS))]
        self.dead_letters[reason] += 1
        return at, [(at, BAD[reason](event_id, event.at).encode())]

    def _note(self, difficulty: str) -> None:
        self._difficulties[difficulty] = self._difficulties.get(difficulty, 0) + 1
