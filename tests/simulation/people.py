"""Small inputs for the topology: a few people and firms, with everything that makes stitching hard.

Times are unique within an input, so that no rule about ties is needed to tell what is expected.
"""

import json
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import topics
from schemas.keys import hasher
from schemas.times import from_rfc3339, rfc3339
from tests.simulation import sales
from tests.simulation.oracle import Tenant
from tests.simulation.said import (
    ACCOUNT,
    STRONG,
    WEAK,
    Assertion,
    Decision,
    Request,
    Said,
    domain_of,
    kind_of,
    said,
)

DAY_MS = 86_400_000
BEGIN_MS = 1_700_000_000_000  # 2023-11-14, long before the wall clock of the runs
KEY_OF = hasher("simulation")
Event = dict[str, Any]

SUBJECTS = ("pumps", "valves", "prices", "planning")
VISITS = ("page_viewed", "page_viewed", "content_downloaded", "howto_viewed", "price_viewed", "app_used")
STARTS = ("catalogue_requested", "quote_requested", "demo_requested", "account_registered", "order_placed")
# What people do who want to buy together.
EAGER = ("meeting_held", "meeting_held", "sample_requested", "account_registered", *STARTS, "call_requested")
REQUESTS = ("demo_requested", "quote_requested", "call_requested")
TITLES = ("inkoper", "directeur", "monteur", "IT-manager", "secretary", "office manager", "procurement lead")
BAD = (
    b"{not json",
    b"[]",
    b'{"event_id":"x","type":"page_viewed","source":"web","identifiers":{"email":"a@b.nl"}}',
    b'{"event_id":"x","type":"page_viewed","source":"web","occurred_at":"2024-01-01T00:00:00Z"}',
    b'{"event_id":"x","type":"page_viewed","source":"web","occurred_at":"soon","identifiers":{"email":"a@b.nl"}}',
    b'{"event_id":"x","type":"page_viewed","source":"web","occurred_at":"2099-01-01T00:00:00Z",'
    b'"identifiers":{"email":"a@b.nl"}}',
)


@dataclass(frozen=True)
class Kind:
    """How much there is of what makes it hard."""

    people: tuple[int, int]  # per tenant: least, most
    shared: tuple[int, float]  # how many devices may be two people's, and how likely each is
    anonymous: int  # weight of touches of a device alone
    log_ins: int  # weight of those with an address
    requests: tuple[int, ...]  # how many people want to be forgotten, one of these


NORMAL = Kind((3, 6), (1, 0.6), 6, 4, (0, 0, 1, 1, 2))
# Few people who share devices, most of them to be forgotten: what is erased is told of others all the time.
HARSH = Kind((2, 3), (2, 1.0), 14, 12, (1, 1, 2))


@dataclass(frozen=True)
class Line:
    """A line of input; `event` is None where it must be refused."""

    value: bytes
    event: Event | None
    at: int = 0  # ms
    topic: str = topics.TOUCHPOINTS.name
    said: Said | Assertion | Request | Decision | None = None


@dataclass
class Person:
    """Somebody with identifiers; not all of them are ever told."""

    firm: int
    contact_id: str
    user_id: str
    email: str
    private: str
    client: str  # a consultant's address at another firm
    phone: str
    cookies: list[str] = field(default_factory=list)

    @property
    def strong(self) -> list[str]:
        return [
            f"contact_id:{self.contact_id}",
            f"user_id:{self.user_id}",
            *(f"email:{address}" for address in dict.fromkeys((self.email, self.private, self.client))),
        ]


