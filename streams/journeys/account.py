"""An account as its latest snapshots tell it: members, facts about the firm, journeys, hand-offs.

Rules that are decided here:

- an event that two fragments hold counts once: the copy in the fragment of the strongest kind of identifier
  stays; of two of one kind, that of the smaller identifier;
- a contact's periods in the account are the union of the employments that its strong fragments tell. A part
  whose touches all name the account themselves proves a visit, not an employment: it counts for the periods
  only where there is nothing else. Weak identifiers tell who owned a device when, never of employment;
- facts about the firm on a person's fragment count only when they were told while that fragment was here;
- what only outcomes and commands name is no account, nor is a person without a firm all whose touches are in
  other accounts;
- the name is the best told of the firm, one typed by a person included, also where no account key is known;
  else, of an account without a key, that of its first member that has one.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from schemas.internal import (
    ACCOUNT_KINDS,
    ISSUED_KINDS,
    STRONG_KINDS,
    WEAK_KINDS,
    Command,
    Fact,
    Outcome,
    Part,
    Snapshot,
    kind_of,
)
from schemas.keys import hasher
from schemas.times import day_in
from streams.definition import Definition
from streams.journeys import group
from streams.journeys.contacts import EVER, Contact, best_fact, gather, holds
from streams.journeys.engagement import Meter, Score, score
from streams.journeys.group import Group
from streams.journeys.handoffs import Desk
from streams.journeys.orders import Trading, trade
from streams.journeys.roles import told_during
from streams.journeys.stages import Touched, rules
from streams.journeys.walk import Person, Spell, Walk, Walked

_STRENGTH = {kind: i for i, kind in enumerate((*STRONG_KINDS, *WEAK_KINDS, *ACCOUNT_KINDS, *ISSUED_KINDS))}
_FIRM = "organisation."

KeyOf = Callable[..., bytes]
Period = tuple[int, int]  # since, until (ms); -EVER, EVER where open
Move = tuple[int, str]  # when (ms), from which account


class Given(NamedTuple):
    """What an account is derived with, beside its snapshots."""

    definition: Definition
    tenant: str = ""
    account: str = ""  # its id
    clock: int = 0  # T, ms
    key_of: KeyOf = hasher("")  # what commands name people by are keyed hashes

    @property
    def day_of(self) -> Callable[[int], int]:
        """From ms to the number of the day in the tenant's time zone."""
        return day_in(self.definition.zones.get(self.tenant, "UTC"))


class Account(NamedTuple):
    """What now holds of an account."""

    gone: bool  # no fragment is here any more, or nothing but the domain of somebody's address
    organisation: bool  # else it is one person without a firm
    name: str
    keys: list[str]  # kind:value, sorted
    facts: dict[str, Fact]  # about the firm, the best of each attribute
    dense: bool
    spells: list[Spell]  # by first appearance; one per contact and period
    contacts: dict[str, Contact]
    anew: dict[str, int]  # strong identifier -> since when (ms) it tells anything: all before is erased
    moves: dict[str, list[Move]]  # contact -> when it came from another firm
    touches: list[Touched]  # by any actor, in event time
    walked: Walked
    desk: Desk  # its hand-offs
    group: Group  # roles, rhythms, what is shared
    score: Score
    trading: Trading  # its orders
    commands: list[Command]  # in event time
    mailboxes: list[str]

    @property
    def owner(self) -> str:
        """Who of us looks after the account; empty: nobody was named."""
        return next((c.owner for c in reversed(self.commands) if c.command == "set_owner"), "")

    def name_of(self, contact: str) -> str:
        """The contact's name; empty: none is known."""
        known = self.contacts.get(contact)
        return known.name if known else ""

    def title_of(self, contact: str, spell: Spell | None = None) -> str:
        """The job title told in a period, by default the last one; empty: none."""
        known = self.contacts.get(contact)
        period = spell or next((s for s in reversed(self.spells) if s.contact == contact), None)
        if known is None or period is None:
            return ""
        told = told_during(known.history.get("job_title", ()), period.since, period.until)
        return _text(best_fact(told).value) if told else ""

    def identifiers(self, contact: str) -> list[str]:
        """The contact's strong identifiers."""
        known = self.contacts.get(contact)
        return known.identifiers if known else []

    def allowed(self, contact: str) -> list[str]:
        """The identifiers of the contact that events may carry: no address of one who refuses mail."""
        known = self.contacts.get(contact)
        if known is None or known.consent.get("email", True):
            return known.identifiers if known else []
        return [identifier for identifier in known.identifiers if kind_of(identifier) != "email"]


