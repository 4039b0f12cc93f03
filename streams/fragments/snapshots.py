"""What a fragment contributes to each account: follows from its touches, its facts and its map row."""

from bisect import bisect_right

from schemas.internal import Mini, Part, Snapshot
from streams.fragments.row import Fragment, SpanRow


def counted(touches: list[Mini]) -> list[Mini]:
    """Of the copies of an event (source, event_id) the one that counts: the first in the row's order."""
    ids = {(touch.event_id, touch.source) for touch in touches}
    if len(ids) == len(touches):
        return touches
    firsts = []
    for touch in touches:
        if (key := (touch.event_id, touch.source)) in ids:
            ids.remove(key)
            firsts.append(touch)
    return firsts


def snapshots(row: Fragment) -> dict[str, Snapshot]:
    """The snapshots that stand, by account id, without a version. Without a map row there are none.

    A touch belongs to the account that it names (to none as long as the map row does not resolve that, nor
    where it is one of too many that touches of the identifier name), else
    to the account of the span it falls in; its contact is the span's. A span of an account gives a part also
    when no touch falls in it: so the account knows the identifier.
    """
    mapped = row.mapped
    if mapped is None:
        return {}
    touches = counted(row.touches)
    spans = mapped.spans
    if not row.named and len(spans) == 1 and spans[0].since is None:  # nearly all: one owner, since ever
        span = spans[0]
        if span.account is None:
            return {}
        return {span.account: _snapshot(row, span.account, [Part(span.contact or "", None, None, touches)])}
    parts: dict[str, dict[int, Part]] = {}
    for index, span in enumerate(spans):
        if span.account is not None:
            parts.setdefault(span.account, {})[index] = _part(spans, index)
    starts = [-(1 << 62) if span.since is None else span.since for span in spans]
    for touch in touches:
        index = bisect_right(starts, touch.at) - 1
        if touch.account and touch.account != row.identifier:
            account = mapped.accounts.get(touch.account) if touch.account in row.named else None
        else:
            account = spans[index].account if index >= 0 else None
        if account is None:
            continue
        there = parts.setdefault(account, {})
        if index not in there:
            there[index] = _part(spans, index)
        there[index].touches.append(touch)
    return {
        account: _snapshot(row, account, [there[index] for index in sorted(there)])
        for account, there in parts.items()
    }


def _part(spans: list[SpanRow], index: int) -> Part:
    if index < 0:  # before the first span: nobody's
        return Part("", None, None, [])
    until = spans[index + 1].since if index + 1 < len(spans) else None
    return Part(spans[index].contact or "", spans[index].since, until, [])


def _snapshot(row: Fragment, account: str, parts: list[Part]) -> Snapshot:
    return Snapshot(row.tenant, account, row.identifier, b"", False, row.level > 0, parts, row.facts)


def withdrawn(row: Fragment, account: str) -> Snapshot:
    """Nothing of this fragment belongs to `account` any more; without a version."""
    return Snapshot(row.tenant, account, row.identifier, b"", True, False, [], {})
