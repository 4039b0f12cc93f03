"""How the links of a row fared, for people to read: it follows from the row.

The row of the smaller end tells of a link. Where it is inert there and came too late to be kept, that of
the larger end does; where neither keeps it, IDENTITY tells each time it hears it.
"""

from collections.abc import Iterator
from typing import Final

from schemas.internal import STEWARD, Evidence
from streams.identity.resolver import in_words
from streams.identity.rows import HELD, LINK, UNLINK, Row, standing, weak_kind

PEOPLE: Final = "people"  # the source of what people say
INERT: Final = "one of the two has too many partners at this rank of trust"  # whichever it is, or both


def all_fared(row: Row, version: bytes) -> Iterator[Evidence]:
    """How all links fared of which this row tells."""
    for partner in sorted({*row.links, *row.words}):
        yield from fared(row, partner, version)


def fared(row: Row, partner: str, version: bytes) -> Iterator[Evidence]:
    """How the links of a pair fared, as far as this row tells. What is said of weak ones is no link."""
    smaller = row.identifier < partner
    a, b = (row.identifier, partner) if smaller else (partner, row.identifier)
    inert, refusal = row.fared.get(partner, HELD)
    state, reason = ("refused", refusal) if refusal else ("held", "")
    word = standing(row, partner)
    if word is not None and word.what != LINK:
        state = "void" if word.what == UNLINK else "refused"
        reason = in_words(word.what, word.by, word.at)
    for source, rank, at, _ in row.links.get(partner, ()):
        if (inert | row.inert if smaller else inert) >> rank & 1:
            yield Evidence(row.tenant, a, b, source, rank, at, "inert", INERT, version)
        elif smaller:
            yield Evidence(row.tenant, a, b, source, rank, at, state, reason, version)
    if not smaller or weak_kind(row):
        return
    linked = [one.at for one in row.words.get(partner, ()) if one.what == LINK]
    if linked:
        yield Evidence(row.tenant, a, b, PEOPLE, STEWARD, linked[-1], state, reason, version)
