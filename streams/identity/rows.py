"""One row per identifier or account key: what was said of it, and what follows from that as last resolved.

Statements are sets, minima and maxima, so merging them in any order gives one state.
"""

from bisect import insort
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from schemas.identifiers import address_domain
from schemas.internal import ACCOUNT_KINDS, BARELY, WEAK_KINDS, kind_of
from schemas.keys import erased_name
from schemas.times import DAY_MS
from streams.identity.contacts import Timeline
from streams.identity.resolver import partner_limit
from streams.identity.spans import Span

OWNERS: Final = 1_000  # a weak identifier seen with more strong ones is nobody's: its row stays small
NAMED: Final = 1_000  # account keys that an identifier's touches name: the smallest as text; as in FRAGMENTS
WORDS: Final = 100  # what people said of one pair: the latest; one stands, the others tell how it was before

LINK: Final = "link"  # an alias is a link too
UNLINK: Final = "unlink"
CANNOT_LINK: Final = "cannot_link"

Employment = tuple[str, str, int, str]  # source, CRM contact id (else the identifier), time (ms), account key
Fate = tuple[int, str]  # bit n: the partner's links of trust rank n are inert; why links are refused, if so
HELD: Final[Fate] = (0, "")
NEVER: Final = 1 << 62  # ms: after any time
BY_ADDRESS: Final = BARELY  # ms: since when a domain is known of which nothing but addresses tells


class Said(NamedTuple):
    """What one source said of a link: when it first did (ms) and, of account keys, when it last did.

    Between strong identifiers the earlier link goes first, so `last` adds nothing and is as `first`.
    """

    source: str
    rank: int
    first: int
    last: int

    @property
    def changed(self) -> int:
        """When account keys were said to be one last: the beginning of that day, but not before `first`.

        FRAGMENTS says it again once a day has passed, so the day is all that is known for sure.
        """
        return max(self.first, self.last - self.last % DAY_MS)


class Word(NamedTuple):
    """What a person said of a pair; words compare in the order in which they count."""

    at: int
    event_id: str
    what: str  # link, unlink, cannot_link
    by: str
    by_id: tuple[bool, bool] = (False, False)  # whether the row's identifier, the partner was named by an id


class Erasure(msgspec.Struct, array_like=True, gc=False):
    """What the row of an identifier keeps of erasures: its own, and those of others it was seen with."""

    graves: list[tuple[int, bytes]] = []  # up to when (ms, included), with which erased group; ascending
    inert: int = 0  # bit n: its erased links of trust rank n were inert
    forgotten: dict[bytes, int] = {}  # key of an erased identifier that is not one with it -> up to when (ms)
    periods: list[tuple[int | None, int]] = []  # weak: (from, to before; ms) when it was an erased person's
    kind: str = ""  # weak: its kind, once it was an erased person's: its name may be gone

    @property
    def until(self) -> int | None:
        """Up to when the identifier itself is erased."""
        return self.graves[-1][0] if self.graves else None

    def grave(self, at: int) -> bytes | None:
        """The erased group that what is dated `at` belongs to; None: that is not erased.

        >>> erasure = Erasure([(10, b"first"), (20, b"second")])
        >>> erasure.grave(10), erasure.grave(11), erasure.grave(21)
        (b'first', b'second', None)
        """
        return next((group for until, group in self.graves if at <= until), None)

    def erased(self) -> list[tuple[int | None, int]]:
        """The periods (from, to before; ms), ascending and apart, whose touches of the identifier are erased.

        >>> Erasure([(10, b"group")], periods=[(5, 8), (9, 15), (20, 25)]).erased()
        [(None, 15), (20, 25)]
        """
        found: list[tuple[int | None, int]] = [] if self.until is None else [(None, self.until + 1)]
        for since, until in self.periods:
            if found and (since is None or since <= found[-1][1]):
                found[-1] = (found[-1][0], max(until, found[-1][1]))
            else:
                found.append((since, until))
        return found


class Row(msgspec.Struct, array_like=True, gc=False):
    """An identifier. First come statements; `fared` and what is behind it follow from all of the tenant.

    A link stands in the rows of both its ends; at an end where it is inert only if it was among the first.
    What people say stands at both ends too, of a weak and a strong identifier in the row of the weak one.
    """

    tenant: str
    identifier: str
    seen: int  # earliest time (ms) at which anything mentions it; of a domain, anything but an address
    links: dict[str, list[Said]] = {}  # partner -> who said so
    inert: int = 0  # bit n: its links of trust rank n are inert
    words: dict[
        str, list[Word]
    ] = {}  # partner -> what people said of the pair, ascending: the last one stands
    owners: dict[str, list[int]] = {}  # weak: strong identifier -> times (ms), ascending
    crowded: bool = False  # weak: there were more than OWNERS, they are forgotten
    employed: list[Employment] = []  # strong
    profiling: tuple[int, bool] | None = None  # latest word on it: time (ms), refused (of equal times that)
    accounts: dict[str, str] = {}  # account keys that its touches name, the NAMED smallest -> account id
    fared: dict[str, Fate] = {}  # partner -> how the links with it fared, where they are not HELD
    home: Timeline = []  # strong: its contact's accounts where no address of a touch says more
    private: bool = False  # strong: its contact has refused profiling
    places: dict[str, str] = {}  # firm domains that place a touch while the first span lasts -> account id
    spans: list[Span] = []  # as published; empty: it has no map row
    erasure: Erasure | None = None

    @property
    def since(self) -> int:
        """Since when it counts as known; after an erasure since then, whatever is first heard of later."""
        until = self.erased_until
        return self.seen if until is None else until + 1

    @property
    def erased_until(self) -> int | None:
        """Up to when the identifier is erased (ms, included)."""
        return self.erasure.until if self.erasure is not None else None


