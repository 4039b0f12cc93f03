"""What can be known of one story: contacts, accounts, stages. Shares no code with the steps.

The story tells who really made each touch. What the events make knowable is less: identifiers are one
person's only where somebody said them together, a cookie is somebody's only where it was seen with a
strong identifier. The judge works on one whole story in memory, without versions, spans or snapshots.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

import msgspec

from schemas.times import DAY_MS
from streams.market.scene import Event
from streams.market.stages import Touch, journeys
from streams.market.words import FREE_MAIL

LOOK_BACK_MS: Final = 90 * DAY_MS
_FREE: Final = frozenset(FREE_MAIL)
_TRUSTED: Final = ("crm", "erp")
_SHARED: Final = "?"  # more than three people at one device: no contact


class Groups:
    """Disjoint sets of names: what was said to be the same.

    >>> groups = Groups(); groups.join(("a", "b")); groups.join(("b", "c")); groups.of("c") == groups.of("a")
    True
    """

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name that stands for the set of `name`, which is added when new."""
        parent = self._parent.setdefault(name, name)
        while parent != name:
            name, parent = parent, self._parent[parent]
        return name

    def join(self, names: tuple[str, ...]) -> None:
        """All of `names` are one."""
        first = self.of(names[0])
        for name in names[1:]:
            self._parent[self.of(name)] = first

    def members(self) -> dict[str, list[str]]:
        """Every set, by the name that stands for it."""
        sets: dict[str, list[str]] = {}
        for name in self._parent:
            sets.setdefault(self.of(name), []).append(name)
        return sets


class Contact(msgspec.Struct):
    """A person as far as knowable: strong identifiers, devices that are solely theirs, number of touches."""

    id: str
    person: int
    identifiers: list[str]
    devices: list[str]
    touches: int


class Account(msgspec.Struct):
    """An account as far as knowable; per journey the time (ms) at which each stage was entered."""

    keys: list[str]
    kind: str  # organisation, person
    members: list[str]  # Contact.id
    journeys: list[dict[str, int]]


class Verdict(msgspec.Struct):
    """The truth of one story. `visits` counts touches by who can be known to have made them."""

    contacts: list[Contact]
    accounts: list[Account]
    visits: dict[str, int]


def judge(events: list[Event]) -> Verdict:
    """The truth of the accepted events of one story."""
    return _Judge(events).verdict()


def firm_domain(email: str) -> str:
    """`domain:…` of a firm's mail address given as `email:…`; empty for private mail and other identifiers.

    >>> firm_domain("email:s@acme.nl"), firm_domain("email:s@gmail.com"), firm_domain("user_id:7")
    ('domain:acme.nl', '', '')
    """
    if not email.startswith("email:"):
        return ""
    domain = email.rpartition("@")[2]
    return "" if domain in _FREE else f"domain:{domain}"


