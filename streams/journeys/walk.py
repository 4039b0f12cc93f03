"""The walk over an account in event time: journeys and where they end, stages, moments, members, hand-offs.

Pure arithmetic on touches, outcomes and commands: the same set gives the same journeys, whatever the order it
arrived in.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.internal import PERSON, Command, Outcome
from streams.journeys.contacts import EVER
from streams.journeys.handoffs import Desk
from streams.journeys.stages import Progress, Rules, Touched


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
    def unseen(self) -> bool:
        """Over, and without a known beginning: without a touch nobody was ever here.

        The address at a new employer places a person there by its domain, also before the job change.
        """
        return self.since == -EVER and self.until != EVER

    @property
    def phantom(self) -> bool:
        """Nobody was ever here."""
        return self.unseen and not self.touches

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
    """One journey: its touches, the stages reached, the first of each crucial moment, how it ended."""

    __slots__ = (
        "_rules",
        "begun_by",
        "ended",
        "last",
        "moments",
        "number",
        "opened",
        "progress",
        "touches",
        "won",
    )

    def __init__(self, rules: Rules, number: int, opened: Touched) -> None:
        self._rules = rules
        self.number = number  # in event time, from 1
        self.opened = opened
        self.last = opened
        self.progress = Progress(rules, "")
        self.moments: dict[str, Touched] = {}
        # Signs of life, in event time, of those who let anything be derived of what they do.
        self.touches: list[Touched] = []
        self.begun_by: Touched | None = None  # the first touch by a member
        self.won = False  # an outcome says so: the gap that follows ends a journey that was won
        self.ended: tuple[int, str, str] | None = None  # when (ms), by what, event id; None: it is open

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
    def stage(self) -> str:
        """The furthest stage; empty: none yet."""
        furthest = self.progress.furthest
        return self._rules.names[furthest] if furthest >= 0 else ""

    @property
    def crucial(self) -> list[tuple[str, Touched]]:
        """The crucial moments, those of the rules and stages completed after a further one, by name."""
        names = self._rules.names
        late = {names[index]: self.progress.reached[index] for index in self.progress.late}
        return sorted({**self.moments, **late}.items())

    def take(self, touched: Touched, person: Person | None, *, refuses: bool) -> None:
        """Add the next touch; `refuses`: its person refuses that anything but stages follows from it."""
        self.last = touched
        if not refuses:
            self.touches.append(touched)
        if self.begun_by is None and person is not None:
            self.begun_by = touched
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


class Walk:
    """The walk over one account: touches, outcomes and commands to close, in event time.

    Of equal times touches come first, then outcomes, then commands.
    """

    def __init__(
        self,
        people: dict[str, Person],
        rules: Rules,
        desk: Desk,
        said: Iterable[Outcome | Command] = (),
        refusing: Mapping[str, int] | None = None,
    ) -> None:
        """`people`: every contact named must be there. `said`: outcomes, and commands that close journeys.

        `refusing`: who refuses profiling, and since when (ms). What they did before that makes hand-offs, so
        that what sales was told and acted on stands.
        """
        self._people = people
        self._rules = rules
        self._desk = desk
        self._refusing = refusing or {}
        self._said = sorted(said, key=_told)
        self._next = 0  # of `_said`
        self._clock = 0
        self._journeys: list[Journey] = []
        self._open: Journey | None = None

    def over(self, touches: list[Touched], clock: int) -> Walked:
        """Walk over the touches, sorted; at the end the clock shows what has ended by then."""
        self._clock = clock
        said, people, desk, refusing = self._said, self._people, self._desk, self._refusing
        no_life, gap_ms, names = self._rules.no_life, self._rules.gap_ms, self._rules.names
        ends = -EVER  # when the journey that is walked ends, ms
        first_seen: int | None = None
        last_seen: int | None = None
        for touched in touches:
            at, _, _, contact, touch = touched
            if self._next < len(said) and said[self._next].at < at:
                self._listen(at)
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
            journey = self._open
            if at > ends or journey is None:
                journey = self._begin(touched)
            ends = at + gap_ms
            refuses = contact in refusing
            journey.take(touched, person, refuses=refuses)
            if not refuses or at < refusing[contact]:
                desk.take(touched, journey)
            if spell is not None and person is not None and person.progress is not None:
                furthest = person.progress.furthest
                spell.stage = names[furthest] if furthest >= 0 else ""
        self._listen(EVER)
        if self._open is not None and clock > self._open.closes_at:
            self._end_by_gap()
        return Walked(self._journeys, len(touches), first_seen, last_seen)

    def _begin(self, touched: Touched) -> Journey:
        if self._open is not None:
            self._end_by_gap()
        self._open = Journey(self._rules, len(self._journeys) + 1, touched)
        self._journeys.append(self._open)
        for person in self._people.values():
            person.progress = None
        return self._open

    def _listen(self, before: int) -> None:
        """Take what was said earlier than `before`."""
        while self._next < len(self._said) and self._said[self._next].at < before:
            one = self._said[self._next]
            self._next += 1
            journey = self._open
            # Only touches move the clock: what people say of later does not end a journey that is still open.
            if journey is not None and min(one.at, self._clock) > journey.closes_at:
                self._end_by_gap()
                journey = None
            if isinstance(one, Command):
                if journey is not None:
                    self._end(one.at, "command", one.event_id)
                continue
            handoff = self._desk.told(one)
            if handoff is None or journey is None or handoff.journey != journey.number:
                continue
            if handoff.state == "won":
                journey.won = True
            elif handoff.state == "lost":
                self._end(one.at, "lost", one.event_id)

    def _end_by_gap(self) -> None:
        if self._open is not None:
            last = self._open.last
            self._end(self._open.closes_at, "won" if self._open.won else "gap", last.event_id)

    def _end(self, at: int, by: str, cause: str) -> None:
        if self._open is not None:
            self._open.ended = (at, by, cause)
            self._open = None
            self._desk.closed(at)


def _told(one: Outcome | Command) -> tuple[int, bool, str]:
    return one.at, isinstance(one, Command), one.event_id
