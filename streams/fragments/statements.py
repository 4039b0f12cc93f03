"""What a fragment states to IDENTITY: it exists, links, owners, accounts named, employments.

Statements follow from the row and only ever add up: IDENTITY keeps their set, and of one statement the
earliest time; of a link of account keys the latest too, to the day; of a word on profiling the latest. Only
an erasure takes back; then everything that remains is stated again.
"""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Final

from schemas.internal import (
    BARELY,
    STRONG_KINDS,
    WEAK_KINDS,
    Employed,
    Link,
    Named,
    Owns,
    Profiling,
    Seen,
    kind_of,
)
from schemas.times import DAY_MS
from streams.fragments.row import Claim, Fragment, LinkRow, is_account, is_strong

PEOPLES_KINDS: Final = frozenset((*STRONG_KINDS, *WEAK_KINDS))
PROFILING: Final = "consent.profiling"  # the fact that is its latest word

Statement = Seen | Link | Owns | Named | Employed | Profiling


def links(tenant: str, rows: Iterable[LinkRow]) -> list[Link]:
    """Links of a row as statements: the earliest time; of account keys, where the later record counts, also
    the day (UTC) of the latest: one statement a day is enough.

    >>> row = ("account_id:7", "domain:acme.nl", "crm", 1, 0, 9 * DAY_MS + 5)
    >>> [each.at // DAY_MS for each in links("t", [row])]
    [0, 9]
    """
    said: list[Link] = []
    for a, b, source, rank, first, last in rows:
        said.append(Link(tenant, a, b, source, rank, first))
        if (day := last - last % DAY_MS) > first and is_account(a):
            said.append(Link(tenant, a, b, source, rank, day))
    return said


def moments(claims: list[Claim]) -> list[Claim]:
    """Of ascending claims the first and last of each run of one value, per source; of the last run the first.

    A claim between two that say the same says nothing new. The last of a run tells how long it lasted: a
    device is shared when several people held it within some 90 days. Where claims of one time contradict
    each other, all are told and so is the next one: which of them holds is IDENTITY's to decide.

    >>> moments([(1, "a", "", 3), (2, "a", "", 3), (3, "b", "", 3), (4, "a", "", 3), (5, "a", "", 3)])
    [(1, 'a', '', 3), (2, 'a', '', 3), (3, 'b', '', 3), (4, 'a', '', 3)]
    """
    changes: list[Claim] = []
    by_source = itemgetter(2)
    for _, told in groupby(sorted(claims, key=by_source), by_source):  # stable: times stay ascending
        before: list[str] = []
        last: list[Claim] = []
        for _, at_once in groupby(told, itemgetter(0)):
            together = list(at_once)
            values = [claim[1] for claim in together]
            if len(values) > 1 or values != before:
                changes += [claim for claim in last if claim not in changes]
                changes += together
            before, last = values, together
    return changes


def statements(row: Fragment) -> list[Statement]:
    """Everything the row states."""
    tenant, identifier = row.tenant, row.identifier
    said: list[Statement] = []
    if row.seen is not None:
        said.append(Seen(tenant, identifier, row.seen))
    elif row.outcomes or row.commands:
        said.append(Seen(tenant, identifier, BARELY))
    said += links(tenant, row.links)
    said += [Named(tenant, identifier, account, at) for account, at in row.named.items()]
    kind = kind_of(identifier)
    word = row.facts.get(PROFILING)
    if word is not None and kind in PEOPLES_KINDS:
        said.append(Profiling(tenant, identifier, word.value is True, word.at))
    if is_strong(identifier):
        contact = identifier if kind == "contact_id" else ""
        said += [
            Employed(tenant, identifier, contact, source, rank, at, account)
            for at, account, source, rank in moments(row.claims)
        ]
    else:
        every = row.mapped is not None and row.mapped.every
        said += [
            Owns(tenant, identifier, strong, at)
            for at, strong, _, _ in (row.claims if every else moments(row.claims))
            if not strong.startswith("#")  # an erased owner: IDENTITY keeps what it was told of him
        ]
    return said