class _Judge:
    def __init__(self, events: list[Event]) -> None:
        self._people = Groups()
        self._firms = Groups()
        self._events: dict[tuple[str, str], Event] = {}  # of two copies the one with more identifiers
        self._owners: dict[str, list[tuple[int, str]]] = {}  # weak identifier: (time, strong identifier)
        self._jobs: dict[str, list[tuple[int, str]]] = {}  # contact: (time, account key)
        self._address: dict[str, tuple[int, str]] = {}  # contact: (time, domain) of the earliest firm address
        self._person: dict[str, int] = {}  # contact: true person
        self._shared: dict[
            str, list[tuple[int, str]]
        ] = {}  # device of more than three people: (time, contact)
        for event in events:
            self._hear(event)
        for owners in self._owners.values():
            owners.sort()
        for event in events:
            self._place(event)
        for jobs in self._jobs.values():
            jobs.sort()
        for weak, owners in self._owners.items():
            told = [(at, self._people.of(strong)) for at, strong in owners]
            if len(dict.fromkeys(contact for _, contact in told)) > 3:
                self._shared[weak] = told

    def _hear(self, event: Event) -> None:
        """Takes in who and what is said to be the same."""
        if not event.copy:
            self._events.setdefault((event.source, event.event_id), event)
        else:
            self._events[event.source, event.event_id] = event
        if event.strong and event.by_person:
            self._people.join(event.strong)
            for weak in event.weak:
                self._owners.setdefault(weak, []).append((event.at, event.strong[0]))
        if len(event.keys) > 1 and event.source in _TRUSTED:
            self._firms.join(event.keys)

    def _place(self, event: Event) -> None:
        """Takes in where a known person works."""
        if not event.strong:
            return
        contact = self._people.of(event.strong[0])
        self._person.setdefault(contact, event.person)
        for identifier in event.strong:
            if domain := firm_domain(identifier):
                found = (event.at, domain)
                self._address[contact] = min(found, self._address.get(contact, found))
        if event.keys and not event.is_touch:
            self._jobs.setdefault(contact, []).append((event.at, event.keys[0]))

    def _contact(self, event: Event) -> str:
        """Whose the touch is; empty: nobody's."""
        if event.strong:
            return self._people.of(event.strong[0])
        if not event.weak:
            return ""
        weak = event.weak[0]
        if weak in self._shared and _several(self._shared[weak], event.at):
            return _SHARED
        owners = self._owners.get(weak, [])
        before = bisect_right(owners, (event.at, "~"))  # "~" sorts behind every identifier
        if before:
            return self._people.of(owners[before - 1][1])
        if owners and owners[0][0] <= event.at + LOOK_BACK_MS:
            return self._people.of(owners[0][1])
        return ""

    def _workplace(self, contact: str, at: int, strong: tuple[str, ...]) -> str:
        """Where the person's touch counts that names no account: a firm or, without one, the contact."""
        jobs = self._jobs.get(contact, [])
        before = bisect_right(jobs, (at, "~"))
        if before:
            return self._firms.of(jobs[before - 1][1])
        for identifier in strong:
            if domain := firm_domain(identifier):
                return self._firms.of(domain)
        if contact in self._address:
            return self._firms.of(self._address[contact][1])
        return self._firms.of(jobs[0][1]) if jobs else contact

    def _account(self, event: Event, contact: str) -> str:
        if event.keys:
            return self._firms.of(event.keys[0])
        if contact == _SHARED:
            near = [other for at, other in self._shared[event.weak[0]] if abs(at - event.at) <= LOOK_BACK_MS]
            firms = dict.fromkeys(self._workplace(other, event.at, ()) for other in near)
            return next(iter(firms)) if len(firms) == 1 else ""
        return self._workplace(contact, event.at, event.strong) if contact else ""

    def verdict(self) -> Verdict:
        """Contacts, accounts with their journeys, and who can be known to have made how many touches."""
        touches: dict[str, list[Touch]] = {}
        members: dict[str, dict[str, None]] = {}
        counts: dict[str, int] = {}
        visits = dict.fromkeys(("known", "other_person", "firm_only", "nobody"), 0)
        for event in sorted(self._events.values(), key=lambda e: e.at):
            if not event.is_touch:
                continue
            contact = self._contact(event)
            account = self._account(event, contact)
            contact = "" if contact == _SHARED else contact
            visits[self._sort(event, contact, account)] += 1
            if contact:
                counts[contact] = counts.get(contact, 0) + 1
                members.setdefault(account, {})[contact] = None
            if account and event.by_person and event.type != "email_opened":
                touches.setdefault(account, []).append(Touch(event.at, event.type, event.topic, contact))
        for contact, jobs in self._jobs.items():
            for _, key in jobs:
                members.setdefault(self._firms.of(key), {})[contact] = None
        contacts = self._contacts(counts)
        return Verdict(list(contacts.values()), self._accounts(contacts, members, touches), visits)

    def _sort(self, event: Event, contact: str, account: str) -> str:
        if contact:
            return "known" if self._person[contact] == event.person else "other_person"
        return "firm_only" if account else "nobody"

    def _contacts(self, counts: dict[str, int]) -> dict[str, Contact]:
        devices: dict[str, list[str]] = {}
        for weak, owners in self._owners.items():
            theirs = dict.fromkeys(self._people.of(strong) for _, strong in owners)
            if len(theirs) == 1:
                devices.setdefault(next(iter(theirs)), []).append(weak)
        made: dict[int, int] = {}  # contacts per true person
        contacts = {}
        for contact, identifiers in self._people.members().items():
            person = self._person[contact]
            made[person] = nth = made.get(person, 0) + 1
            contacts[contact] = Contact(
                id=f"p{person}" if nth == 1 else f"p{person}/{nth}",
                person=person,
                identifiers=sorted(identifiers),
                devices=sorted(devices.get(contact, [])),
                touches=counts.get(contact, 0),
            )
        return contacts

    def _accounts(
        self,
        contacts: dict[str, Contact],
        members: dict[str, dict[str, None]],
        touches: dict[str, list[Touch]],
    ) -> list[Account]:
        keys = self._firms.members()
        accounts = []
        for account in dict.fromkeys((*members, *touches)):
            kind = "organisation" if account in keys else "person"
            found = journeys(touches.get(account, []))
            ids = sorted(contacts[contact].id for contact in members.get(account, {}))
            accounts.append(Account(sorted(keys.get(account, [])), kind, ids, found))
        return accounts


def _several(told: Iterable[tuple[int, str]], at: int) -> bool:
    """Whether 90 days that contain `at`, from a time told or from `at` on, have more than three people."""
    told = list(told)
    starts = [start for start, _ in told if at - LOOK_BACK_MS <= start <= at] + [at]
    return any(
        len({contact for time, contact in told if start <= time <= start + LOOK_BACK_MS}) > 3
        for start in starts
    )
