"""An account as its fragments tell it: members, facts and journeys, derived from the latest snapshots.

Rules that are decided here:

- an event that two fragments hold counts once: the copy in the fragment of the strongest kind of identifier
  stays; of two of one kind, that of the smaller identifier;
- a contact's periods in the account are the union of the employments that its strong fragments tell. A part
  whose touches all name the account themselves proves a visit, not an employment: it counts for the periods
  only where there is nothing else. Weak identifiers tell who owned a device when, never of employment;
- facts about the firm on a person's fragment count only when they were told while that fragment was here;
- a purpose of consent is refused when the latest word of any fragment of the contact is a refusal, else given
  when one of them gave it; a device's word is that of who owned it when it was said;
- the name is the best told of the firm, one typed by a person included, also where no account key is known;
  else, of an account without a key, that of its first member that has one.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.internal import ACCOUNT_KINDS, STRONG_KINDS, WEAK_KINDS, Fact, Part, Snapshot, kind_of
from streams.definition.model import Definition
from streams.journeys.stages import Touched, rules
from streams.journeys.walk import EVER, Person, Spell, Walked, walk

_STRENGTH = {kind: i for i, kind in enumerate((*STRONG_KINDS, *WEAK_KINDS, *ACCOUNT_KINDS))}
_json = msgspec.json.Encoder(order="sorted").encode

_PURPOSES = tuple((f"consent.{purpose}", purpose) for purpose in ("email", "phone", "profiling"))

Period = tuple[int, int]  # since, until (ms); -EVER, EVER where open
Move = tuple[int, str]  # when (ms), from which account


class Account(NamedTuple):
    """What now holds of an account."""

    gone: bool  # no fragment is here any more, or nothing but the domain of somebody's address
    organisation: bool  # else it is one person without a firm
    name: str
    keys: list[str]  # kind:value, sorted
    facts: dict[str, Any]  # about the firm, the best of each attribute
    dense: bool
    spells: list[Spell]  # by first appearance; one per contact and period
    names: dict[str, str]  # contact -> name
    identifiers: dict[str, list[str]]  # contact -> its strong identifiers
    anew: dict[str, int]  # strong identifier -> since when (ms) it tells anything: all before is erased
    consent: dict[str, dict[str, bool]]  # contact -> purpose -> given or refused
    moves: dict[str, list[Move]]  # contact -> when it came from another firm
    walked: Walked
    definition: str  # version of the definition that it follows

    def allowed(self, contact: str) -> list[str]:
        """The identifiers of the contact that events may carry: no address of one who refuses mail."""
        known = self.identifiers.get(contact, [])
        if self.consent.get(contact, {}).get("email", True):
            return known
        return [identifier for identifier in known if kind_of(identifier) != "email"]


def derive(snapshots: Iterable[Snapshot], definition: Definition) -> Account:
    """The account of these snapshots, the latest of each fragment; withdrawn ones count for nothing."""
    there = [s for s in snapshots if not s.withdrawn]
    there.sort(key=lambda s: (_STRENGTH.get(kind_of(s.identifier), len(_STRENGTH)), s.identifier))
    keys = sorted(s.identifier for s in there if kind_of(s.identifier) in ACCOUNT_KINDS)
    people, moves = _people(there)
    walked = walk(_touches(there), people, rules(definition))
    names, identifiers, consent = _contacts(there)
    firm = _firm(there)
    spells = [spell for person in people.values() for spell in person.spells if not spell.phantom]
    spells.sort(key=_appearance)
    name = _text(firm.get("name"))
    if not name and not keys:
        name = next((names[spell.contact] for spell in spells if spell.contact in names), "")
    return Account(
        gone=not (people or walked.touches or firm or any(kind_of(key) != "domain" for key in keys)),
        organisation=bool(keys),
        name=name,
        keys=keys,
        facts=firm,
        dense=any(s.dense for s in there),
        spells=spells,
        names=names,
        identifiers=identifiers,
        anew={s.identifier: s.anew for s in there if s.anew and kind_of(s.identifier) in STRONG_KINDS},
        consent=consent,
        moves=moves,
        walked=walked,
        definition=definition.version,
    )


def best(facts: Sequence[Fact]) -> Any:
    """The value of the fact that is used: lowest rank, then latest, then smallest as JSON. None: no facts.

    >>> best([Fact(3, 20, "web", "Acme"), Fact(1, 10, "crm", "Acme B.V.")])
    'Acme B.V.'
    """
    if len(facts) == 1:
        return facts[0].value
    return min(facts, key=lambda f: (f.rank, -f.at, _json(f.value))).value if facts else None


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


_Contacts = tuple[dict[str, str], dict[str, list[str]], dict[str, dict[str, bool]]]


def _contacts(snapshots: list[Snapshot]) -> _Contacts:
    """Name, strong identifiers and consent per contact. What a device tells goes to who owned it then."""
    told: dict[str, list[Fact]] = {}
    identifiers: dict[str, list[str]] = {}
    consent: dict[str, dict[str, bool]] = {}
    for snapshot in snapshots:
        kind = kind_of(snapshot.identifier)
        if kind in ACCOUNT_KINDS:
            continue
        strong = kind in STRONG_KINDS
        contacts = {part.contact for part in snapshot.parts if part.contact}
        for contact in contacts if strong else ():
            identifiers.setdefault(contact, []).append(snapshot.identifier)
        facts = snapshot.facts
        if not facts:
            continue
        if (fact := facts.get("name")) is not None:
            for contact in contacts if strong else _owners(snapshot, fact):
                told.setdefault(contact, []).append(fact)
        for attribute, purpose in _PURPOSES:
            if (fact := facts.get(attribute)) is None:
                continue
            for contact in contacts if strong else _owners(snapshot, fact):
                given = consent.setdefault(contact, {})
                given[purpose] = given.get(purpose, True) and fact.value is True
    names = {c: name for c, facts in told.items() if (name := _text(best(facts)))}
    return names, identifiers, consent


def _owners(snapshot: Snapshot, fact: Fact) -> set[str]:
    return {part.contact for part in snapshot.parts if part.contact and _holds(part, fact)}


def _firm(snapshots: list[Snapshot]) -> dict[str, Any]:
    told: dict[str, list[Fact]] = {}
    for snapshot in snapshots:
        if not snapshot.facts:
            continue
        if kind_of(snapshot.identifier) in ACCOUNT_KINDS:
            for attribute, fact in snapshot.facts.items():
                told.setdefault(attribute, []).append(fact)
            continue
        for attribute, fact in snapshot.facts.items():
            if attribute.startswith("organisation.") and any(_holds(part, fact) for part in snapshot.parts):
                told.setdefault(attribute.removeprefix("organisation."), []).append(fact)
    return {attribute: best(facts) for attribute, facts in told.items()}


def _holds(part: Part, fact: Fact) -> bool:
    since, until = _period(part)
    return since <= fact.at < until


def _appearance(spell: Spell) -> tuple[int, str, int]:
    return (spell.first.at if spell.first else EVER, spell.contact, spell.since)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