class Market:
    """One tenant's people and firms, and the lines about them."""

    def __init__(self, rng: random.Random, tenant: str, times: Iterator[int], kind: Kind) -> None:
        self.rng = rng
        self.tenant = tenant
        self.kind = kind
        self.times = times
        self.count = 0
        self.firms = rng.randint(2, 3)
        self.eager = rng.random() < 0.4  # most of them are of one firm that wants to buy
        self.people = [self._person(n) for n in range(rng.randint(*kind.people))]
        devices, likely = kind.shared
        for _ in range(devices):
            if likely == 1 or rng.random() < likely:
                one, other = rng.sample(self.people, 2)
                other.cookies.append(one.cookies[0])
        self.pairs = [self._pair() for _ in range(3)]  # of which people speak
        self.asked: list[tuple[int, str]] = []  # when somebody asked for a conversation, of which firm

    def _person(self, n: int) -> Person:
        firm = 0 if self.eager and self.rng.random() < 0.8 else self.rng.randrange(self.firms)
        host = f"firm{firm}.nl" if self.rng.random() < 0.8 else "gmail.com"
        return Person(
            firm,
            f"C{n}",
            f"u{n}",
            f"p{n}@{host}",
            f"p{n}@gmail.com",
            f"p{n}@firm{self.rng.randrange(self.firms)}.nl",
            f"+3161234567{n}",
            [f"k{n}a", f"k{n}b"],
        )

    def events(self) -> list[Line]:
        """Something that happens."""
        rng = self.rng
        person = rng.choice(self.people)
        cookie = rng.choice(person.cookies)
        other = rng.choice(self.people)
        address = rng.choice((person.email, person.client))
        makers: tuple[tuple[int, Callable[[], Event]], ...] = (
            (self.kind.anonymous, lambda: self._touch({"anonymous_id": cookie})),
            (self.kind.log_ins, lambda: self._touch({"anonymous_id": cookie, "email": person.email})),
            (2, lambda: self._touch({"user_id": person.user_id, "anonymous_id": cookie})),
            (2, lambda: self._touch({"user_id": person.user_id, "email": person.email})),
            (2, lambda: self._touch({"user_id": person.user_id, "email": address})),
            (1, lambda: self._touch({"contact_id": person.contact_id, "email": address})),
            (1, lambda: self._touch({"user_id": person.user_id, "email": person.private})),
            (1, lambda: self._touch({"user_id": person.user_id})),
            (2, lambda: self._touch({"email": person.email})),
            (1, lambda: self._touch({"phone": person.phone, "contact_id": person.contact_id})),
            (1, lambda: self._touch({"phone": person.phone})),
            (3, lambda: self._record(person, person.firm)),
            (1, lambda: self._record(person, rng.randrange(self.firms))),
            (1, lambda: self._link(person, other)),
            (1, lambda: self._touch({"email": person.email}, account=self._firm_key())),
            (1, lambda: self._touch({"anonymous_id": cookie}, account=self._firm_key())),
            (2, self._order),
            (1, lambda: self._firm_record(rng.randrange(self.firms), rng.randrange(self.firms))),
            (1, lambda: self._touch({"email": person.email}, type="email_opened", source="email")),
            (1, lambda: self._touch({"email": person.email}, type="email_sent", source="email")),
            (1, lambda: self._consent(person, cookie)),
        )
        luck = rng.random()
        if luck < 0.15:
            return [self._assertion()]
        if luck < 0.17:
            return [_line(event) for event in self._moved()]
        if luck < 0.30:
            return [self._decision(person, outcome=luck < 0.25)]
        make = rng.choices([make for _, make in makers], [weight for weight, _ in makers])[0]
        line = _line(make())
        if line.event is not None and line.event["type"] in REQUESTS:
            self.asked.append((line.at, domain_of(person.email) or f"account_id:A{person.firm}"))
        return [line]

    def _type(self) -> str:
        rng = self.rng
        if self.eager and rng.random() < 0.5:
            return rng.choice(EAGER)
        return rng.choice(STARTS) if rng.random() < 0.2 else rng.choice(VISITS)

    def _touch(self, identifiers: Event, account: Event | None = None, **more: str) -> Event:
        rng = self.rng
        event = {
            "event_id": f"e{self.count:04}",
            "type": self._type(),
            "occurred_at": rfc3339(next(self.times)),
            "source": "web",
            "tenant": self.tenant,
            "identifiers": identifiers,
            **more,
        }
        if rng.random() < 0.7:
            event["content"] = {"topic": rng.choice(SUBJECTS[: 2 if self.eager else None])}
        if account is not None:
            event["account"] = account
        if identifiers and rng.random() < 0.1:
            event["contact"] = {"name": f"name of {self.count:04}"}
        if identifiers and rng.random() < 0.15:
            event.setdefault("contact", {})["job_title"] = rng.choice(TITLES)
        if identifiers and rng.random() < (0.4 if self.eager else 0.1):
            event["consent"] = {purpose: rng.random() < 0.8 for purpose in ("email", "phone")}
        self.count += 1
        return event

    def _firm_key(self) -> Event:
        firm = self.rng.randrange(self.firms)
        return self.rng.choice(({"account_id": f"A{firm}"}, {"domain": f"firm{firm}.nl"}))

    def _record(self, person: Person, firm: int) -> Event:
        """The CRM says who works where."""
        keys = {"account_id": f"A{firm}"}
        if self.rng.random() < 0.3:
            keys["domain"] = f"firm{firm}.nl"
        identifiers = {"contact_id": person.contact_id}
        if self.rng.random() < 0.7:
            identifiers["email"] = person.email
        event = self._touch(identifiers, account=keys, source="crm", type="profile_updated")
        event["account"]["name"] = f"Firm {firm}"
        event["organisation"] = {"industry": self.rng.choice(("trade", "build"))}
        if self.rng.random() < 0.3:
            event.setdefault("contact", {})["role"] = self.rng.choice(sales.ROLES)
        return event

    def _link(self, person: Person, other: Person) -> Event:
        """Two people's identifiers on one touch: some of these links cannot hold."""
        source = self.rng.choice(("web", "crm", "erp"))
        pairs: tuple[Event, ...] = (
            {"contact_id": person.contact_id, "email": other.email},
            {"contact_id": person.contact_id, "user_id": other.user_id},
            {"user_id": person.user_id, "email": other.email},
        )
        return self._touch(self.rng.choice(pairs), source=source)

    def _order(self) -> Event:
        """The ERP tells of an order of an account."""
        firm = self.rng.randrange(self.firms)
        keys = {"account_id": f"A{firm}", "customer_number": f"9{firm}"}
        if self.rng.random() < 0.5:
            del keys[self.rng.choice(list(keys))]
        what = self.rng.choice(("order_placed", "order_placed", "order_returned", "order_cancelled"))
        event = self._touch({}, account=keys, source="erp", type=what)
        event["commerce"] = {"order_id": f"o{self.rng.randint(0, 5)}"}
        if self.rng.random() < 0.7:
            currency = self.rng.choice(("EUR", "EUR", "USD"))
            event["commerce"] |= {"value": self.rng.randint(1, 900), "currency": currency}
        del event["identifiers"]
        return event

    def _firm_record(self, firm: int, domain: int) -> Event:
        """The CRM joins an account and a domain, now and then another firm's domain."""
        keys = {"account_id": f"A{firm}", "domain": f"firm{domain}.nl"}
        event = self._touch({}, account=keys, source="crm", type="meeting_held")
        del event["identifiers"]
        return event

    def _moved(self) -> list[Event]:
        """The CRM moves a domain to another account, and back on another day."""
        one, other = self.rng.sample(range(self.firms), 2)
        made = [self._firm_record(firm, one) for firm in (one, other, one)]
        times = sorted(event["occurred_at"] for event in made)
        return [{**event, "occurred_at": at} for event, at in zip(made, times, strict=True)]

    def _consent(self, person: Person, cookie: str) -> Event:
        """Somebody gives or withdraws consent."""
        identifiers: Event = self.rng.choice(
            ({"email": person.email}, {"user_id": person.user_id}, {"anonymous_id": cookie})
        )
        given = self.rng.random() < 0.4
        event = self._touch(identifiers, type="consent_given" if given else "consent_withdrawn")
        event["consent"] = {purpose: given for purpose in ("email", "profiling") if self.rng.random() < 0.8}
        return event

    def _decision(self, person: Person, *, outcome: bool) -> Line:
        """Sales says what became of a lead, or decides something about an account."""
        rng = self.rng
        at, key = next(self.times), sales.key_of_account(rng, self.firms)
        if self.asked and rng.random() < 0.75:  # soon after somebody asked for a conversation
            asked, key = rng.choice(self.asked)
            at = asked + rng.randrange(rng.choice((5, 30)) * DAY_MS)
        about = (rng, self.count, self.tenant, at, key)
        if outcome:
            value, event, decision = sales.outcome(*about, self._issued(key)["journeys_account_id"])
        else:
            value, event, decision = sales.command(*about, person.strong)
        self.count += 1
        return Line(value, event, decision.at, sales.topic_of(decision.what), decision)

    # ---- what people say of identity

    def _pair(self) -> tuple[str, str]:
        """Two identifiers, or two account keys, of which people may speak."""
        rng = self.rng
        one, other = rng.sample(self.people, 2)
        if rng.random() < 0.3:
            firms = [rng.randrange(self.firms) for _ in range(2)]
            keys = [
                f"account_id:A{firms[0]}",
                *(f"account_id:A{n}" for n in range(self.firms) if n != firms[0]),
            ]
            others = [*keys[1:], f"domain:firm{firms[1]}.nl", f"customer_number:9{firms[1]}"]
            return keys[0], rng.choice(others)
        if rng.random() < 0.25:
            return rng.choice(one.strong), f"anonymous_id:{rng.choice(one.cookies)}"
        a = rng.choice(one.strong)
        return a, rng.choice([s for s in (other if rng.random() < 0.6 else one).strong if s != a])

    def _assertion(self) -> Line:
        rng = self.rng
        a, b = rng.sample(rng.choice(self.pairs), 2)
        weak = any(kind_of(one) in WEAK for one in (a, b))
        accounts = kind_of(a) in ACCOUNT
        what = rng.choice(("link", "link", "unlink", "cannot_link"))
        at = next(self.times)
        named = weak or rng.random() < 0.8
        event: Event = {
            "event_id": f"s{self.count:04}",
            "tenant": self.tenant,
            "occurred_at": rfc3339(at),
            "assertion": "alias" if what == "link" and accounts and rng.random() < 0.5 else what,
            "a": _given(a) if named else self._issued(a),
            "b": _given(b) if named else self._issued(b),
            "by": "steward",
        }
        self.count += 1
        said = Assertion(at, event["event_id"], what, min(a, b), max(a, b), named)
        return Line(json.dumps(event).encode(), event, at, topics.ASSERTIONS.name, said)

    def _issued(self, identifier: str) -> Event:
        """An id that we may have given out for an identifier or account key."""
        kind = "contact" if kind_of(identifier) in STRONG else "account"
        issued = kind[0] + KEY_OF(self.tenant, kind, identifier).hex()[:15]
        return {f"journeys_{kind}_id": issued}

    def request(self) -> Line:
        """Somebody wants to be forgotten."""
        rng = self.rng
        person = rng.choice(self.people)
        luck = rng.random()
        if luck < 0.15:
            identifiers = [f"anonymous_id:{rng.choice(person.cookies)}"]
        elif luck < 0.2:
            identifiers = ["email:nobody@nowhere.nl"]
        else:
            identifiers = rng.sample(person.strong, rng.choice((1, 1, 2)))
            identifiers = list({kind_of(one): one for one in identifiers}.values())
        at = next(self.times)
        event: Event = {
            "event_id": f"r{self.count:04}",
            "tenant": self.tenant,
            "occurred_at": rfc3339(at),
            "request": "erase",
            "identifiers": {kind: value for one in identifiers for kind, value in _given(one).items()},
        }
        self.count += 1
        said = Request(at, event["event_id"], tuple(identifiers))
        return Line(json.dumps(event).encode(), event, at, topics.PRIVACY.name, said)


