"""What a fragment contributes to each account: follows from its touches, its facts and its map row."""

from bisect import bisect_right

from schemas.internal import ISSUED_KINDS, Mini, Part, Snapshot, kind_of
from streams.fragments import keeping
from streams.fragments.moves import name_predecessors
from streams.fragments.row import Fragment, Left, MapState, SpanRow, is_strong


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
    where it is one of too many that touches of the identifier name), else to the firm of the address on it
    where no employment holds and that firm is the contact's own, else to the account of the span it falls in;
    its contact is the span's. A span of an account gives a part also when no touch falls in it: so the
    account knows the identifier. An id that we issued, of which nothing was said, is nowhere.
    """
    mapped = row.mapped
    if mapped is None or (kind_of(row.identifier) in ISSUED_KINDS and not _is_spoken_of(row)):
        return {}
    touches, spans = counted(row.touches), mapped.spans
    if not (row.named or mapped.places) and len(spans) == 1 and spans[0].since is None:
        span = spans[0]  # nearly all: one owner, since ever
        if span.account is None:
            return {}
        part = Part(span.contact or "", None, None, touches)
        stand = {span.account: _snapshot(row, span.account, [part])}
    else:
        stand = _standing(row, mapped, touches)
    if row.outcomes or row.commands:
        _decide(row, mapped, stand)
    if row.left:
        name_predecessors(stand, row.left)
    return stand


def _standing(row: Fragment, mapped: MapState, touches: list[Mini]) -> dict[str, Snapshot]:
    spans = mapped.spans
    parts: dict[str, dict[int, Part]] = {}
    for index, span in enumerate(spans):
        if span.account is not None:
            part = _part(spans, index)
            part.came_from = _came_from(row, spans, index)
            parts.setdefault(span.account, {})[index] = part
    starts = [-(1 << 62) if span.since is None else span.since for span in spans]
    homes = [*(span.account for span in spans), None]  # the last one: before the first span
    identifier, named, known, places = row.identifier, row.named, mapped.accounts, mapped.places
    for touch in touches:
        index = bisect_right(starts, touch.at) - 1
        if touch.account and touch.account != identifier:
            account = known.get(touch.account) if touch.account in named else None
        else:
            account = homes[index]
            if places and index >= 0 and spans[index].placed:
                account = places.get(touch.place, account)
        if account is None:
            continue
        there = parts.get(account)
        if there is None:
            there = parts[account] = {}
        if index not in there:
            there[index] = _part(spans, index)
        there[index].touches.append(touch)
    stand = {
        account: _snapshot(row, account, [there[index] for index in sorted(there)])
        for account, there in parts.items()
    }
    touched = {account for account, snapshot in stand.items() if any(part.touches for part in snapshot.parts)}
    for account, snapshot in stand.items():
        snapshot.elsewhere = bool(touched) and account not in touched
    return stand


def _is_spoken_of(row: Fragment) -> bool:
    return bool(row.touches or row.facts or row.outcomes or row.commands)


def _decide(row: Fragment, mapped: MapState, stand: dict[str, Snapshot]) -> None:
    """Outcomes and commands belong to the account of the span that they fall in."""
    starts = [-(1 << 62) if span.since is None else span.since for span in mapped.spans]
    alone = row.seen is None and not (row.touches or row.facts)

    def where(at: int) -> Snapshot | None:
        index = bisect_right(starts, at) - 1
        return stand.get(mapped.spans[index].account or "") if index >= 0 else None

    for snapshot in stand.values():
        snapshot.named = alone
    for outcome in keeping.counted(row.outcomes):
        if (there := where(outcome.at)) is not None:
            there.outcomes.append(outcome)
    for command in keeping.counted(row.commands):
        if (there := where(command.at)) is not None:
            there.commands.append(command)


def _part(spans: list[SpanRow], index: int) -> Part:
    if index < 0:  # before the first span: nobody's
        return Part("", None, None, [])
    until = spans[index + 1].since if index + 1 < len(spans) else None
    return Part(spans[index].contact or "", spans[index].since, until, [])


def _came_from(row: Fragment, spans: list[SpanRow], index: int) -> str:
    """Where the contact of a strong identifier was employed in the span before, if elsewhere; else empty.

    Spans of a strong identifier begin with employments; the first one, since ever, may be of the mail domain
    alone. That somebody was employed in it is known to the fragment that told the first employment.
    """
    if not index or not is_strong(row.identifier):
        return ""
    span, before = spans[index], spans[index - 1]
    begun = before.since
    if begun is None and row.claims:
        begun = row.claims[0][0]
    employed = begun is not None and span.since is not None and begun < span.since
    return before.account or "" if employed and before.account != span.account else ""


def _snapshot(row: Fragment, account: str, parts: list[Part]) -> Snapshot:
    dense = row.level > 0
    return Snapshot(
        row.tenant,
        account,
        row.identifier,
        b"",
        False,
        dense,
        parts,
        row.facts,
        erased=row.erased,
        anew=_anew(row),
        history=row.history,
        words=keeping.words(row.words) if row.words else {},
        mailboxes=row.mailboxes,
    )


def withdrawn(row: Fragment, left: Left) -> Snapshot:
    """Nothing of this fragment belongs to an account any more; without a version."""
    return Snapshot(
        tenant=row.tenant,
        account=left.account,
        identifier=row.identifier,
        version=b"",
        withdrawn=True,
        dense=False,
        parts=[],
        facts={},
        successors=left.successors,
        erased=row.erased,
        anew=_anew(row),
    )


def _anew(row: Fragment) -> int:
    """Up to when all is erased, ms; 0: nothing is."""
    if row.mapped is None:
        return 0
    return max((until or 0 for since, until in row.mapped.erased if since is None), default=0)
