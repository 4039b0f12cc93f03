"""What must come out, computed naively from the whole set of accepted events, straight from the rules.

Nothing here is incremental and nothing of the steps is used: contacts and accounts by trying link after link,
owners and employers by looking through all that was told, stages by looking at all touches of a journey again
for every touch. Slow, and short enough to be compared with identity.md and journey.md by eye.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Event = dict[str, Any]

DAY_MS = 86_400_000
STRONG = ("contact_id", "user_id", "email")
WEAK = ("phone", "anonymous_id", "device_id")
ACCOUNT = ("account_id", "customer_number", "vat_number", "domain")
STRENGTH = {kind: n for n, kind in enumerate((*STRONG, *WEAK, *ACCOUNT))}
RANK = {"steward": 0, "crm": 1, "erp": 2}
FACTS = ("identified", "profile_updated", "consent_given", "consent_withdrawn")
FREE_MAIL = ("gmail.com",)

STAGES = ("awareness", "consideration", "evaluation", "purchase", "experience", "loyalty")
ORDERS = ("order_placed", "subscription_started")
AFTER_SALES = ("app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted")


def fold(outputs: Iterable[tuple[Key, Any, Value]]) -> dict[Key, Value]:
    """Of each key the value with the highest version; of equal versions the last."""
    best: dict[Key, tuple[Any, Value]] = {}
    for key, version, value in outputs:
        if key not in best or best[key][0] <= version:
            best[key] = (version, value)
    return {key: value for key, (_, value) in best.items()}


def differences(what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    """One line per key whose values differ."""
    return [
        f"{what}: {key}: {found.get(key)!r}, expected {wanted.get(key)!r}"
        for key in sorted({*found, *wanted}, key=repr)
        if found.get(key) != wanted.get(key)
    ]


class Said(NamedTuple):
    """An accepted event; `at` in ms."""

    at: int
    id: str
    source: str
    type: str
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    keys: tuple[str, ...]  # account keys, strongest first
    person: bool  # the actor is one
    topic: str
    order: str

    @property
    def fragment(self) -> str:
        """Its strongest identifier, else its strongest account key."""
        return (*self.strong, *self.weak, *self.keys)[0]

    @property
    def rank(self) -> int:
        return RANK.get(self.source, 3)


def said(at: int, event: Event) -> Said:
    """An event of `people` in short."""
    given, firm = event.get("identifiers", {}), event.get("account", {})
    return Said(
        at,
        event["event_id"],
        event["source"],
        event["type"],
        tuple(f"{kind}:{given[kind]}" for kind in STRONG if kind in given),
        tuple(f"{kind}:{given[kind]}" for kind in WEAK if kind in given),
        tuple(f"{kind}:{firm[kind]}" for kind in ACCOUNT if kind in firm),
        event["type"] not in ("email_sent", "email_bounced"),
        event.get("content", {}).get("topic", ""),
        event.get("commerce", {}).get("order_id", ""),
    )


def domain_of(identifier: str) -> str | None:
    """The account key of a firm's address."""
    host = identifier.partition("@")[2]
    return f"domain:{host}" if host and host not in FREE_MAIL else None


def clusters(
    nodes: Iterable[str],
    links: Mapping[tuple[str, str, str, int], int],
    limits: Mapping[str, int],
    *,
    later_first: bool,
) -> dict[str, frozenset[str]]:
    """Links added one by one, the most trusted first, then by time; one that breaks a limit is left out."""
    of = {node: frozenset([node]) for node in nodes}
    order = sorted((rank, -at if later_first else at, a, b) for (a, b, _, rank), at in links.items())
    for _, _, a, b in order:
        joined = of[a] | of[b]
        kinds = [node.partition(":")[0] for node in joined]
        if all(kinds.count(kind) <= limit for kind, limit in limits.items()):
            of.update(dict.fromkeys(joined, joined))
    return of


class Touched(NamedTuple):
    """A touch in an account."""

    at: int
    said: Said
    contact: frozenset[str] | None


