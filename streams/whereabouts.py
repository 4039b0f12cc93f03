"""What a statement about identities or a request to be forgotten came to, asked of ClickHouse, in words."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from schemas.internal import ACCOUNT_KINDS, ISSUED_KINDS, STRONG_KINDS, WEAK_KINDS, Asserted, Request, kind_of
from schemas.message import DEFAULT_TENANT
from schemas.times import rfc3339

_LAST = (1 << 62) - 1  # ms: later than every span begins
_MEMBERS_SHOWN = 20  # of a contact or account, in words


@dataclass(frozen=True)
class Group:
    """A contact or an account; without id: nothing is known of what was named."""

    id: str = ""
    name: str = ""
    members: tuple[str, ...] = ()

    def __str__(self) -> str:
        """For people."""
        shown = ", ".join(self.members[:_MEMBERS_SHOWN])
        more = len(self.members) - _MEMBERS_SHOWN
        named = f"{self.id} ({self.name})" if self.name else self.id
        return f"{named}: {shown}" + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Pair:
    """Where the two of a link, unlink or cannot_link are now; which links between them fail, and why."""

    said: Asserted
    a: Group
    b: Group
    obstacles: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether both are known."""
        return bool(self.a.id and self.b.id)

    @property
    def one(self) -> bool:
        """Whether they are the same contact or account."""
        return self.known and self.a.id == self.b.id

    @property
    def as_said(self) -> bool:
        """Whether it is as the statement wants it."""
        return self.one is (self.said.assertion == "link")


@dataclass(frozen=True)
class Person:
    """What is known of those whom a request is about."""

    contacts: tuple[Group, ...] = ()
    touches: int = 0  # dated up to its time


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    result: str  # done, not_found
    counts: dict[str, int]
    contact_ids: tuple[str, ...]


