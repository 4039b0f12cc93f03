"""The buying group: who plays which role, who can be reached, whose rhythm has stopped, where paths cross.

What must be known before the walk (role weights, who refuses profiling, who may be approached when) is
`Known`; what follows from the walk is `Group`. What a contact does that refuses profiling counts for neither.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from online_models.inactivity import Parameters
from schemas.internal import PERSON, Command, kind_of
from schemas.keys import erased_name, identifier_key
from streams.definition import Definition
from streams.journeys import reach, roles
from streams.journeys.contacts import EVER, Contact
from streams.journeys.crossings import Crossing, crossings
from streams.journeys.reach import Reach
from streams.journeys.roles import (
    INITIATOR,
    Assigned,
    Completeness,
    Role,
    assign,
    completeness,
    first_touches,
    shows,
)
from streams.journeys.silence import Rhythm, spells
from streams.journeys.stages import Touched
from streams.journeys.walk import Journey, Person, Spell, Walked

_MODEL: Final = Parameters()

Bounces = Mapping[str, Mapping[str, list[int]]]  # contact -> identifier of the fragment -> when, ms


class Known:
    """What is known of the members before the walk."""

    def __init__(
        self,
        definition: Definition,
        contacts: Mapping[str, Contact],
        people: Mapping[str, Person],
        touches: Sequence[Touched],
        commands: Iterable[Assigned],
        day_of: Callable[[int], int],
    ) -> None:
        self._definition = definition
        self._day_of = day_of
        self._no_life = frozenset(definition.journey.no_life)
        # Who refuses profiling, and since when, ms.
        self.refusing = {c: known.refuses_since for c, known in contacts.items() if known.refuses_profiling}
        seen: dict[str, list[int]] = {}
        there: set[Spell] = set()  # with a touch
        shown: dict[tuple[str, int], dict[str, Touched]] = {}  # contact, begin of the period -> role -> first
        rules = definition.roles
        for touched in touches:
            contact, touch = touched.contact, touched.touch
            if not contact:
                continue
            spell = people[contact].spell(touched.at)
            there.add(spell)
            if touch.actor != PERSON:
                continue
            seen.setdefault(contact, []).append(touched.at)
            for role in shows(rules, touch):
                shown.setdefault((contact, spell.since), {}).setdefault(role, touched)
        self.lines = {c: _line(known, seen.get(c, ())) for c, known in contacts.items()}
        self.open_to = [
            c for c, line in self.lines.items() if _once_open(line, definition.handoff.legitimate)
        ]
        self.periods = [
            (c, spell)
            for c, person in people.items()
            for spell in person.spells
            if spell in there or not spell.unseen
        ]
        self._spells: dict[str, list[Spell]] = {c: [] for c in contacts}
        for contact, spell in self.periods:
            self._spells[contact].append(spell)
        self._known = [
            _known(contacts[c], c, spell, shown.get((c, spell.since), {}), refuses=c in self.refusing)
            for c, spell in self.periods
        ]
        self.commands = list(commands)
        self._roles = assign(rules, self._known, self.commands, [])
        # The weights are those of the last period; who started a journey, which is not known yet, has none.
        self.weights = {
            contact: roles.weight(rules, (role.role for role in held))
            for (contact, _), held in zip(self.periods, self._roles, strict=True)
        }

    def roles(self, initiators: Collection[Touched]) -> list[list[Role]]:
        """The roles in each of `periods`: with those of who started a journey, as found after the walk."""
        who = {touched.contact for touched in initiators}
        changed = [i for i, (contact, _) in enumerate(self.periods) if contact in who]
        again = assign(self._definition.roles, [self._known[i] for i in changed], self.commands, initiators)
        held = list(self._roles)
        for i, anew in zip(changed, again, strict=True):
            held[i] = anew
        return held

    def counted(self, touches: Iterable[Touched]) -> list[Touched]:
        """The signs of life of those who do not refuse that anything is derived from them."""
        refusing, no_life = self.refusing, self._no_life
        return [
            t
            for t in touches
            if t.touch.actor == PERSON and t.touch.type not in no_life and t.contact not in refusing
        ]

    def may(self, contact: str, at: int, asked: int | None = None) -> set[str]:
        """The ways (email, phone) in which the contact may and can be approached at a time (ms)."""
        if contact not in self.lines:
            return set()
        return reach.ways(self._definition.handoff.legitimate, self.lines[contact], at, asked)

    def refuses(self, contact: str, asked: int) -> bool:
        """Whether the contact, who made a request then (ms), has said no to all ways since."""
        return not reach.approachable((), self.lines[contact].words, EVER, asked)

    def reach(self, contact: str, at: int, asked: int | None = None) -> Reach:
        """How the contact may be approached, and why."""
        legitimate = self._definition.handoff.legitimate
        return reach.reach(legitimate, self.lines[contact], at, self._day_of, asked)

    def consents(self, contact: str, at: int) -> bool:
        """Whether the contact may be approached at a time (ms), also where nobody here knows how."""
        line, legitimate = self.lines[contact], self._definition.handoff.legitimate
        known = {"email": line.addresses, "phone": line.numbers}
        unknown = {way for way in reach.approachable(legitimate, line.words, at) if not known[way]}
        return bool(unknown or self.may(contact, at))

    def anybody(self, at: int) -> bool:
        """Whether somebody who is here at a time (ms) may be approached."""
        return any(
            self.consents(c, at)
            for c in self.open_to
            if any(spell.since <= at < spell.until for spell in self._spells[c])
        )


class Group(NamedTuple):
    """The buying group as it now is."""

    known: Known
    roles: dict[str, list[Role]]  # contact -> in its last period here
    periods: dict[tuple[str, int], list[Role]]  # contact, begin of the period -> roles in it
    complete: Completeness  # what the current stage asks for
    crossings: list[tuple[int, Crossing]]  # with the number of the journey
    crucial: list[list[tuple[str, Touched]]]  # moments of each journey
    rhythm: Rhythm  # the account's
    rhythms: dict[str, Rhythm]  # contact -> its own
    reaches: dict[str, Reach]

    def reachable(self, contact: str) -> bool | None:
        """The contact, or (empty) anybody; None: nobody is known."""
        if contact:
            return self.reaches[contact].reachable if contact in self.reaches else None
        return any(found.reachable for found in self.reaches.values()) if self.reaches else None

    def moments(self, journey: Journey) -> list[tuple[str, Touched]]:
        """The crucial moments of a journey, the first touch of each role among them, by name."""
        return self.crucial[journey.number - 1]


def found(
    definition: Definition,
    known: Known,
    walked: Walked,
    counted: Sequence[Touched],
    clock: int,
    day_of: Callable[[int], int],
) -> Group:
    """The group after the walk; `counted`: see `Known.counted`."""
    initiators = [journey.begun_by for journey in walked.journeys if journey.begun_by is not None]
    periods: dict[tuple[str, int], list[Role]] = {}
    latest: dict[str, list[Role]] = {}
    until: dict[str, int] = {}  # contact -> end of its last period: who left is not silent
    here: list[list[str]] = []
    for (contact, spell), held in zip(known.periods, known.roles(initiators), strict=True):
        periods[contact, spell.since] = held
        latest[contact] = held
        until[contact] = spell.until
        if spell.until > clock:
            here.append([role.role for role in held])
    stage = walked.journeys[-1].stage if walked.journeys else ""
    times: dict[str, list[int]] = {}
    for touched in counted:
        if touched.contact:
            times.setdefault(touched.contact, []).append(touched.at)
    ignore = definition.crossings.ignore
    roles_of = {
        contact: names
        for contact, theirs in latest.items()
        if (names := [role.role for role in theirs if role.role != INITIATOR])
    }
    return Group(
        known=known,
        roles=latest,
        periods=periods,
        complete=completeness(definition.roles, stage, here),
        crossings=[
            (journey.number, shared)
            for journey in walked.journeys
            for shared in crossings(journey.touches, ignore, (), ())
        ],
        crucial=[
            sorted({**dict(journey.crucial), **first_touches(journey.touches, roles_of)}.items())
            for journey in walked.journeys
        ],
        rhythm=spells(definition.silence, _MODEL, [t.at for t in counted], clock, day_of),
        rhythms={
            contact: spells(definition.silence, _MODEL, theirs, min(clock, until[contact]), day_of)
            for contact, theirs in times.items()
            if len(theirs) >= definition.silence.active_days
        },
        reaches={contact: known.reach(contact, EVER) for contact in known.lines},
    )


def _known(
    contact: Contact, contact_id: str, spell: Spell, shown: Mapping[str, Touched], *, refuses: bool
) -> roles.Known:
    titles, told = contact.history.get("job_title", ()), contact.history.get("role", ())
    return roles.Known(
        contact_id,
        spell.since,
        roles.told_during(titles, spell.since, spell.until),
        roles.told_during(told, spell.since, spell.until),
        shown,
        refuses,
    )


def _once_open(line: reach.Known, legitimate: Collection[str]) -> bool:
    """Whether there is a way that could be open without a request, sooner or later."""
    return any(
        way in legitimate or any(given for said in line.words.values() for _, given in said.get(way, ()))
        for way in reach.CHANNELS
    )


def _line(known: Contact, seen: Sequence[int]) -> reach.Known:
    addresses = [identifier for identifier in known.identifiers if kind_of(identifier) == "email"]
    return reach.Known(addresses, known.phones, known.words, known.bounces, seen)


def assigned(
    contacts: Mapping[str, Contact],
    commands: Iterable[Command],
    tenant: str,
    key_of: Callable[..., bytes],
) -> Iterable[Assigned]:
    """The commands about roles, each for the contact of its strongest identifier that is known here.

    They name people by keyed hashes. What was said before a person was erased is about nobody.
    """
    about = [said for said in commands if said.command in ("assign_role", "remove_role")]
    if not about:
        return
    owner: dict[str, tuple[str, int]] = {}  # -> contact, since when it tells anything (ms)
    for contact, known in contacts.items():
        names = (*known.identifiers, *known.phones, f"journeys_contact_id:{contact}")
        for name in names:
            owner[erased_name(identifier_key(key_of, tenant, name))] = contact, known.anew.get(name, 0)
    for said in about:
        found = (owner[i] for i in said.identifiers if i in owner)
        whose = next((contact for contact, since in found if said.at >= since), None)
        if whose is not None:
            yield Assigned(whose, said.role, said.at, said.event_id, said.command == "assign_role")
