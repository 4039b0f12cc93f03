"""Small inputs for the topology: a few people and firms, with everything that makes stitching hard.

Times are unique within an input, so that no rule about ties is needed to tell what is expected.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.times import from_rfc3339, rfc3339

DAY_MS = 86_400_000
BEGIN_MS = 1_700_000_000_000  # 2023-11-14, long before the wall clock of the runs
Event = dict[str, Any]

TOPICS = ("pumps", "valves", "prices", "planning")
VISITS = ("page_viewed", "page_viewed", "content_downloaded", "howto_viewed", "price_viewed", "app_used")
STARTS = ("catalogue_requested", "quote_requested", "demo_requested", "account_registered", "order_placed")
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
class Line:
    """A line of input; `event` is None where it must be refused."""

    value: bytes
    event: Event | None
    at: int = 0  # ms


@dataclass
class Person:
    """Somebody with identifiers; not all of them are ever told."""

    firm: int
    contact_id: str
    user_id: str
    email: str
    private: str
    phone: str
    cookies: list[str] = field(default_factory=list)


class Market:
    """One tenant's people and firms, and the lines about them."""

    def __init__(self, rng: random.Random, tenant: str, times: Iterator[int]) -> None:
        self.rng = rng
        self.tenant = tenant
        self.times = times
        self.count = 0
        self.firms = rng.randint(2, 3)
        self.people = [self._person(n) for n in range(rng.randint(3, 6))]
        if len(self.people) > 1 and rng.random() < 0.6:  # a shared device
            one, other = rng.sample(self.people, 2)
            other.cookies.append(one.cookies[0])

    def _person(self, n: int) -> Person:
        firm = self.rng.randrange(self.firms)
        host = f"firm{firm}.nl" if self.rng.random() < 0.8 else "gmail.com"
        return Person(
            firm, f"C{n}", f"u{n}", f"p{n}@{host}", f"p{n}@gmail.com", f"+3161234567{n}", [f"k{n}", f"k{n}b"]
        )

    def event(self) -> Event:
        """Something that happens."""
        rng = self.rng
        person = rng.choice(self.people)
        cookie = rng.choice(person.cookies)
        other = rng.choice(self.people)
        makers = (
            (6, lambda: self._touch({"anonymous_id": cookie})),
            (4, lambda: self._touch({"anonymous_id": cookie, "email": person.email})),
            (2, lambda: self._touch({"user_id": person.user_id, "anonymous_id": cookie})),
            (2, lambda: self._touch({"user_id": person.user_id, "email": person.email})),
            (1, lambda: self._touch({"user_id": person.user_id, "email": person.private})),
            (2, lambda: self._touch({"email": person.email})),
            (1, lambda: self._touch({"phone": person.phone, "contact_id": person.contact_id})),
            (1, lambda: self._touch({"phone": person.phone})),
            (3, lambda: self._record(person, person.firm)),
            (1, lambda: self._record(person, rng.randrange(self.firms))),
            (1, lambda: self._link(person, other)),
            (1, lambda: self._touch({"email": person.email}, account=self._firm_key())),
            (1, lambda: self._touch({"anonymous_id": cookie}, account=self._firm_key())),
            (2, self._order),
            (1, self._firm_record),
            (1, lambda: self._touch({"email": person.email}, type="email_opened", source="email")),
            (1, lambda: self._touch({"email": person.email}, type="email_sent", source="email")),
        )
        make = rng.choices([make for _, make in makers], [weight for weight, _ in makers])[0]
        return make()

    def _touch(self, identifiers: Event, account: Event | None = None, **more: str) -> Event:
        rng = self.rng
        event = {
            "event_id": f"e{self.count}",
            "type": rng.choice(STARTS) if rng.random() < 0.2 else rng.choice(VISITS),
            "occurred_at": rfc3339(next(self.times)),
            "source": "web",
            "tenant": self.tenant,
            "identifiers": identifiers,
            **more,
        }
        if rng.random() < 0.7:
            event["content"] = {"topic": rng.choice(TOPICS)}
        if account is not None:
            event["account"] = account
        if rng.random() < 0.1:
            event["contact"] = {"name": f"name {rng.randint(0, 3)}"}
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
        event = self._touch({}, account=keys, source="erp", type="order_placed")
        event["commerce"] = {"order_id": f"o{self.rng.randint(0, 5)}"}
        del event["identifiers"]
        return event

    def _firm_record(self) -> Event:
        """The CRM joins an account and a domain, now and then another firm's domain."""
        firm = self.rng.randrange(self.firms)
        domain = firm if self.rng.random() < 0.6 else self.rng.randrange(self.firms)
        keys = {"account_id": f"A{firm}", "domain": f"firm{domain}.nl"}
        event = self._touch({}, account=keys, source="crm", type="meeting_held")
        del event["identifiers"]
        return event


def _times(rng: random.Random) -> Iterator[int]:
    """Two or three busy periods; the gaps between them may end journeys."""
    periods = [BEGIN_MS + rng.randint(0, 40) * DAY_MS]
    for _ in range(rng.randint(0, 2)):
        periods.append(periods[-1] + rng.choice((30, 100, 179, 181, 250)) * DAY_MS)
    used: set[int] = set()
    while True:
        at = rng.choice(periods) + rng.randrange(40 * DAY_MS)
        if at not in used:
            used.add(at)
            yield at


def lines(rng: random.Random) -> list[Line]:
    """10 to 40 lines, in no order: late ones, duplicates, other content under one id, bad ones."""
    times = _times(rng)
    markets = [Market(rng, tenant, times) for tenant in ("t1", "t2")[: rng.randint(1, 2)]]
    made: list[Line] = []
    for _ in range(rng.randint(10, 40)):
        event = rng.choice(markets).event()
        made.append(_line(event))
        luck = rng.random()
        if luck < 0.1:
            made.append(made[-1])
        elif luck < 0.17:  # the same event with other content: the earlier one counts
            made.append(_line({**event, "occurred_at": rfc3339(next(times)), "content": {"topic": "other"}}))
        elif luck < 0.22 and len(event.get("identifiers", {})) == 1:  # a resend after log-in
            stronger = {**event["identifiers"], "user_id": f"u{rng.randint(0, 5)}"}
            made.append(_line({**event, "identifiers": stronger}))
        elif luck < 0.27:
            made.append(Line(rng.choice(BAD), None))
    rng.shuffle(made)
    return made


def _line(event: Event) -> Line:
    return Line(json.dumps(event).encode(), event, from_rfc3339(event["occurred_at"]))
