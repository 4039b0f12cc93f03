"""Who is who and what belongs where, computed naively from the whole set of what was said.

Straight from the rules. Nothing here is incremental and nothing of the steps is used: erasures by asking of
each request what belonged together then, contacts and accounts by trying link after link, owners and
employers by looking through all that was told. Slow, and short enough to be compared with identity.md by eye.
Times are unique.
"""

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, Final, NamedTuple

from tests.simulation.clusters import ACCOUNT_LIMITS, CONTACT_LIMITS, Edge, Group, clusters, edge
from tests.simulation.said import (
    ACCOUNT,
    DAY_MS,
    FACTS,
    STRENGTH,
    STRONG,
    Assertion,
    Decision,
    Request,
    Said,
    domain_of,
    kind_of,
)

NEVER: Final = -1  # ms: before all times


class Touched(NamedTuple):
    """A touch in an account."""

    at: int
    said: Said
    contact: Group | None


class Placed(NamedTuple):
    """Where a touch belongs; `contact` and `account` None: nobody's."""

    contact: Group | None
    account: Group | None


class Tenant:
    """All that follows from one tenant's accepted events, people's assertions and requests to erase."""

    def __init__(
        self,
        events: Iterable[Said],
        assertions: Iterable[Assertion] = (),
        requests: Iterable[Request] = (),
        decisions: Iterable[Decision] = (),
        *,
        anonymous: bool = False,
    ) -> None:
        self.decisions = sorted(set(decisions))
        self.events = sorted(set(events), key=lambda e: e[:10])
        self.assertions = sorted(set(assertions))
        self.requests = sorted(set(requests))
        self.anonymous = anonymous  # an anonymous touch after the first person is nobody's
        self.until: dict[str, int] = {}  # identifier -> up to when all that was said of it is erased
        self.erases: dict[Request, set[str]] = {}
        for request in self.requests:
            self.erases[request] = self.closure(request)
            self.until |= dict.fromkeys(self.erases[request], request.at)
        self.contact = self.people()[0]
        self.account = self._accounts()

    def _counts(self, one: Assertion) -> bool:
        """Whether what is said of both counts; an id from before an erasure means nobody any more."""
        ends = (one.a, one.b)
        return all(self.alive(end, one.at) for end in ends) and (
            one.named or not any(end in self.until for end in ends)
        )

    def alive(self, identifier: str, at: int) -> bool:
        """Whether what is said of the identifier at that time counts."""
        return at > self.until.get(identifier, NEVER)

    # ---- people

    def closure(self, request: Request) -> set[str]:
        """All that belonged together with what a request names, by what was said up to then."""
        of, _ = self.people(request.at)
        return {member for one in request.identifiers for member in of.get(one, frozenset([one]))}

    def people(self, last: int | None = None) -> tuple[dict[str, Group], list[Edge]]:
        """The contacts, by all that was said up to `last`, and the links that are left out."""
        events = [e for e in self.events if last is None or e.at <= last]
        words = [one for one in self.assertions if last is None or one.at <= last]
        people = [one for one in words if self._of_people(one) and self._counts(one)]
        nodes = {s for e in events for s in (e.strong if e.person else e.strong[:1]) if self.alive(s, e.at)}
        nodes |= {s for one in words if one.named for s in (one.a, one.b) if self._strong(s, one.at)}
        first: dict[tuple[str, str, str, int], int] = {}
        for event in events:
            for a, b in combinations(sorted(event.strong), 2) if event.person else ():
                if self.alive(a, event.at) and self.alive(b, event.at):
                    first.setdefault((a, b, event.source, event.rank), event.at)
        self.links = edges = [edge(rank, at, a, b) for (a, b, _, rank), at in first.items()]
        return clusters(nodes, edges, people, CONTACT_LIMITS)

    def hearsay(self, strong: str) -> bool:
        """Whether only what people said of it and of somebody erased mentions it."""
        words = [one for one in self.assertions if strong in (one.a, one.b) and self.alive(strong, one.at)]
        mentions = (s for e in self.events for s in e.strong if self.alive(s, e.at))
        return strong not in mentions and not any(self._counts(one) for one in words)

    def _of_people(self, one: Assertion) -> bool:
        return kind_of(one.a) in STRONG and kind_of(one.b) in STRONG

    def _strong(self, identifier: str, at: int) -> bool:
        return kind_of(identifier) in STRONG and self.alive(identifier, at)

    @cached_property
    def seen(self) -> dict[str, int]:
        """Strong identifier -> when it was first mentioned; of one that was erased the moment after that."""
        told = [(e.at, s) for e in self.events for s in (e.strong if e.person else e.strong[:1])]
        told += [
            (one.at, s)
            for one in self.assertions
            if one.named or (self._counts(one) and {one.a, one.b} <= self.contact.keys())  # else it waits
            for s in (one.a, one.b)
        ]
        told = [(self.until.get(s, at - 1) + 1, s) for at, s in told if self.alive(s, at)]
        return {s: at for at, s in sorted(told, reverse=True)}

    @cached_property
    def refusing(self) -> dict[str, int]:
        """Identifiers whose latest word on profiling is no, and since when there was no other."""
        since: dict[str, int] = {}
        for e in self.events:
            if e.profiling is not None and self.alive(e.fragment, e.at):
                if e.profiling:
                    since.pop(e.fragment, None)
                else:
                    since.setdefault(e.fragment, e.at)
        return since

    # ---- accounts

    def _accounts(self) -> dict[str, Group]:
        people = [one for one in self.assertions if kind_of(one.a) in ACCOUNT]
        nodes = {key for e in self.events for key in e.keys}
        nodes |= {end for one in people if one.named for end in (one.a, one.b)}
        nodes |= {one.key for one in self.decisions if one.named}
        nodes |= {domain for s in self.contact if (domain := domain_of(s)) is not None}
        return clusters(nodes, self._account_links(), people, ACCOUNT_LIMITS)[0]

    def _account_links(self) -> list[Edge]:
        # Of one pair a source's latest word counts, to the day; on one day its first.
        times: dict[tuple[str, str, str, int], list[int]] = {}
        for event in self.events:
            for a, b in combinations(sorted(event.keys), 2) if event.person and event.rank <= 2 else ():
                times.setdefault((a, b, event.source, event.rank), []).append(event.at)
        return [
            edge(rank, -max(all_of[0], all_of[-1] // DAY_MS * DAY_MS), a, b)
            for (a, b, _, rank), all_of in times.items()
        ]

    @cached_property
    def employed(self) -> list[tuple[int, str, tuple[str, str], Group]]:
        """When, who, (source, CRM contact), the account."""
        return [
            (e.at, e.strong[0], (e.source, e.strong[0]), self.account[e.keys[0]])
            for e in self.events
            if e.type in ("identified", "profile_updated")
            and e.rank <= 2
            and e.person
            and e.strong
            and e.keys
            and self.alive(e.strong[0], e.at)
        ]

    def employer(self, strong: str, at: int, event: Said | None) -> Group:
        """The account of a contact at a time; `event`: the touch, if it is of this identifier itself."""
        contact = self.contact[strong]
        told = [(when, stream, account) for when, who, stream, account in self.employed if who in contact]
        standing: dict[tuple[str, str], tuple[int, Group]] = {}  # by stream: since when, where
        for when, stream, account in told:
            if when <= at and (stream not in standing or standing[stream][1] != account):
                standing[stream] = (when, account)
        own = self.account.get(domain_of(strong) or "") if event is not None else None
        if standing:
            return max(standing.values(), key=lambda s: (s[1] == own, s[0]))[1]
        firms = sorted((self.seen[s], domain) for s in contact if (domain := domain_of(s)))
        if own is not None:
            return own
        if event is not None and (there := self._own_address(event, [domain for _, domain in firms])):
            return self.account[there]
        if firms:
            return self.account[firms[0][1]]
        return told[0][2] if told else contact

    def _own_address(self, event: Said, firms: Sequence[str]) -> str | None:
        """The firm of the address on a touch, if it is the contact's own."""
        domains = [domain for s in event.strong if (domain := domain_of(s))]
        return domains[0] if domains and domains[0] in firms else None

    # ---- devices

    def assertions_of(self, weak: str) -> list[tuple[int, str, bool]]:
        """When and to whom a weak identifier was said to belong, and whether that person is erased since."""
        told = [(e.at, e.strong[0]) for e in self.events if e.person and e.strong and weak in e.weak]
        found = []
        for strong in {s for _, s in told} | {s for one in self.assertions for s in (one.a, one.b)}:
            pair = tuple(sorted((weak, strong)))
            of_pair = [one for one in self.assertions if (one.a, one.b) == pair]
            for live in (False, True):
                stands = max((one for one in of_pair if self.alive(strong, one.at) == live), default=None)
                if stands is not None and stands.what != "link":
                    continue
                times = [at for at, s in told if s == strong and self.alive(s, at) == live]
                if stands is not None:
                    times.append(stands.at)
                found += [(at, strong, not live) for at in times if self.alive(weak, at)]
        return sorted(found)

    def owner(self, weak: str, at: int) -> tuple[str, bool] | None:
        """The strong identifier that a weak one belongs to at a time, and whether that person is erased."""
        told = self.assertions_of(weak)
        before = [one for one in told if one[0] <= at]
        after = [one for one in told if at < one[0] <= at + 90 * DAY_MS]
        if before:
            return None if self.anonymous and kind_of(weak) != "phone" else before[-1][1:]
        return after[0][1:] if after else None

    @property
    def open(self) -> bool:
        """Whether something is not told here: who has a device on which more than three contacts were seen,
        which of two records of one day goes first, or of two addresses first seen at once.
        """
        links = [one[:3] for one in (*self._account_links(), *self.links)]
        firms = [(self.contact[s], at) for s, at in self.seen.items() if s in self.contact and domain_of(s)]
        if len(links) > len(set(links)) or len(firms) > len(set(firms)):
            return True
        return any(self.shared(weak) for weak in {weak for e in self.events for weak in e.weak})

    def shared(self, weak: str) -> bool:
        """Whether more than three contacts were seen on a device: then it is not told here whose it was."""
        told = self.assertions_of(weak)
        return len({strong if erased else self.contact[strong] for _, strong, erased in told}) > 3

    # ---- touches

    def erased(self, event: Said) -> bool:
        """Whether a touch is gone, and refused when it comes again, as far as is told here."""
        if not self.alive(event.fragment, event.at):
            return True
        if event.strong or not event.weak or self.shared(event.fragment):
            return False
        owner = self.owner(event.fragment, event.at)
        return owner is not None and owner[1] and not self.alive(owner[0], event.at)

    def lost(self, event: Said) -> bool:
        """Whether a touch may be erased, or have been until it was told whose the device was then."""
        if event.strong or not event.weak or self.erased(event):
            return False
        pairs = [(s, e.weak) for e in self.events for s in e.strong]
        pairs += [pair for one in self.assertions for pair in ((one.a, (one.b,)), (one.b, (one.a,)))]
        return any(event.fragment in weak and not self.alive(s, event.at) for s, weak in pairs)

    def place(self, event: Said) -> Placed:
        """Contact and account of a touch that is not erased."""
        strong: str | None = None
        if event.strong:
            strong = event.fragment
        elif event.weak and event.fragment not in self.refusing:
            owner = self.owner(event.fragment, event.at)
            if owner is not None and not owner[1] and self.contact[owner[0]].isdisjoint(self.refusing):
                strong = owner[0]
        contact = self.contact[strong] if strong else None
        if event.keys:
            return Placed(contact, self.account[event.keys[0]])
        if strong is None:
            return Placed(None, None)
        return Placed(contact, self.employer(strong, event.at, event if event.strong else None))

    @cached_property
    def counted(self) -> dict[tuple[str, str, str], Said]:
        """(source, event id, fragment) -> of copies in one fragment the earliest."""
        first: dict[tuple[str, str, str], Said] = {}
        for event in self.events:  # in order of time
            if event.type not in FACTS and not self.erased(event):
                first.setdefault((event.source, event.id, event.fragment), event)
        return first

    @cached_property
    def placed(self) -> dict[tuple[str, str, str], Placed]:
        """(source, event id, fragment) -> contact, account."""
        return {key: self.place(event) for key, event in self.counted.items()}

    def touches(self) -> dict[Group, list[Touched]]:
        """The touches of each account in event time; of copies in several fragments the strongest counts."""
        best: dict[tuple[Group, str, str], tuple[Any, Touched]] = {}
        for key, (contact, account) in self.placed.items():
            if account is None:
                continue
            source, event_id, fragment = key
            event = self.counted[key]
            order = (STRENGTH[kind_of(fragment)], fragment)
            where = (account, source, event_id)
            if where not in best or order < best[where][0]:
                best[where] = (order, Touched(event.at, event, contact))
        found: dict[Group, list[Touched]] = {}
        for (account, _, _), (_, touched) in best.items():
            found.setdefault(account, []).append(touched)
        return {
            account: sorted(touches, key=lambda t: (t.at, t.said.source, t.said.id))
            for account, touches in found.items()
        }

    # ---- what the documented limits leave open

    def clear(self, late: Collection[object]) -> bool:
        """Whether the set alone tells who is erased; before the requests of `late` all else has come."""
        backwards = Tenant(self.events, self.assertions, anonymous=self.anonymous)
        for request in reversed(self.requests):
            for member in backwards.closure(request):
                backwards.until[member] = max(request.at, backwards.until.get(member, NEVER))
        return backwards.until == self.until and all(
            (request in late or not self._conflicts(request))
            and not self._torn(request)
            and not self._named_by_id(request)
            for request in self.requests
        )

    def _conflicts(self, request: Request) -> bool:
        """Whether what was said up to then is in conflict about the erased, but for people's word."""
        before = Tenant(
            (e for e in self.events if e.at <= request.at),
            (one for one in self.assertions if one.at <= request.at),
            (one for one in self.requests if one.at < request.at),
        )
        left_out = before.people(request.at)[1]
        erased = before.closure(request)
        said = [(one.a, one.b) for one in before.assertions if one.what != "link" and self._of_people(one)]
        kinds = [kind_of(one) for one in erased]
        return any(a in erased or b in erased for a, b in [*((e.a, e.b) for e in left_out), *said]) or any(
            kinds.count(kind) > limit for kind, limit in CONTACT_LIMITS.items()
        )

    def _torn(self, request: Request) -> bool:
        """Whether a link of the erased was told before the request and, at several times, after it.

        Of a link the first and the last time are kept.
        """
        erased = {s for s, until in self.until.items() if until == request.at}
        times: dict[tuple[str, str, str], list[int]] = {}
        for event in self.events:
            for a, b in combinations(sorted(event.strong), 2):
                if a in erased or b in erased:
                    times.setdefault((a, b, event.source), []).append(event.at)
        return any(all_of[0] <= request.at < all_of[-2] for all_of in times.values() if len(all_of) > 2)

    def _named_by_id(self, request: Request) -> bool:
        """Whether something was said up to then of the erased by an id that we gave out."""
        erased = self.erases[request]
        return any(
            not one.named and one.at <= request.at and (one.a in erased or one.b in erased)
            for one in self.assertions
        )