def _given(identifier: str) -> Event:
    kind, _, value = identifier.partition(":")
    return {kind: value}


def _times(rng: random.Random, *, recent: bool) -> Iterator[int]:
    """Two or three busy periods; the gaps between them may end journeys, unless it all is `recent`."""
    periods = [BEGIN_MS + rng.randint(0, 40) * DAY_MS]
    for _ in range(rng.randint(0, 2)):
        periods.append(periods[-1] + (30 if recent else rng.choice((30, 100, 179, 181, 250))) * DAY_MS)
    used: set[int] = set()
    while True:
        at = rng.choice(periods) + rng.randrange(40 * DAY_MS)
        if at not in used:
            used.add(at)
            yield at


def lines(rng: random.Random, *, recent: bool, anonymous: bool, kind: Kind = NORMAL) -> list[list[Line]]:
    """10 to 40 lines, in no order: late ones, duplicates, other content under one id, bad ones.

    In one or two portions: where people are erased who are in conflict with others, all that was said up to
    then comes before the request (docs/simulation.md says why).
    """
    times = _times(rng, recent=recent)
    markets = [Market(rng, tenant, times, kind) for tenant in ("tenant-1", "tenant-2")[: rng.randint(1, 2)]]
    made: list[Line] = []
    for _ in range(rng.randint(10, 40)):
        for line in rng.choice(markets).events():
            made.append(line)
            made += _again(rng, line, times)
    requests = [rng.choice(markets).request() for _ in range(rng.choice(kind.requests))]
    rng.shuffle(made)
    at_once: list[Line] = []
    later: list[Line] = []
    for request in requests:
        if clear([*made, *at_once, request], anonymous=anonymous):
            at_once.append(request)
        elif clear([*made, *at_once, *later, request], [*later, request], anonymous=anonymous):
            later.append(request)
    if not later:
        made += at_once
        rng.shuffle(made)
        return [made]
    last = max(request.at for request in later)
    early = [*(line for line in made if line.at <= last or rng.random() < 0.5), *at_once]
    late = [*(line for line in made if line not in early or rng.random() < 0.2), *later]
    rng.shuffle(early)
    rng.shuffle(late)
    return [early, late]