class Asking:
    """Questions to one ClickHouse."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _rows(self, sql: str, **parameters: Any) -> Sequence[Sequence[Any]]:
        return self._client.query(sql, parameters=parameters).result_rows

    def has_heard(self, said: Asserted) -> bool:
        """Whether the statement has arrived."""
        sql = "SELECT count() FROM assertions WHERE tenant = {tenant: String} AND event_id = {id: String}"
        return bool(self._rows(sql, tenant=said.tenant, id=said.event_id)[0][0])

    def pair(self, said: Asserted) -> Pair:
        """Where the two are now; a device at the time of the statement."""
        a, b = self._group(said, said.a), self._group(said, said.b)
        return Pair(said, a, b, self._obstacles(said.tenant, a, b) if a.id != b.id else ())

    def _group(self, said: Asserted, identifier: str) -> Group:
        at = said.at if kind_of(identifier) in WEAK_KINDS else _LAST
        found = self._rows(
            "SELECT arrayLastIndex(f -> toUnixTimestamp64Milli(f) <= {at: Int64}, span_from) AS n,"
            " span_contact[n], span_account[n] FROM identity_map FINAL"
            " WHERE tenant = {tenant: String} AND identifier = {identifier: String}",
            tenant=said.tenant,
            identifier=identifier,
            at=at,
        )
        kind, _, value = identifier.partition(":")
        own = value if kind in ISSUED_KINDS else ""  # an id that is in use needs no row
        _, contact, account = found[0] if found else (0, own, own)
        id_, look = (account, self._account) if _is_of_account(said) else (contact, self._contact)
        group = look(said.tenant, id_) if id_ else Group()
        return group if group.members else Group()

    def _contact(self, tenant: str, contact: str) -> Group:
        return self._members(
            tenant,
            contact,
            "has(span_contact, {id: String})",
            (*STRONG_KINDS, *WEAK_KINDS),
            "SELECT name FROM v_contacts WHERE tenant = {tenant: String} AND contact_id = {id: String}",
        )

    def _account(self, tenant: str, account: str) -> Group:
        return self._members(
            tenant,
            account,
            "span_account[-1] = {id: String}",
            ACCOUNT_KINDS,
            "SELECT name FROM v_accounts WHERE tenant = {tenant: String} AND account_id = {id: String}",
        )

    def _members(self, tenant: str, id_: str, where: str, kinds: Sequence[str], name: str) -> Group:
        members = self._rows(
            f"SELECT identifier FROM identity_map FINAL WHERE tenant = {{tenant: String}} AND {where}"
            " AND splitByChar(':', identifier)[1] IN {kinds: Array(String)} ORDER BY identifier",
            tenant=tenant,
            id=id_,
            kinds=list(kinds),
        )
        named = self._rows(name, tenant=tenant, id=id_)
        return Group(id_, named[0][0] if named else "", tuple(row[0] for row in members))

    def _obstacles(self, tenant: str, a: Group, b: Group) -> tuple[str, ...]:
        found = self._rows(
            "SELECT a, b, source, why FROM identity_links FINAL"
            " WHERE tenant = {tenant: String} AND state != 'held'"
            " AND (a IN {x: Array(String)} AND b IN {y: Array(String)}"
            " OR a IN {y: Array(String)} AND b IN {x: Array(String)}) ORDER BY a, b, source",
            tenant=tenant,
            x=list(a.members),
            y=list(b.members),
        )
        return tuple(f"{one} and {other}, said {source}: {why}" for one, other, source, why in found)

    def person(self, request: Request) -> Person:
        """Whom a request is about, as things stand."""
        found = self._rows(
            "SELECT DISTINCT arrayJoin(span_contact) AS contact FROM identity_map FINAL"
            " WHERE tenant = {tenant: String} AND identifier IN {all: Array(String)} AND contact != ''"
            " ORDER BY contact",
            tenant=request.tenant,
            all=[name for name in request.identifiers if kind_of(name) not in WEAK_KINDS],
        )
        issued = [name.partition(":")[2] for name in request.identifiers if kind_of(name) in ISSUED_KINDS]
        ids = sorted({*(row[0] for row in found), *issued})
        groups = [self._contact(request.tenant, contact) for contact in ids]
        people = tuple(group for group in groups if group.members)
        return Person(people, self.touches(request, [group.id for group in people]))

    def touches(self, request: Request, contacts: Sequence[str]) -> int:
        """Touchpoints up to the time of the request, of these contacts and of what it names."""
        sql = (
            "SELECT count() FROM v_touchpoints WHERE tenant = {tenant: String}"
            " AND toUnixTimestamp64Milli(occurred_at) <= {at: Int64}"
            " AND (contact_id IN {contacts: Array(String)} OR identifier IN {all: Array(String)})"
        )
        rows = self._rows(
            sql, tenant=request.tenant, at=request.at, contacts=list(contacts), all=request.identifiers
        )
        return int(rows[0][0])

    def tenants(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Of each identifier the tenants that know it: from a touch, or because somebody named it."""
        sql = (
            "SELECT DISTINCT tenant FROM ("
            "SELECT tenant FROM identity_map WHERE identifier = {name: String}"
            " OR has(span_contact, {id: String}) OR has(span_account, {id: String})"
            " UNION ALL SELECT tenant FROM touchpoints WHERE {name: String} IN (identifier, account)"
            ") ORDER BY tenant"
        )
        found = {}
        for name in names:
            kind, _, value = name.partition(":")
            id_ = value if kind in ISSUED_KINDS else name  # no contact is called so
            found[name] = [tenant for (tenant,) in self._rows(sql, name=name, id=id_)]
        return found

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request; None: there is none yet."""
        found = self._rows(
            "SELECT result, counts, contact_ids FROM privacy_results FINAL"
            " WHERE tenant = {tenant: String} AND request_id = {id: String}",
            tenant=request.tenant,
            id=request.event_id,
        )
        return Answer(found[0][0], dict(found[0][1]), tuple(found[0][2])) if found else None


def _is_of_account(said: Asserted) -> bool:
    return kind_of(said.b) in (*ACCOUNT_KINDS, "journeys_account_id")


def pair_in_words(pair: Pair) -> Iterator[str]:
    """What came of a statement, a line each.

    >>> jane = Group("c1", "Jane", ("contact_id:7", "email:j@acme.nl"))
    >>> said = Asserted("default", "1", "link", "contact_id:7", "email:j@acme.nl", 0, "steward")
    >>> print(*pair_in_words(Pair(said, jane, jane)), sep="\\n")
    contact_id:7 and email:j@acme.nl are one contact
      c1 (Jane): contact_id:7, email:j@acme.nl
    """
    said, a, b = pair.said, pair.a, pair.b
    what = "account" if _is_of_account(said) else "contact"
    both = f"{said.a} and {said.b}"
    device = next((name for name in (said.a, said.b) if kind_of(name) in WEAK_KINDS), "")
    if device:
        yield from _device_in_words(pair, device)
        return
    if not pair.known:
        for name, group in ((said.a, a), (said.b, b)):
            if not group.id:
                yield f"nothing is known of {name} yet; what was said is kept"
    elif pair.one:
        still = "" if pair.as_said else " still, through other links"
        yield f"{both} are one {what}{still}"
    else:
        yield f"{both} are two {what}s" + (" still" if not pair.as_said else "")
    for group in dict.fromkeys(group for group in (a, b) if group.id):
        yield f"  {group}"
    for obstacle in pair.obstacles if not pair.as_said else ():
        yield f"  does not hold: {obstacle}"


def unseen_in_words(said: Asserted, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """A line for each of the two that the tenant had never seen; `known`: the tenants that had, of each.

    >>> said = Asserted("default", "1", "link", "contact_id:7", "email:x@typo.nl", 0, "steward")
    >>> print(*unseen_in_words(said, {"contact_id:7": ["default"]}), sep="\\n")
    nothing was ever seen of email:x@typo.nl; to take it back: journeys unlink contact_id:7 email:x@typo.nl
    """
    elsewhere = dict(elsewhere_in_words(said.tenant, (said.a, said.b), known))
    back = f"journeys unlink {shlex.join((said.a, said.b))}"
    if said.tenant != DEFAULT_TENANT:
        back += f" --tenant {shlex.quote(said.tenant)}"
    for name in (said.a, said.b):
        if name in elsewhere:
            yield elsewhere[name]
        elif said.assertion == "link" and said.tenant not in known.get(name, ()):
            yield f"nothing was ever seen of {name}; to take it back: {back}"


def elsewhere_in_words(
    tenant: str, names: Sequence[str], known: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """The identifiers that only other tenants know, and what to say of each.

    >>> dict(elsewhere_in_words("default", ["user_id:7"], {"user_id:7": ["p"]}))
    {'user_id:7': 'nothing was ever seen of user_id:7 in tenant default; tenant p knows it: add --tenant p'}
    """
    for name in names:
        others = known.get(name, ())
        if others and tenant not in others:
            those = (
                f"tenant {others[0]} knows it" if len(others) == 1 else f"tenants {', '.join(others)} know it"
            )
            add = " or ".join(f"--tenant {shlex.quote(other)}" for other in others)
            yield name, f"nothing was ever seen of {name} in tenant {tenant}; {those}: add {add}"


def _device_in_words(pair: Pair, device: str) -> Iterator[str]:
    said = pair.said
    owner, person = (pair.a, said.b) if device == said.a else (pair.b, said.a)
    of = f"of the contact of {person}" if pair.one else "of another contact" if owner.id else "nobody's"
    still = "" if pair.as_said else " still"
    yield f"{device} is {of}{still}, as of {rfc3339(said.at)}"
    if owner.id:
        yield f"  {owner}"


def request_in_words(request: Request, before: Person, answer: Answer, left: int) -> Iterator[str]:
    """What was done for a request, a line each; `left`: touchpoints that are left.

    >>> asked = Request("default", "1", "erase", ["email:x@acme.nl"], 0)
    >>> print(*request_in_words(asked, Person(), Answer("not_found", {}, ()), 0), sep="\\n")
    nothing is known of email:x@acme.nl
      the request is kept: what is dated up to 1970-01-01T00:00:00Z and comes later is refused
    """
    if answer.result == "not_found":
        yield f"nothing is known of {', '.join(request.identifiers)}"
    else:
        counts = ", ".join(f"{name} {count:,}" for name, count in answer.counts.items())
        yield f"erased, up to {rfc3339(request.at)}: {counts}"
        for group in before.contacts:
            yield f"  contact {group}"
        yield f"  {before.touches - left:,} touchpoints removed, {left:,} left"
    yield f"  the request is kept: what is dated up to {rfc3339(request.at)} and comes later is refused"
