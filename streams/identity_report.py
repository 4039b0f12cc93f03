"""`journeys identity` in words: why these identifiers are one contact, or these keys one account. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.times import rfc3339

EVER: Final = "since ever"


class Period(msgspec.Struct):
    """A span of time; `since` and `until` are RFC 3339 in UTC, None: open."""

    since: str | None
    until: str | None
    id: str  # of an account or contact
    name: str = ""


class Known(msgspec.Struct):
    """An identifier or account key, and when it was first seen."""

    identifier: str
    first_seen: str | None


class Link(msgspec.Struct):
    """A link that somebody told, and how it fared."""

    a: str
    b: str
    source: str
    since: str
    state: str  # held, refused, void, inert
    why: str


class Said(msgspec.Struct):
    """A statement of a person."""

    at: str
    by: str
    assertion: str
    a: str
    b: str


class Device(msgspec.Struct):
    """A weak identifier and when it is this contact's."""

    identifier: str
    periods: list[Period]


class Happened(msgspec.Struct):
    """A merge, a split or a move, as it was told."""

    at: str
    type: str
    details: dict[str, str]


class Group(msgspec.Struct):
    """A contact or an account, and everything that makes it one."""

    tenant: str
    kind: str  # contact, account
    id: str
    name: str
    identifiers: list[Known]
    links: list[Link]
    said: list[Said]
    history: list[Happened]
    former_ids: list[str]
    periods: list[Period] = []  # of a contact: its accounts; of an account: its members
    devices: list[Device] = []
    consent: dict[str, bool] = {}
    parent: str = ""


class Report(msgspec.Struct):
    """What is known of what was asked for, in one tenant."""

    tenant: str
    asked: str  # kind:value
    groups: list[Group] = []
    owners: list[Period] = []  # of a device: the contacts it belongs to over time
    erased: list[Period] = []  # periods in which it is erased


def in_words(asked: str, reports: Iterable[Report]) -> Iterator[str]:
    """The whole answer, a line each.

    >>> print(*in_words("email:x@acme.nl", []), sep="\\n")
    nothing is known of email:x@acme.nl
    """
    reports = [report for report in reports if report.groups or report.owners or report.erased]
    if not reports:
        yield f"nothing is known of {asked}"
    for report in reports:
        if len(reports) > 1:
            yield f"tenant {report.tenant}"
        yield from _report(report)


def _report(report: Report) -> Iterator[str]:
    for period in report.erased:
        yield f"{report.asked} is erased {_span(period)}: what is dated so is refused for ever"
    if report.erased and not report.groups:
        yield "  nothing later is known of it"
    if report.owners:
        yield f"{report.asked} is a device or phone; it belongs to"
        for owner in report.owners:
            yield f"  {_who(owner)} {_span(owner)}" if owner.id else f"  nobody {_span(owner)}"
    for group in report.groups:
        yield from _group(group)


def _group(group: Group) -> Iterator[str]:
    yield f"{group.kind} {group.id}" + (f" ({group.name})" if group.name else "")
    if group.parent:
        yield f"  a subsidiary of {group.parent}"
    yield from _listed("accounts" if group.kind == "contact" else "members", map(_belongs, group.periods))
    yield from _listed("identifiers" if group.kind == "contact" else "keys", map(_known, group.identifiers))
    held = [link for link in group.links if link.state == "held"]
    yield from _listed("held together by", (f"{_pair(link)} ({_told(link)})" for link in held))
    others = (link for link in group.links if link.state != "held")
    yield from _listed(
        "told, but not held", (f"{_pair(link)} ({_told(link)}), {link.state}: {link.why}" for link in others)
    )
    yield from _listed(
        "people said", (f"{said.at} {said.by}: {said.assertion} {said.a} {said.b}" for said in group.said)
    )
    yield from _listed(
        "devices",
        (f"{one.identifier} {'; '.join(_span(period) for period in one.periods)}" for one in group.devices),
    )
    yield from _listed("consent", (_consent(group.consent),) if group.consent else ())
    yield from _listed("history", map(_happened, group.history))
    yield from _listed("former ids", [", ".join(group.former_ids)] if group.former_ids else ())


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield f"  {title}"
        for line in lines:
            yield f"    {line}"


def _belongs(period: Period) -> str:
    return f"{_who(period)} {_span(period)}"


def _who(period: Period) -> str:
    return f"{period.id} ({period.name})" if period.name else period.id


def _span(period: Period) -> str:
    """
    >>> _span(Period(None, "2025-06-01T00:00:00Z", "")), _span(Period(None, None, ""))
    ('until 2025-06-01T00:00:00Z', 'since ever')
    """
    begun = f"from {period.since}" if period.since else ""
    ended = f"until {period.until}" if period.until else ""
    return " ".join(filter(None, (begun, ended))) or EVER


def _known(known: Known) -> str:
    seen = f"first seen {known.first_seen}" if known.first_seen else "seen on no touch"
    return f"{known.identifier}  {seen}"


def _pair(link: Link) -> str:
    return f"{link.a} = {link.b}"


def _told(link: Link) -> str:
    return f"{link.source}, {link.since}"


def _consent(consent: Mapping[str, bool]) -> str:
    return ", ".join(f"{purpose}: {'yes' if given else 'no'}" for purpose, given in sorted(consent.items()))


def _happened(event: Happened) -> str:
    told = ", ".join(f"{name} {value}" for name, value in sorted(event.details.items()) if value)
    return f"{event.at} {event.type.replace('_', ' ')}: {told}" if told else f"{event.at} {event.type}"


def spans(starts: Iterable[int], ids: Iterable[str], names: Mapping[str, str] | None = None) -> list[Period]:
    """Spans of a map row (begins in ms, 0: since ever) as periods, adjacent ones of one id joined.

    >>> [(p.since, p.until, p.id) for p in spans([0, 5_000, 9_000], ["c1", "c1", "c2"])]
    [(None, '1970-01-01T00:00:09Z', 'c1'), ('1970-01-01T00:00:09Z', None, 'c2')]
    """
    found: list[Period] = []
    for start, one in zip(starts, ids, strict=True):
        if found and found[-1].id == one:
            continue
        since = rfc3339(start) if start else None
        if found:
            found[-1].until = since
        found.append(Period(since, None, one, (names or {}).get(one, "")))
    return found