def _again(rng: random.Random, line: Line, times: Iterator[int]) -> list[Line]:
    luck, event = rng.random(), line.event
    if luck < 0.1:
        return [line]
    if event is None or line.topic != topics.TOUCHPOINTS.name:
        return []
    if luck < 0.17:  # the same event with other content: the earlier one counts
        return [_line({**event, "occurred_at": rfc3339(next(times)), "content": {"topic": "other"}})]
    if luck < 0.22 and len(event.get("identifiers", {})) == 1:  # a resend after log-in
        return [_line({**event, "identifiers": {**event["identifiers"], "user_id": f"u{rng.randint(0, 5)}"}})]
    if luck < 0.27:
        return [Line(rng.choice(BAD), None)]
    return []


def _line(event: Event) -> Line:
    at = from_rfc3339(event["occurred_at"])
    return Line(json.dumps(event).encode(), event, at, said=said(at, event))


def tenants(lines: Sequence[Line], *, anonymous: bool = False) -> dict[str, Tenant]:
    """What follows for each tenant from lines."""
    found: dict[str, list[Any]] = {}
    for line in lines:
        if line.event is not None:
            found.setdefault(line.event["tenant"], []).append(line.said)
    return {
        name: Tenant(
            (one for one in all_said if isinstance(one, Said)),
            (one for one in all_said if isinstance(one, Assertion)),
            (one for one in all_said if isinstance(one, Request)),
            (one for one in all_said if isinstance(one, Decision)),
            anonymous=anonymous,
        )
        for name, all_said in found.items()
    }


def clear(lines: Sequence[Line], last: Collection[Line] = (), *, anonymous: bool) -> bool:
    """Whether it can be told who is erased, whatever arrives first; the requests of `last` come last."""
    late = {line.said for line in last}
    return all(tenant.clear(late) for tenant in tenants(lines, anonymous=anonymous).values())


def erased(lines: Sequence[Line], *, anonymous: bool) -> list[Line]:
    """The lines that are refused when they come again."""
    return _told(lines, Tenant.erased, anonymous=anonymous)


def lost(lines: Sequence[Line], *, anonymous: bool) -> list[Line]:
    """The lines that may have been refused although they are not erased; they count when they come again."""
    return _told(lines, Tenant.lost, anonymous=anonymous)


def _told(lines: Sequence[Line], which: Callable[[Tenant, Said], bool], *, anonymous: bool) -> list[Line]:
    all_of = tenants(lines, anonymous=anonymous)
    return [
        line
        for line in lines
        if line.event is not None
        and isinstance(line.said, Said)
        and which(all_of[line.event["tenant"]], line.said)
    ]
