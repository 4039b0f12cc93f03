"""One row per identifier or account key: what was said of it, and what follows from that as last resolved.

Statements are sets and minima, so merging them in any order gives one state.
"""

from bisect import insort
from collections.abc import Iterator
from itertools import chain
from typing import Final

import msgspec

from streams.identity.accounts import firm_domain
from streams.identity.contacts import Timeline
from streams.identity.resolver import partner_limit
from streams.identity.spans import Span

OWNERS: Final = 1_000  # a weak identifier seen with more strong ones is nobody's: its row stays small
NAMED: Final = 1_000  # account keys that an identifier's touches name: the smallest as text; as in FRAGMENTS

Said = tuple[str, int, int]  # source, trust rank, earliest time (ms)
Employment = tuple[str, str, int, str]  # source, CRM contact id (else the identifier), time (ms), account key


class Row(msgspec.Struct, array_like=True, gc=False):
    """An identifier. The first fields are statements, the last four follow from all statements of the tenant.

    A link stands in the rows of both its ends, unless it is inert at that end.
    """

    tenant: str
    identifier: str
    seen: int  # earliest time (ms) at which anything mentions it
    links: dict[str, list[Said]] = {}  # partner -> who said so
    inert: int = 0  # bit n: its links of trust rank n are inert
    owners: dict[str, list[int]] = {}  # weak: strong identifier -> times (ms), ascending
    crowded: bool = False  # weak: there were more than OWNERS, they are forgotten
    employed: list[Employment] = []  # strong
    accounts: dict[str, str] = {}  # account keys that its touches name, the NAMED smallest -> account id
    home: Timeline = []  # strong: its contact's accounts where no address of a touch says more
    spans: list[Span] = []  # as published; empty: it has no map row


decode = msgspec.msgpack.Decoder(Row).decode
encode = msgspec.msgpack.Encoder().encode


def is_known(row: Row, partner: str, said: Said) -> bool:
    """Whether the row has heard the same at that time or earlier."""
    source, rank, at = said
    return any(one[2] <= at and one[0] == source and one[1] == rank for one in row.links.get(partner, ()))


def add_link(row: Row, partner: str, said: Said) -> set[str] | None:
    """Add what `said` says to one end of a link: the identifiers whose links changed, None if nothing did.

    With one partner too many, all links of that trust rank become inert, for good, and are forgotten here:
    a bot that links ten thousand addresses to one identifier costs that identifier's row nothing more.
    """
    source, rank, _at = said
    if row.inert >> rank & 1 or is_known(row, partner, said):
        return None
    known = row.links.get(partner, [])
    row.links[partner] = [*(one for one in known if one[:2] != (source, rank)), said]
    if any(one[1] == rank for one in known):
        return {row.identifier, partner}
    partners = [name for name, all_said in row.links.items() if any(one[1] == rank for one in all_said)]
    if len(partners) <= partner_limit(row.identifier, rank):
        return {row.identifier, partner}
    row.inert |= 1 << rank
    links = {name: [one for one in all_said if one[1] != rank] for name, all_said in row.links.items()}
    row.links = {name: all_said for name, all_said in links.items() if all_said}
    return {row.identifier, *partners}


def add_owner(row: Row, strong: str, at: int) -> bool:
    """Add an assertion to a weak identifier: whether that is news."""
    if row.crowded or at in row.owners.get(strong, ()):
        return False
    insort(row.owners.setdefault(strong, []), at)
    if len(row.owners) > OWNERS:
        row.crowded, row.owners = True, {}
    return True


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
    domain = firm_domain(row.identifier)
    employers = (account for _, _, _, account in row.employed)
    return chain(row.owners, row.accounts, employers, (domain,) if domain else ())