def derive(snapshots: Iterable[Snapshot], given: Given) -> Account:
    """The account of these snapshots, the latest of each fragment; withdrawn ones count for nothing."""
    definition = given.definition
    there = [s for s in snapshots if not s.withdrawn]
    there.sort(key=lambda s: (_STRENGTH.get(kind_of(s.identifier), len(_STRENGTH)), s.identifier))
    firms = [s for s in there if kind_of(s.identifier) in ACCOUNT_KINDS]
    keys = sorted(s.identifier for s in firms)
    people, moves = _people(there)
    contacts = gather(there)
    touches = _touches(there)
    outcomes, commands = _said(there)
    day_of = given.day_of
    assigned = group.assigned(contacts, commands, given.tenant, given.key_of)
    known = group.Known(definition, contacts, people, touches, assigned, day_of)
    counted = known.counted(touches)
    desk = Desk(
        definition.handoff,
        given.account,
        lambda: Meter(definition.score, known.weights, day_of),
        known.anybody,
    )
    closing = [command for command in commands if command.command == "close_journey"]
    walked = Walk(people, rules(definition), desk, [*outcomes, *closing], known.refusing).over(
        touches, given.clock
    )
    firm = _firm(there)
    spells = [spell for person in people.values() for spell in person.spells if not spell.phantom]
    spells.sort(key=_appearance)
    name = _text(firm["name"].value) if "name" in firm else ""
    if not name and not keys:
        names = (contacts[spell.contact].name for spell in spells)
        name = next((name for name in names if name and "@" not in name), "")  # an address names nobody
    return Account(
        gone=not (people or walked.touches or firm or any(map(_is_firm, firms)))
        or (not keys and not walked.touches and any(s.elsewhere for s in there)),
        organisation=bool(keys),
        name=name,
        keys=keys,
        facts=firm,
        dense=any(s.dense for s in there),
        spells=spells,
        contacts=contacts,
        anew={s.identifier: s.anew for s in there if s.anew and kind_of(s.identifier) in STRONG_KINDS},
        moves=moves,
        touches=touches,
        walked=walked,
        desk=desk,
        group=group.found(definition, known, walked, counted, given.clock, day_of),
        score=score(definition.score, counted, known.weights, day_of),
        trading=trade(definition.orders, definition.journey.orders, touches),
        commands=commands,
        mailboxes=sorted({box for s in there for box in s.mailboxes}),
    )


def _is_firm(snapshot: Snapshot) -> bool:
    """Whether an account key is the sign of an account by itself."""
    return not (snapshot.named or kind_of(snapshot.identifier) == "domain")


def _said(snapshots: list[Snapshot]) -> tuple[list[Outcome], list[Command]]:
    """Outcomes and commands, each event once, in event time."""
    outcomes = {said.event_id: said for snapshot in snapshots for said in snapshot.outcomes}
    commands = {said.event_id: said for snapshot in snapshots for said in snapshot.commands}
    return (
        sorted(outcomes.values(), key=lambda said: (said.at, said.event_id)),
        sorted(commands.values(), key=lambda said: (said.at, said.event_id)),
    )


def _touches(snapshots: list[Snapshot]) -> list[Touched]:
    """The account's touches in event time, each event once; `snapshots` are sorted, strongest first."""
    touches: dict[tuple[str, str], Touched] = {}
    for snapshot in snapshots:
        for part in snapshot.parts:
            contact = part.contact
            for touch in part.touches:
                key = (touch.source, touch.event_id)
                if key not in touches:
                    touches[key] = Touched(touch.at, touch.source, touch.event_id, contact, touch)
    return sorted(touches.values())


def _people(snapshots: list[Snapshot]) -> tuple[dict[str, Person], dict[str, list[Move]]]:
    """The contacts with their periods, and when they came from another firm, as strong fragments tell."""
    employed: dict[str, set[Period]] = {}
    visited: dict[str, set[Period]] = {}
    moves: dict[str, list[Move]] = {}
    contacts: set[str] = set()
    for snapshot in snapshots:
        strong = kind_of(snapshot.identifier) in STRONG_KINDS
        for part in snapshot.parts:
            contact = part.contact
            if not contact:
                continue
            contacts.add(contact)
            if not strong:
                continue
            told = visited if _visit(part) else employed
            told.setdefault(contact, set()).add(_period(part))
            if part.came_from and part.since is not None:
                alone = f"a{contact[1:]}"  # the account of the person, while no firm was known
                if part.came_from not in (snapshot.account, alone):
                    moves.setdefault(contact, []).append((part.since, part.came_from))
    periods = {c: _union(employed.get(c) or visited.get(c) or {(-EVER, EVER)}) for c in contacts}
    return {c: Person(c, periods[c]) for c in contacts}, moves


def _visit(part: Part) -> bool:
    return bool(part.touches) and all(touch.account for touch in part.touches)


def _period(part: Part) -> Period:
    return (-EVER if part.since is None else part.since, EVER if part.until is None else part.until)


def _union(periods: Iterable[Period]) -> list[Period]:
    """The periods joined where they touch or overlap, ascending.

    >>> _union({(5, 9), (1, 3), (3, 4)})
    [(1, 4), (5, 9)]
    """
    joined: list[Period] = []
    for since, until in sorted(periods):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(until, joined[-1][1]))
        else:
            joined.append((since, until))
    return joined


def _firm(snapshots: list[Snapshot]) -> dict[str, Fact]:
    told: dict[str, list[Fact]] = {}
    for snapshot in snapshots:
        if not snapshot.facts:
            continue
        if kind_of(snapshot.identifier) in ACCOUNT_KINDS:
            for attribute, fact in snapshot.facts.items():
                told.setdefault(attribute, []).append(fact)
            continue
        for attribute, fact in snapshot.facts.items():
            if attribute.startswith(_FIRM) and any(holds(part, fact.at) for part in snapshot.parts):
                told.setdefault(attribute.removeprefix(_FIRM), []).append(fact)
    return {attribute: best_fact(facts) for attribute, facts in told.items()}


def _appearance(spell: Spell) -> tuple[int, str, int]:
    return (spell.first.at if spell.first else EVER, spell.contact, spell.since)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
