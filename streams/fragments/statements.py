"""What a fragment states to IDENTITY: it exists, links, owners, accounts named, employments.

Statements follow from the row and only ever add up: IDENTITY keeps their set, and of one statement the
earliest time.
"""

from itertools import groupby
from operator import itemgetter

from schemas.internal import Employed, Link, Named, Owns, Seen, kind_of
from streams.fragments.row import Claim, Fragment, LinkRow, is_strong

Statement = Seen | Link | Owns | Named | Employed


def link(tenant: str, row: LinkRow) -> Link:
    """A link of a row as a statement."""
    a, b, source, rank, at = row
    return Link(tenant, a, b, source, rank, at)


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
    said += [link(tenant, each) for each in row.links]
    said += [Named(tenant, identifier, account, at) for account, at in row.named.items()]
    if is_strong(identifier):
        contact = identifier if kind_of(identifier) == "contact_id" else ""
        said += [
            Employed(tenant, identifier, contact, source, rank, at, account)
            for at, account, source, rank in moments(row.claims)
        ]
    else:
        said += [Owns(tenant, identifier, strong, at) for at, strong, _, _ in moments(row.claims)]
    return said
