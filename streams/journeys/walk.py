"""The walk over an account's touches in event time: journeys cut by gaps, their stages and moments, members.

Pure arithmetic on touches: the same set gives the same journeys, whatever the order it arrived in.
"""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.internal import PERSON
from streams.journeys.stages import Progress, Rules, Touched

EVER = 1 << 62  # ms: later than any time


class Spell:
    """One period of a contact in the account, open or not, and what was seen of the contact in it."""

    __slots__ = ("contact", "first", "last", "since", "stage", "touches", "until")

    def __init__(self, contact: str, since: int, until: int) -> None:
        self.contact = contact
        self.since = since  # ms; -EVER: since ever
        self.until = until  # ms, not included; EVER: still
        self.touches = 0  # by any actor
        self.first: Touched | None = None  # first touch by the person, opened mail included
        self.last: int | None = None  # ms, likewise
        self.stage = ""  # the contact's own, in the last journey it took part in during this period

    @property
    def phantom(self) -> bool:
        """Over, without a known beginning and without a touch: nobody was ever here.

        The address at a new employer places a person there by its domain, also before the job change.
        """
        return self.since == -EVER and self.until != EVER and not self.touches

    @property
    def appeared(self) -> int | None:
        """When the contact appeared here: the start of the employment, else the first touch, else unknown."""
        if self.since != -EVER:
            return self.since
        return self.first.at if self.first else None


class Person:
    """A contact of the account: its periods (ascending) and its progress in the journey that is walked."""

    __slots__ = ("progress", "spells")

    def __init__(self, contact: str, periods: Iterable[tuple[int, int]]) -> None:
        self.spells = [Spell(contact, since, until) for since, until in periods]
        self.progress: Progress | None = None

    def spell(self, at: int) -> Spell:
        """The period that `at` falls in; between two, the earlier one; before all, the first."""
        found = self.spells[0]
        for spell in self.spells:
            if spell.since <= at:
                found = spell
        return found


class Journey:
    """One journey: its first and last touch, the stages reached, the first of each crucial moment."""

    __slots__ = ("_rules", "last", "moments", "opened", "progress")

    def __init__(self, rules: Rules, opened: Touched) -> None:
        self._rules = rules
        self.opened = opened
        self.last = opened
        self.progress = Progress(rules, "")
        self.moments: dict[str, Touched] = {}

    @property
    def closes_at(self) -> int:
        """When it ends if nothing more is heard, in ms: a touch at that very time still belongs to it."""
        return self.last.at + self._rules.gap_ms

    @property
    def stages(self) -> list[tuple[str, Touched]]:
        """The stages entered, in order; one that was completed after a further one is a moment instead."""
        reached, late = self.progress.reached, self.progress.late
        names = self._rules.names
        return [(names[index], reached[index]) for index in sorted(reached) if index not in late]

    @property
    def crucial(self) -> list[tuple[str, Touched]]:
        """The crucial moments, those of the rules and stages completed after a further one, by name."""
        names = self._rules.names
        late = {names[index]: self.progress.reached[index] for index in self.progress.late}
        return sorted({**self.moments, **late}.items())

    def take(self, touched: Touched, person: Person | None) -> None:
        """Add the next touch."""
        self.last = touched
        touch_type = touched.touch.type
        member = None
        if person is not None:
            member = person.progress
            if member is None:
                member = person.progress = Progress(self._rules, touched.contact)
            if member.by_type.get(touch_type, member.any):
                member.advance(touched, None)
        progress = self.progress
        if progress.by_type.get(touch_type, progress.any):
            progress.advance(touched, member)
        for moment in self._rules.moments.get(touch_type, ()):
            if (
                moment.name not in self.moments
                and (not moment.after_order or progress.ordered_before(touched.at))
                and (not moment.inspiration or touched.touch.topic in self._rules.inspiration)
            ):
                self.moments[moment.name] = touched


class Walked(NamedTuple):
    """What a walk found; times in ms."""

    journeys: list[Journey]
    touches: int  # by any actor
    first_seen: int | None  # by a person, opened mail included
    last_seen: int | None


def walk(touches: list[Touched], people: dict[str, Person], rules: Rules) -> Walked:
    """Walk over the touches, sorted, of the people given (every contact named must be there)."""
    no_life, gap_ms, names = rules.no_life, rules.gap_ms, rules.names
    journeys: list[Journey] = []
    ends = -EVER  # when the journey that is walked ends, ms
    first_seen: int | None = None
    last_seen: int | None = None
    for touched in touches:
        at, _, _, contact, touch = touched
        person = people[contact] if contact else None
        spell = None
        if person is not None:
            spells = person.spells
            spell = spells[0] if len(spells) == 1 else person.spell(at)
            spell.touches += 1
        if touch.actor != PERSON:
            continue
        last_seen = at
        if first_seen is None:
            first_seen = at
        if spell is not None:
            spell.last = at
            if spell.first is None:
                spell.first = touched
        if touch.type in no_life:
            continue
        if at > ends:
            journeys.append(Journey(rules, touched))
            for other in people.values():
                other.progress = None
        ends = at + gap_ms
        journeys[-1].take(touched, person)
        if spell is not None and person is not None and person.progress is not None:
            furthest = person.progress.furthest
            spell.stage = names[furthest] if furthest >= 0 else ""
    return Walked(journeys, len(touches), first_seen, last_seen)
