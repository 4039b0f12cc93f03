"""Where a fragment went when its snapshot was withdrawn from an account, and where it came from.

The account that it left tells its successors what it has published, so that they do not say it again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from schemas.internal import Snapshot
from streams.core import Version
from streams.fragments.row import LEFT, Left, MapState, SpanRow, touch_order

SUCCESSORS: Final = 100  # of one withdrawal

_EVER: Final = 1 << 62  # ms


def moved(
    left: Sequence[Left],
    stood: Mapping[str, Snapshot],
    mapped: MapState | None,
    stand: Mapping[str, Snapshot],
    mapped_now: MapState | None,
    version: Version,
) -> list[Left]:
    """The accounts that the fragment has left, now that `stand` stands where `stood` did; at most LEFT.

    Successors of an account are those where its touches are now; where it had none, or none of them is
    anywhere, those of the same time.
    """
    kept = [each for each in left if each.account not in stand]
    gone = sorted(account for account in stood if account not in stand)
    if gone:
        where = {
            touch_order(touch): account
            for account, snapshot in stand.items()
            for part in snapshot.parts
            for touch in part.touches
        }
        for account in gone:
            touches = (touch_order(touch) for part in stood[account].parts for touch in part.touches)
            found = {where[touch] for touch in touches if touch in where}
            found = found or (_of_the_same_time(account, mapped, mapped_now) & stand.keys())
            kept.append(Left(account, version, sorted(found)[:SUCCESSORS]))
    return kept[-LEFT:]


def name_predecessors(stand: Mapping[str, Snapshot], left: Iterable[Left]) -> None:
    """Name on the snapshots that stand the accounts that they came from."""
    for snapshot in stand.values():
        snapshot.predecessors = {}
    for each in left:
        for account in each.successors:
            if account in stand:
                stand[account].predecessors[each.account] = each.version


def _of_the_same_time(account: str, mapped: MapState | None, mapped_now: MapState | None) -> set[str]:
    held = [(first, last) for span, first, last in _bounds(mapped) if span.account == account]
    return {
        span.account
        for span, first, last in _bounds(mapped_now)
        if span.account is not None and any(first < until and since < last for since, until in held)
    }


def _bounds(mapped: MapState | None) -> list[tuple[SpanRow, int, int]]:
    spans = [] if mapped is None else mapped.spans
    starts = [-_EVER if span.since is None else span.since for span in spans]
    return list(zip(spans, starts, [*starts[1:], _EVER], strict=True)) if spans else []