decode = msgspec.msgpack.Decoder(Row).decode
encode = msgspec.msgpack.Encoder().encode


def is_erased(row: Row, at: int) -> bool:
    """Whether what is said of the identifier at that time is erased."""
    return row.erasure is not None and row.erasure.grave(at) is not None


def is_gone(row: Row, at: int) -> bool:
    """Whether touches of the identifier at that time are erased: its own, or as an erased person's device."""
    periods = row.erasure.erased() if row.erasure is not None else []
    return any((since is None or since <= at) and at < until for since, until in periods)


def erasure(row: Row) -> Erasure:
    """What the row keeps of erasures, to be added to."""
    if row.erasure is None:
        row.erasure = Erasure()
    return row.erasure


def weak_kind(row: Row) -> str:
    """The kind of a weak identifier, also of one that has no name any more; empty: it is no such one."""
    kind = kind_of(row.identifier)
    if kind in WEAK_KINDS:
        return kind
    return row.erasure.kind if row.erasure is not None else ""


def said_first(row: Row, partner: str, source: str, rank: int) -> int | None:
    """When a source said first that they are linked, as far as the row knows; None: it does not."""
    for one in row.links.get(partner, ()):
        if one.source == source and one.rank == rank:
            return one.first
    return None


def is_known(row: Row, partner: str, source: str, rank: int, at: int) -> bool:
    """Whether the row has heard the same, so that hearing it at that time says nothing new."""
    for one in row.links.get(partner, ()):
        if one.source == source and one.rank == rank:
            return one.first <= at and (at <= one.last or kind_of(partner) not in ACCOUNT_KINDS)
    return False


def add_link(row: Row, partner: str, source: str, rank: int, at: int) -> set[str]:
    """Add what was said to one end of a link: the identifiers whose links changed, none if it was known.

    With one partner too many, all links of that trust rank become inert, for good. Those that are known then
    are kept, no more are added: a bot that links ten thousand addresses to one identifier costs that
    identifier's row nothing more.
    """
    known = row.links.get(partner, [])
    for n, one in enumerate(known):
        if one.source == source and one.rank == rank:
            first = min(at, one.first)
            last = max(at, one.last) if kind_of(partner) in ACCOUNT_KINDS else first
            known[n] = Said(source, rank, first, last)
            return {row.identifier, partner} if known[n] != one else set()
    is_partner = any(one.rank == rank for one in known)
    if row.inert >> rank & 1 and not is_partner:
        return set()
    row.links[partner] = [*known, Said(source, rank, at, at)]
    most = partner_limit(row.identifier, rank)
    if not is_partner and len(row.links) > most:
        partners = {name for name, said in row.links.items() if any(one.rank == rank for one in said)}
        if len(partners) > most:
            row.inert |= 1 << rank
            return {row.identifier, *partners}
    return {row.identifier, partner}


def add_word(row: Row, partner: str, word: Word) -> bool:
    """Add what a person said to one end of a pair: whether that is news."""
    known = row.words.get(partner, [])
    if word in known or (len(known) >= WORDS and word < known[0]):
        return False
    row.words[partner] = sorted([*known, word])[-WORDS:]
    return True


def standing(row: Row, partner: str, until: int = NEVER) -> Word | None:
    """What people say of the pair, by the words up to `until` (ms, included)."""
    words = row.words.get(partner)
    return next((word for word in reversed(words) if word.at <= until), None) if words else None


def add_owner(row: Row, strong: str, at: int) -> bool:
    """Add an assertion to a weak identifier: whether that is news."""
    if row.crowded or at in row.owners.get(strong, ()):
        return False
    insort(row.owners.setdefault(strong, []), at)
    if len(row.owners) > OWNERS:
        row.crowded, row.owners = True, {}
    return True


def asserted(row: Row) -> Mapping[str, list[int]]:
    """The assertions of a weak identifier that count: strong identifier -> times, ascending.

    A person's link is one more, at its time; where people say that two do not belong together none counts.
    """
    if not row.words or row.crowded:
        return row.owners
    owners = {strong: times for strong, times in row.owners.items() if strong not in row.words}
    for strong, words in row.words.items():
        if words[-1].what == LINK:
            owners[strong] = sorted({*row.owners.get(strong, ()), words[-1].at})
    return owners


def add_named(row: Row, account: str) -> bool:
    """Add an account key that touches name: whether it is new and among the smallest, which alone count."""
    if account in row.accounts:
        return False
    if len(row.accounts) >= NAMED:
        if account > (largest := max(row.accounts)):
            return False
        del row.accounts[largest]
    row.accounts[account] = ""  # until it is resolved, in this batch
    return True


def depends_on(row: Row) -> Iterator[str]:
    """The identifiers from whose resolution the map row of `row` follows, links apart; some repeatedly."""
    domain = address_domain(row.identifier)
    employers = (account for _, _, _, account in row.employed)
    owners = chain(row.owners, row.words) if weak_kind(row) else ()
    forgotten = map(erased_name, row.erasure.forgotten) if row.erasure is not None else ()
    return chain(owners, row.accounts, employers, (domain,) if domain else (), forgotten)