class Tenant:
    """All that follows from one tenant's accepted events.

    Contacts are sets of strong identifiers; accounts sets of account keys, or of one contact's identifiers.
    """

    def __init__(self, events: Iterable[Said]) -> None:
        self.events = sorted(set(events))
        self.contact = self._contacts()
        self.account = self._accounts()
        self.seen = {
            s: min(e.at for e in self.events if s in e.strong and (e.person or s == e.strong[0]))
            for s in self.contact
        }
        self.employed = sorted(
            (e.at, e.strong[0], self.account[e.keys[0]])
            for e in self.events
            if e.type in ("identified", "profile_updated")
            and e.rank <= 2
            and e.person
            and e.strong
            and e.keys
        )

    def _contacts(self) -> dict[str, frozenset[str]]:
        nodes = {e.strong[0] for e in self.events if e.strong}
        nodes |= {s for e in self.events if e.person for s in e.strong}
        return clusters(
            nodes,
            self._links(lambda e: e.strong if e.person else ()),
            {"contact_id": 1, "user_id": 1, "email": 3},
            later_first=False,
        )

    def _accounts(self) -> dict[str, frozenset[str]]:
        nodes = {key for e in self.events for key in e.keys}
        nodes |= {domain for s in self.contact if (domain := domain_of(s)) is not None}
        return clusters(
            nodes,
            self._links(lambda e: e.keys if e.person and e.rank <= 2 else ()),
            {"account_id": 1, "vat_number": 1},
            later_first=True,
        )

    def _links(self, ends: Callable[[Said], tuple[str, ...]]) -> dict[tuple[str, str, str, int], int]:
        """(a, b, source, rank) -> earliest time."""
        links: dict[tuple[str, str, str, int], int] = {}
        for event in self.events:
            for a, b in combinations(sorted(ends(event)), 2):
                link = (a, b, event.source, event.rank)
                links[link] = min(event.at, links.get(link, event.at))
        return links

    def employer(self, strong: str, at: int, address: str) -> frozenset[str]:
        """The account of a contact at a time, for a touch with this identifier of the contact."""
        contact = self.contact[strong]
        told = [(when, account) for when, who, account in self.employed if who in contact]
        before = [account for when, account in told if when <= at]
        if before:
            return before[-1]
        if domain := domain_of(address):
            return self.account[domain]
        firm = sorted((self.seen[s], domain) for s in contact if (domain := domain_of(s)))
        if firm:
            return self.account[firm[0][1]]
        return told[0][1] if told else contact

    def owner(self, weak: str, at: int) -> str | None:
        """The strong identifier that a weak one belongs to at a time; of equal times the smaller one."""
        told = [(e.at, e.strong[0]) for e in self.events if e.person and e.strong and weak in e.weak]
        before = [(-when, strong) for when, strong in told if when <= at]
        after = [(when, strong) for when, strong in told if at < when <= at + 90 * DAY_MS]
        return min(before)[1] if before else min(after)[1] if after else None

    def crowded(self) -> bool:
        """Whether more than three contacts were ever seen on one device: what then holds is not told here."""
        devices = {weak for e in self.events for weak in e.weak}
        return any(
            len({self.contact[e.strong[0]] for e in self.events if e.person and e.strong and d in e.weak}) > 3
            for d in devices
        )

    def place(self, event: Said) -> tuple[frozenset[str] | None, frozenset[str] | None]:
        """Contact and account of a touch."""
        strong: str | None = None
        if event.strong:
            strong = event.fragment
        elif event.weak:
            strong = self.owner(event.fragment, event.at)
        contact = self.contact[strong] if strong else None
        if event.keys:
            return contact, self.account[event.keys[0]]
        address = event.fragment if event.strong else ""
        return contact, self.employer(strong, event.at, address) if strong else None

    def placed(self) -> dict[tuple[str, str, str], tuple[frozenset[str] | None, frozenset[str] | None]]:
        """(source, event id, fragment) -> contact, account; of copies in one fragment the earliest counts."""
        first: dict[tuple[str, str, str], Said] = {}
        for event in self.events:  # in order of time
            if event.type not in FACTS:
                first.setdefault((event.source, event.id, event.fragment), event)
        self.counted = first
        return {key: self.place(event) for key, event in first.items()}

    def touches(self) -> dict[frozenset[str], list[Touched]]:
        """The touches of each account in event time; of copies in several fragments the strongest counts."""
        best: dict[tuple[frozenset[str], str, str], tuple[Any, Touched]] = {}
        for key, (contact, account) in self.placed().items():
            if account is None:
                continue
            source, event_id, fragment = key
            event = self.counted[key]
            order = (STRENGTH[fragment.partition(":")[0]], fragment)
            where = (account, source, event_id)
            if where not in best or order < best[where][0]:
                best[where] = (order, Touched(event.at, event, contact))
        found: dict[frozenset[str], list[Touched]] = {}
        for (account, _, _), (_, touched) in best.items():
            found.setdefault(account, []).append(touched)
        return {
            account: sorted(touches, key=lambda t: (t.at, t.said.source, t.said.id))
            for account, touches in found.items()
        }


