"""Whom a weak identifier (cookie, device, phone) belongs to, per span of time.

A touch belongs to the last assertion at or before it, without end; else to the first after it, at most
90 days later. Where more than three contacts were seen within some 90 days that contain the touch it is
shared: nobody's, and of an account only if all of those contacts are of that account then. What would be
a contact's that has refused profiling is nobody's, and of no account.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.times import DAY_MS
from streams.identity.contacts import Timeline

WINDOW_MS: Final = 90 * DAY_MS  # of the look-back, and within which more than SHARED contacts are too many
SHARED: Final = 3

_EVER: Final = -(1 << 62)  # ms: before any time; None in a span that is published
_NEVER: Final = 1 << 62  # ms: after any time

_Piece = tuple[int, str | None, str | None]  # a span before publishing
Span = tuple[int | None, str | None, str | None]  # from (ms; None: since ever), contact id, account id
NOBODY: Final[list[Span]] = [(None, None, None)]
_NOWHERE: Final[Timeline] = [(None, "")]


class Person(NamedTuple):
    """A contact, as a weak identifier needs it."""

    contact: str
    home: Timeline
    private: bool = False  # it has refused profiling: no anonymous history is its own

    @property
    def accounts(self) -> Timeline:
        """Where anonymous touches of it belong; the empty account: nowhere."""
        return _NOWHERE if self.private else self.home


class _Cover(NamedTuple):
    """A shared period, both ends included."""

    first: int
    last: int
    account: str | None


def ownership(
    owners: Mapping[str, Sequence[int]], people: Mapping[str, Person], *, keeps: bool = True
) -> list[Span]:
    """The spans of a weak identifier, ascending, the first since ever; adjacent ones differ.

    `owners`: per strong identifier the times (ms, at least one) at which it was asserted; `people`: the
    contact of each of them. Of assertions at one time the smaller identifier owns. `keeps`: False where from
    the first assertion on touches without a person are nobody's (the setting `device_policy`).

    >>> jane = Person("cj", [(None, "a1")])
    >>> ownership({"email:jane@acme.nl": [100 * DAY_MS]}, {"email:jane@acme.nl": jane})
    [(None, None, None), (864000000, 'cj', 'a1')]
    """
    asserted = sorted((at, strong) for strong, times in owners.items() for at in times)
    covers = _shared([(at, people[strong]) for at, strong in asserted])
    laid = _overlaid(_owned(asserted, people), covers)
    if not keeps and asserted:
        first = asserted[0][0]
        laid = [*(piece for piece in laid if piece[0] < first), (first, None, None)]
    return _published(laid)


def _owned(asserted: Sequence[tuple[int, str]], people: Mapping[str, Person]) -> list[_Piece]:
    owner: dict[int, str] = {}
    for at, strong in asserted:
        owner.setdefault(at, strong)
    times = list(owner)
    spans: list[_Piece] = [(_EVER, None, None)]
    for n, at in enumerate(times):
        start = at if n else at - WINDOW_MS
        end = times[n + 1] if n + 1 < len(times) else _NEVER
        person = people[owner[at]]
        contact = None if person.private else person.contact
        for first, _last, account in _pieces(person.accounts, start, end):
            spans.append((first, contact, account or None))
    return spans


def _pieces(home: Timeline, start: int, end: int) -> Iterable[tuple[int, int, str]]:
    """The timeline from `start` to before `end`: (from, before, account)."""
    for n, (since, account) in enumerate(home):
        until = home[n + 1][0] if n + 1 < len(home) else None
        first = start if since is None else max(start, since)
        last = end if until is None else min(until, end)
        if first < last:
            yield first, last, account


def _shared(asserted: Sequence[tuple[int, Person]]) -> list[_Cover]:
    """The shared periods, ascending and apart."""
    if len({person.contact for _, person in asserted}) <= SHARED:
        return []
    crowded = _crowded([(at, person.contact) for at, person in asserted])
    if not crowded:
        return []
    lows, highs = [low for low, _ in crowded], [high for _, high in crowded]
    changes: dict[int, Counter[str]] = {}
    for person, first, last in _present(asserted, lows, highs):
        for start, end, account in _pieces(person.accounts, first, last + 1):
            changes.setdefault(start, Counter())[account] += 1
            changes.setdefault(end, Counter())[account] -= 1
    return _covers(changes)


def _crowded(asserted: Sequence[tuple[int, str]]) -> list[tuple[int, int]]:
    """The starts (from, to; both included) of 90 days with assertions of more than SHARED contacts."""
    starts: list[tuple[int, int]] = []
    inside: Counter[str] = Counter()
    left = 0  # behind the last assertion with which there are too many up to now
    for at, contact in asserted:
        inside[contact] += 1
        while len(inside) > SHARED:
            leaving = asserted[left][1]
            left += 1
            inside[leaving] -= 1
            if not inside[leaving]:
                del inside[leaving]
        if left and at - asserted[left - 1][0] <= WINDOW_MS:
            low, high = at - WINDOW_MS, asserted[left - 1][0]
            if starts and low <= starts[-1][1]:
                starts[-1] = (starts[-1][0], high)
            else:
                starts.append((low, high))
    return starts


def _present(
    asserted: Sequence[tuple[int, Person]], lows: Sequence[int], highs: Sequence[int]
) -> Iterable[tuple[Person, int, int]]:
    """For each contact the times (from, to) of touches with which it shares 90 crowded days.

    An assertion at `a` counts for a touch at `t` if some crowded window [x, x + 90 days] holds both: from
    the first crowded start not before a - 90 days to the end of the window of the last one not after a.
    """
    present: dict[str, tuple[Person, list[tuple[int, int]]]] = {}
    for at, person in asserted:
        after = bisect_left(highs, at - WINDOW_MS)
        before = bisect_right(lows, at) - 1
        if after > before:
            continue
        first = max(lows[after], at - WINDOW_MS)
        last = min(highs[before], at) + WINDOW_MS
        periods = present.setdefault(person.contact, (person, []))[1]
        if periods and first <= periods[-1][1] + 1:
            periods[-1] = (periods[-1][0], last)
        else:
            periods.append((first, last))
    for person, periods in present.values():
        for first, last in periods:
            yield person, first, last


def _covers(changes: Mapping[int, Counter[str]]) -> list[_Cover]:
    covers: list[_Cover] = []
    there: Counter[str] = Counter()
    begun = _EVER
    for at in sorted(changes):
        if there:
            account = next(iter(there)) if len(there) == 1 else ""
            covers.append(_Cover(begun, at - 1, account or None))
        for account, change in changes[at].items():
            there[account] += change
            if not there[account]:
                del there[account]
        begun = at
    return covers


def _overlaid(spans: list[_Piece], covers: Sequence[_Cover]) -> list[_Piece]:
    """`spans` with the shared periods laid over them."""
    if not covers:
        return spans
    starts = [start for start, _, _ in spans]
    firsts = [cover.first for cover in covers]
    laid: list[_Piece] = []
    for point in sorted({*starts, *firsts, *(cover.last + 1 for cover in covers)}):
        _, contact, account = spans[bisect_right(starts, point) - 1]
        n = bisect_right(firsts, point) - 1
        if n >= 0 and point <= covers[n].last:
            contact, account = None, covers[n].account
        laid.append((point, contact, account))
    return laid


def _published(spans: Iterable[_Piece]) -> list[Span]:
    """Adjacent spans of one value joined; the first is since ever."""
    joined: list[Span] = []
    for since, contact, account in spans:
        if not joined:
            joined.append((None, contact, account))
        elif joined[-1][1:] != (contact, account):
            joined.append((since, contact, account))
    return joined
