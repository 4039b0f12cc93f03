"""What can be known of one story: contacts, accounts, stages. Shares no code with the steps.

The story tells who really made each touch. What the events make knowable is less: identifiers are one
person's only where somebody said them together, a cookie is somebody's only where it was seen with a
strong identifier. The judge works on one whole story in memory, without versions, spans or snapshots.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import combinations
from typing import Final

import msgspec

from schemas.times import DAY_MS
from streams.market.scene import Event
from streams.market.stages import Touch, journeys
from streams.market.together import ACCOUNT_LIMITS, CONTACT_LIMITS, Groups, Link, Rulings, Word, link
from streams.market.words import FREE_MAIL

LOOK_BACK_MS: Final = 90 * DAY_MS
_FREE: Final = frozenset(FREE_MAIL)
_TRUSTED: Final = ("crm", "erp")
_SHARED: Final = "?"  # more than three people at one device: no contact
_WEAK: Final = ("phone:", "anonymous_id:", "device_id:")
_ERASED: Final = "#"  # with what stood for a contact: it was erased


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
    erased: list[Event]  # events of people who are erased, copies included
    gone: list[str]  # strong identifiers of which nothing is left


def judge(events: list[Event], words: Iterable[Word] = ()) -> Verdict:
    """The truth of the accepted events of one story, and of what people said of it."""
    return _Judge(events, list(words)).verdict()


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
    def __init__(self, events: list[Event], words: list[Word]) -> None:
        self._told = events
        self._rulings = Rulings(words)
        self._erased: dict[str, tuple[int, str]] = {}  # strong identifier: up to when, as whom
        self._events: dict[tuple[str, str], Event] = {}  # of two copies the one with more identifiers
        for event in events:
            if event.copy or (event.source, event.event_id) not in self._events:
                self._events[event.source, event.event_id] = event
        self._people = self._contacts_of(words, None)
        for word in sorted((w for w in words if w.what == "erase"), key=lambda w: w.at):
            self._erase(word, words)
        self._firms = self._accounts_of()
        self._owners: dict[str, list[tuple[int, str]]] = {}  # weak identifier: (time, contact), ascending
        self._jobs: dict[str, list[tuple[int, str]]] = {}  # contact: (time, account key)
        self._address: dict[str, tuple[int, str]] = {}  # contact: (time, domain) of the earliest firm address
        self._person: dict[str, int] = {}  # contact: true person
        self._refusals: dict[str, tuple[int, bool]] = {}  # identifier: its latest word on profiling: a no?
        for event in events:
            self._hear(event)
        for event in events:  # whom no touch of their own tells
            for name in event.strong:
                if self._standing(name, event.at):
                    self._person.setdefault(self._people.of(name), event.person)
        for a, b in self._rulings.joined:
            for weak, strong in ((a, b), (b, a)):
                if weak.startswith(_WEAK) and strong in self._people:
                    at = self._rulings.times[a, b]
                    self._owners.setdefault(weak, []).append((at, self._owner(strong, at)))
        for told in (*self._owners.values(), *self._jobs.values()):
            told.sort()
        refusing = (name for name, (_, refused) in self._refusals.items() if refused)
        # a device that refused is nobody's, and a person who did has no history of devices
        self._refused = {self._people.of(name) if name in self._people else name for name in refusing}
        self._shared = {  # device of more than three people: (time, contact)
            weak: owners for weak, owners in self._owners.items() if len({who for _, who in owners}) > 3
        }

    # Who is who

    def _standing(self, name: str, at: int) -> bool:
        """Whether what was said of the identifier at that time is not erased."""
        return name not in self._erased or at > self._erased[name][0]

    def _contacts_of(self, words: list[Word], until: int | None) -> Groups:
        """The contacts, from what was said up to then (None: ever) and is not erased."""
        names: dict[str, None] = {}
        links: dict[tuple[str, str, str], Link] = {}
        for event in self._told:
            if until is not None and event.at > until:
                continue
            strong = [name for name in event.strong if self._standing(name, event.at)]
            names.update(dict.fromkeys(strong))
            if not event.by_person:
                continue
            for a, b in combinations(strong, 2):
                said = link(event.source, event.at, a, b)
                key = (event.source, *said.pair)
                links[key] = min(said, links.get(key, said))
        heard = [
            word
            for word in words
            if (until is None or word.at <= until)
            and self._standing(word.a, word.at)
            and self._standing(word.b, word.at)
        ]
        return Groups(names, links.values(), CONTACT_LIMITS, Rulings(heard))

    def _erase(self, word: Word, words: list[Word]) -> None:
        """Everybody who was one person with the identifier then, up to then."""
        then = self._contacts_of(words, word.at)
        members = then.members(word.a) if word.a in then else [word.a]
        self._erased.update(dict.fromkeys(members, (word.at, f"{_ERASED}{members[0]}")))
        self._people = self._contacts_of(words, None)

    def _owner(self, strong: str, at: int) -> str:
        """The contact of a strong identifier at a time; of what is erased something that stands for it."""
        return self._people.of(strong) if self._standing(strong, at) else self._erased[strong][1]

    def _accounts_of(self) -> Groups:
        """The accounts. Of each link the last day on which it was told counts."""
        names: dict[str, None] = {}
        times: dict[tuple[str, str, str], list[int]] = {}
        for event in self._told:
            names.update(dict.fromkeys((*event.keys, *filter(None, map(firm_domain, event.strong)))))
            if event.source in _TRUSTED and event.by_person:
                for a, b in combinations(event.keys, 2):
                    times.setdefault((event.source, a, b), []).append(event.at)
        links = [
            link(source, -max(min(told), max(told) // DAY_MS * DAY_MS), a, b)
            for (source, a, b), told in times.items()
        ]
        return Groups(names, links, ACCOUNT_LIMITS, self._rulings)

    # What follows for them

    def _hear(self, event: Event) -> None:
        """Takes in what an event tells of devices, work and consent."""
        strong = [name for name in event.strong if self._standing(name, event.at)]
        if event.strong and event.by_person:
            for weak in event.weak:
                if not self._rulings.voids(weak, event.strong[0]):
                    owner = self._owner(event.strong[0], event.at)
                    self._owners.setdefault(weak, []).append((event.at, owner))
        if event.profiling is not None:
            name = (*event.strong, *event.weak)[0]
            if name.startswith(_WEAK) or name in strong:
                word = (event.at, not event.profiling)  # of equal times the refusal
                self._refusals[name] = max(word, self._refusals.get(name, word))
        for identifier in strong:
            if domain := firm_domain(identifier):
                contact, found = self._people.of(identifier), (event.at, domain)
                self._address[contact] = min(found, self._address.get(contact, found))
        if strong and strong[0] == event.strong[0]:
            contact = self._people.of(strong[0])
            self._person.setdefault(contact, event.person)
            if event.keys and not event.is_touch:
                self._jobs.setdefault(contact, []).append((event.at, event.keys[0]))

    def _contact(self, event: Event) -> str:
        """Whose the touch is; empty: nobody's."""
        if event.strong:
            return self._owner(event.strong[0], event.at)
        if not event.weak:
            return ""
        weak = event.weak[0]
        contact = self._at_device(weak, event.at)
        return "" if contact in self._refused or weak in self._refused else contact

    def _at_device(self, weak: str, at: int) -> str:
        """Whose a touch of a device is."""
        if weak in self._shared and _several(self._shared[weak], at):
            return _SHARED
        owners = self._owners.get(weak, [])
        before = bisect_right(owners, (at, "~"))  # "~" sorts behind every identifier
        if before:
            return owners[before - 1][1]
        if owners and owners[0][0] <= at + LOOK_BACK_MS:
            return owners[0][1]
        return ""

    def _workplace(self, contact: str, at: int, strong: tuple[str, ...]) -> str:
        """Where the person's touch counts that names no account: a firm or, without one, the contact."""
        jobs = self._jobs.get(contact, [])
        before = bisect_right(jobs, (at, "~"))
        if before:
            return self._firms.of(jobs[before - 1][1])
        for identifier in strong:
            domain = firm_domain(identifier)
            if domain and self._people.of(identifier) == contact:  # its own address
                return self._firms.of(domain)
        if contact in self._address:
            return self._firms.of(self._address[contact][1])
        return self._firms.of(jobs[0][1]) if jobs else contact

    def _account(self, event: Event, contact: str) -> str:
        if event.keys:
            return self._firms.of(event.keys[0])
        if contact == _SHARED:
            near = [other for at, other in self._shared[event.weak[0]] if abs(at - event.at) <= LOOK_BACK_MS]
            if self._refused & {event.weak[0], *near}:  # it may be theirs
                return ""
            firms = dict.fromkeys(self._workplace(other, event.at, ()) for other in near)
            return next(iter(firms)) if len(firms) == 1 else ""
        return self._workplace(contact, event.at, event.strong) if contact else ""

    def verdict(self) -> Verdict:
        """Contacts, accounts with their journeys, and who can be known to have made how many touches."""
        touches: dict[str, list[Touch]] = {}
        members: dict[str, dict[str, None]] = {}
        counts: dict[str, int] = {}
        visits = dict.fromkeys(("known", "other_person", "firm_only", "nobody"), 0)
        erased: set[tuple[str, str]] = set()
        for event in sorted(self._events.values(), key=lambda e: e.at):
            contact = self._contact(event)
            if contact.startswith(_ERASED):
                if self._gone(contact, event.at):
                    erased.add((event.source, event.event_id))
                    continue
                contact = ""  # later touches of a device whose last known user is erased
            if not event.is_touch:
                continue
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
        return Verdict(
            contacts=list(contacts.values()),
            accounts=self._accounts(contacts, members, touches),
            visits=visits,
            erased=[event for event in self._told if (event.source, event.event_id) in erased],
            gone=sorted(name for name in self._erased if name not in self._people),
        )

    def _gone(self, owner: str, at: int) -> bool:
        """Whether a touch of an erased owner lies before the erasure."""
        return any(name == owner and at <= until for until, name in self._erased.values())

    def _sort(self, event: Event, contact: str, account: str) -> str:
        if contact:
            return "known" if self._person[contact] == event.person else "other_person"
        return "firm_only" if account else "nobody"

    def _contacts(self, counts: dict[str, int]) -> dict[str, Contact]:
        devices: dict[str, list[str]] = {}
        for weak, owners in self._owners.items():
            theirs = dict.fromkeys(who for _, who in owners)
            if len(theirs) == 1 and not self._refused & {weak, *theirs}:
                devices.setdefault(next(iter(theirs)), []).append(weak)
        made: dict[int, int] = {}  # contacts per true person
        contacts = {}
        for contact in self._people.all():
            person = self._person[contact]
            made[person] = nth = made.get(person, 0) + 1
            contacts[contact] = Contact(
                id=f"p{person}" if nth == 1 else f"p{person}/{nth}",
                person=person,
                identifiers=sorted(self._people.members(contact)),
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
        accounts = []
        for account in dict.fromkeys((*members, *touches)):
            firm = account in self._firms
            found = journeys(touches.get(account, []))
            ids = sorted(contacts[contact].id for contact in members.get(account, {}))
            keys = sorted(self._firms.members(account)) if firm else []
            accounts.append(Account(keys, "organisation" if firm else "person", ids, found))
        return accounts


def _several(told: Iterable[tuple[int, str]], at: int) -> bool:
    """Whether 90 days that contain `at`, from a time told or from `at` on, have more than three people."""
    told = list(told)
    starts = [start for start, _ in told if at - LOOK_BACK_MS <= start <= at] + [at]
    return any(
        len({contact for time, contact in told if start <= time <= start + LOOK_BACK_MS}) > 3
        for start in starts
    )