class Journey(NamedTuple):
    """Times in ms; `closed` is None while it is open."""

    opened: int
    stages: dict[str, int]
    closed: int | None


def journeys(touches: Iterable[Touched], clock: int) -> list[Journey]:
    """The journeys of an account: cut where nothing was heard for more than 180 days."""
    cut: list[list[Touched]] = []
    for touched in touches:
        if not touched.said.person or touched.said.type == "email_opened":
            continue
        if not cut or touched.at > cut[-1][-1].at + 180 * DAY_MS:
            cut.append([])
        cut[-1].append(touched)
    found = []
    for n, journey in enumerate(cut):
        end = journey[-1].at + 180 * DAY_MS
        closed = end if n + 1 < len(cut) or clock > end else None
        found.append(Journey(journey[0].at, shown(entered(journey, group=True)), closed))
    return found


def shown(times: dict[str, int]) -> dict[str, int]:
    """Without a stage that was completed after a further one: that is a moment, no step back."""
    return {
        stage: at
        for n, stage in enumerate(STAGES)
        if (at := times.get(stage)) is not None
        and not any(times.get(further, at) < at for further in STAGES[n + 1 :])
    }


def entered(journey: list[Touched], *, group: bool) -> dict[str, int]:
    """Stage -> when its first clause was complete. `group`: several contacts may complete one together."""
    times: dict[str, int] = {}
    for n, touched in enumerate(journey):
        for stage, complete in _clauses(journey[: n + 1], group=group).items():
            if complete:
                times.setdefault(stage, touched.at)
    return times


def _clauses(until: list[Touched], *, group: bool) -> dict[str, bool]:
    """Of each stage whether the last of these touches completes a clause."""
    at, last, _ = until[-1]
    recent = [t.said for t in until if t.at >= at - 30 * DAY_MS]
    orders = [t for t in until if t.said.type in ORDERS]
    several = {t.said.order or (t.said.source, t.said.id) for t in orders}
    return {
        "awareness": True,
        "consideration": (
            last.type in ("catalogue_requested", "sample_requested", "account_registered")
            or (last.type == "content_downloaded" and sum(e.type == last.type for e in recent) >= 2)
            or (bool(last.topic) and len({e.topic for e in recent if e.topic}) >= 3)
        ),
        "evaluation": (
            last.type in ("demo_requested", "quote_requested", "call_requested", "meeting_held")
            or (group and _two_contacts(until))
        ),
        "purchase": last.type in ORDERS,
        "experience": last.type in AFTER_SALES and any(t.at < at for t in orders),
        "loyalty": last.type in ORDERS and at <= orders[0].at + 365 * DAY_MS and len(several) > 2,
    }


def _two_contacts(until: list[Touched]) -> bool:
    """Two contacts in consideration or later, one of them now, active within 30 days of each other."""
    at, _, now = until[-1]
    ready = set()
    for contact in {t.contact for t in until if t.contact is not None}:
        own = [t for t in until if t.contact == contact]
        if set(entered(own, group=False)) - {"awareness"} and own[-1].at >= at - 30 * DAY_MS:
            ready.add(contact)
    return now in ready and len(ready) >= 2
