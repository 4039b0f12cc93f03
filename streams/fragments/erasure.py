"""What a row loses when IDENTITY says that it, or somebody it was seen with, is erased.

A map row lists the periods whose touches are erased, and the keys of erased identifiers that the fragment was
seen with. The row loses what falls under them (`cut`), and refuses it when it comes again. Both give one row,
whichever comes first, as a row keeps more than it uses: of each attribute the lesser facts that are later
than the best (`front`), the times of what was no touch, and of a link its latest time. That one alone may be
too little: a link that was said before the erasure and several times after it is known from the last of them.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from schemas.internal import Fact, Mini
from schemas.keys import erased_name, event_key, identifier_key
from streams.fragments.row import ERASED, NAMED, PLACES, Claim, Fragment, MapState, PeriodRow

CONSENT: Final = "consent."  # what facts that are a word on consent begin with

_ALWAYS: Final = 1 << 62  # ms: after any time
_json = msgspec.json.Encoder().encode
_pack = msgspec.msgpack.Encoder().encode


class Erasure:
    """What a map row says is erased."""

    __slots__ = ("_forgotten", "_key_of", "_periods", "_tenant", "end", "floor")

    def __init__(self, tenant: str, mapped: MapState, key_of: Callable[..., bytes]) -> None:
        self._tenant = tenant
        self._key_of = key_of
        self._periods = mapped.erased
        self._forgotten = mapped.forgotten
        # The identifier itself is erased up to before `floor` (ms); else only when it was somebody's.
        floors = [_until(period) for period in mapped.erased if period[0] is None]
        self.floor: int | None = max(floors, default=None)
        self.end = max(map(_until, mapped.erased), default=-_ALWAYS)

    def covers(self, at: int) -> bool:
        """Whether a touch of that time is erased."""
        return any(
            (since is None or since <= at) and at < _until((since, until)) for since, until in self._periods
        )

    def drops(self, name: str, at: int) -> bool:
        """Whether a fact of that time is erased.

        A device that was an erased person's keeps nothing of before the end of that: of a fact only the best
        is kept, and it cannot be told what others had said. A word on consent it keeps: a refusal holds.
        """
        if name.startswith(CONSENT):
            return self.floor is not None and at < self.floor
        return at < self.end

    def forgets(self, identifier: str) -> int | None:
        """Up to when (ms, included) this other identifier is erased; None: it is not."""
        if not self._forgotten:
            return None
        return self._forgotten.get(identifier_key(self._key_of, self._tenant, identifier).hex())

    def link_floor(self, a: str, b: str) -> int | None:
        """A link of the two counts from then on (ms); None: since ever."""
        ends = [until + 1 for end in (a, b) if (until := self.forgets(end)) is not None]
        return max([*ends, *([] if self.floor is None else [self.floor])], default=None)

    def owner(self, claim: Claim) -> Claim:
        """A claim as the row may keep it: an erased owner's under the name that stands for him.

        So it still tells where the spans of others begin and end.
        """
        at, name, source, rank = claim
        until = self.forgets(name)
        if until is None or at > until or name.startswith("#"):
            return claim
        return at, erased_name(self._key_of(self._tenant, name)), source, rank


def of(row: Fragment, key_of: Callable[..., bytes]) -> Erasure | None:
    """What the map row of `row` says is erased; None: nothing."""
    mapped = row.mapped
    if mapped is None or not (mapped.erased or mapped.forgotten):
        return None
    return Erasure(row.tenant, mapped, key_of)


def cut(row: Fragment, erasure: Erasure, key_of: Callable[..., bytes]) -> None:
    """Take what is erased out of the row (in place; dictionaries that snapshots refer to are replaced)."""
    floor = erasure.floor
    if gone := [touch for touch in row.touches if erasure.covers(touch.at)]:
        _cut_touches(row, [touch for touch in row.touches if not erasure.covers(touch.at)])
        hash_touches(row, gone, key_of)
    row.claims = sorted({erasure.owner(claim) for claim in row.claims if floor is None or claim[0] >= floor})
    row.claims_level = row.claims_level if row.claims else 0
    row.links = [
        (a, b, source, rank, first if least is None or first >= least else last, last)
        for a, b, source, rank, first, last in row.links
        if (least := erasure.link_floor(a, b)) is None or last >= least
    ]
    told = {name: front([fact, *row.lesser.get(name, ())]) for name, fact in row.facts.items()}
    left = {name: [f for f in facts if not erasure.drops(name, f.at)] for name, facts in told.items()}
    row.facts = {name: facts[0] for name, facts in left.items() if facts}
    row.lesser = {name: facts[1:] for name, facts in left.items() if facts[1:]}
    history = {name: [f for f in told if not erasure.drops(name, f.at)] for name, told in row.history.items()}
    row.history = {name: told for name, told in history.items() if told}
    if floor is not None:
        row.words = [said for said in row.words if said[0] >= floor]
        row.words_level = row.words_level if row.words else 0
        row.said = [at for at in row.said if at >= floor]
    if floor is not None and row.seen is not None and row.seen < floor:
        row.seen = min([*row.said, *(touch.at for touch in row.touches[:1])], default=None)


def hash_touches(row: Fragment, gone: Iterable[Mini], key_of: Callable[..., bytes]) -> None:
    """Note the hashes of touches that are erased, so that nobody whom they were told of names them.

    Not of an event of which another copy stands: that one may be named.
    """
    stand = {(touch.source, touch.event_id) for touch in row.touches}
    hashes = {
        event_key(key_of, row.tenant, touch.source, touch.event_id)
        for touch in gone
        if (touch.source, touch.event_id) not in stand
    }
    row.erased = sorted(hashes.union(row.erased))[:ERASED]


def _cut_touches(row: Fragment, touches: list[Mini]) -> None:
    """The row with these touches only. Where none is left it is as if there had never been one."""
    row.touches = touches
    if not touches:
        row.level = 0
    if not row.level:
        row.widest = max((len(_pack(touch)) for touch in touches), default=1)
    named: dict[str, int] = {}
    for touch in touches:  # ascending
        if touch.account and touch.account != row.identifier:
            named.setdefault(touch.account, touch.at)
    if row.level:  # of those that count some touches are there; others never will
        named = {account: at for account, at in named.items() if account in row.named}
    row.named = {account: named[account] for account in sorted(named)[:NAMED]}
    row.places = sorted({touch.place for touch in touches if touch.place})[:PLACES]


def front(facts: Iterable[Fact]) -> list[Fact]:
    """Of one attribute, best first, the facts that would be the best if all before some time were erased.

    >>> told = [Fact(3, 9, "web", "c"), Fact(1, 5, "crm", "a"), Fact(3, 2, "web", "b")]
    >>> [fact.value for fact in front(told)]
    ['a', 'c']
    """
    kept: list[Fact] = []
    for fact in sorted(facts, key=fact_order):
        if not kept or fact.at > kept[-1].at:
            kept.append(fact)
    return kept


def fact_order(fact: Fact) -> tuple[int, int, bytes, str]:
    """The order of facts of one attribute: the first is used."""
    return fact.rank, -fact.at, _json(fact.value), fact.source


def _until(period: PeriodRow) -> int:
    return _ALWAYS if period[1] is None else period[1]
