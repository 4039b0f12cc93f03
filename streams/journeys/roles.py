"""The roles of the buying group: who has which, by what, since when, and which are still missing.

Sources, strongest first: what somebody commands, what the CRM says, the job title (`lexicon`), behaviour. Of
a role that several sources tell the strongest counts, and the others stand in its evidence. A command that
removes a role silences them all, until a later one assigns it. A role belongs to a person in a period of
employment.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from schemas.internal import ERP, Fact, Mini
from streams.definition.model import ROLES, RoleRules
from streams.journeys.contacts import best_fact
from streams.journeys.lexicon import Further, named, role_of
from streams.journeys.stages import Touched

Source = Literal["command", "crm", "title", "behaviour"]
SOURCES: tuple[Source, ...] = ("command", "crm", "title", "behaviour")  # strongest first
INITIATOR = "initiator"
_RANK = {name: i for names in (SOURCES, ROLES) for i, name in enumerate(names)}


class Known(NamedTuple):
    """What is known of a member in one period of employment (or in all of them together)."""

    contact: str
    since: int  # when the period begins, ms
    titles: Sequence[Fact]  # job titles told while here
    roles: Sequence[Fact]  # `role` facts, likewise
    shown: Mapping[str, Touched]  # role -> the member's first touch here that shows it (`shows`)
    refuses: bool  # refuses profiling: nothing follows from behaviour


class Assigned(NamedTuple):
    """A command `assign_role` (`given`) or `remove_role`, its person found."""

    contact: str
    role: str
    at: int  # ms
    event_id: str
    given: bool


class Role(NamedTuple):
    """A role of a member, by the strongest source that tells it."""

    role: str
    source: Source
    confidence: float  # up to 1
    evidence: str  # in words
    since: int  # when it was first known from this source, ms
    event_id: str  # what it is known by; empty: a fact, which names no event
    event_source: str  # of the touch; empty: a command or a fact


class Completeness(NamedTuple):
    """How much of the buying group that a stage asks for is known."""

    found: list[str]  # all roles that somebody has, in the order of ROLES
    missing: list[str]  # the first of each group that nobody fills
    share: float  # found ÷ required; 1 where none is required


def assign(
    rules: RoleRules, known: Sequence[Known], commands: Iterable[Assigned], initiators: Iterable[Touched]
) -> list[list[Role]]:
    """The roles of each of `known`, strongest source first.

    `initiators` are the first touches by a member, one of each journey of the account. A command, and the
    start of a journey, belong to the period in which they fall, else to the one before; else to the first.
    """
    further = tuple(rules.titles.items())
    told = [_told(rules, further, member) for member in known]
    periods = _Periods(known)
    for touched in initiators:
        i = periods.of(touched.contact, touched.at)
        if i is not None and not known[i].refuses:
            _add(told[i], _by_touch(rules, INITIATOR, touched, "the first to touch in a journey"))
    removed: list[set[str]] = [set() for _ in known]
    for command in sorted(commands, key=lambda c: (c.at, c.event_id)):
        i = periods.of(command.contact, command.at)
        if i is None:
            continue
        if not command.given:
            removed[i].add(command.role)
            told[i].pop((command.role, "command"), None)
        else:
            removed[i].discard(command.role)
            _add(told[i], _by_command(rules, command))
    return [_strongest(t, gone) for t, gone in zip(told, removed, strict=True)]


def shows(rules: RoleRules, touch: Mini) -> tuple[str, ...]:
    """The roles that a touch by a person shows: by its type, by its topic."""
    by_type, by_topic = rules.behaviour.get(touch.type), rules.topics.get(touch.topic)
    if by_type is None and by_topic is None:
        return ()
    return tuple(role for role in (by_type, by_topic) if role)


def told_during(facts: Iterable[Fact], since: int, until: int) -> list[Fact]:
    """The facts told in a period (ms, `until` not included); if there are none, the last one before its end.

    >>> before, within = Fact(3, 5, "web", "planner"), Fact(3, 9, "web", "COO")
    >>> told_during([before, within], 6, 20) == [within]
    True
    >>> told_during([before, within], 6, 9) == [before]
    True
    """
    earlier = [fact for fact in facts if fact.at < until]
    if within := [fact for fact in earlier if fact.at >= since]:
        return within
    latest = max((fact.at for fact in earlier), default=0)
    return [best_fact(fact for fact in earlier if fact.at == latest)] if earlier else []


def weight(rules: RoleRules, roles: Iterable[str]) -> float:
    """The weight of somebody with these roles: that of the highest; who started it has no say in it.

    Who starts a journey is known only once the journeys are cut, which may hang on hand-offs, so on scores.
    """
    return max((rules.weights.get(role, 1.0) for role in roles if role != INITIATOR), default=1.0)


def completeness(rules: RoleRules, stage: str, members: Iterable[Iterable[str]]) -> Completeness:
    """What is known of the group that the stage asks for; `members`: the roles of each who is here now."""
    held = {role for roles in members for role in roles}
    groups = rules.required.get(stage, ())
    missing = [group[0] for group in groups if held.isdisjoint(group)]
    share = (len(groups) - len(missing)) / len(groups) if groups else 1.0
    return Completeness([role for role in ROLES if role in held], missing, share)


def unseen(
    rules: RoleRules, stage: str, members: Iterable[tuple[str, Collection[str], bool]]
) -> list[tuple[str, str]]:
    """Who is known to have a role that the stage asks for, where nobody with such a role ever touched.

    `members`: contact, roles, whether it touched, of each who is here now. Gives (role, contact).
    """
    members = list(members)
    found = set()
    for group in rules.required.get(stage, ()):
        able = [
            (contact, roles, seen) for contact, roles, seen in members if not set(group).isdisjoint(roles)
        ]
        if not any(seen for _, _, seen in able):
            found |= {(role, contact) for contact, roles, _ in able for role in roles if role in group}
    return sorted(found, key=lambda pair: (ROLES.index(pair[0]), pair[1]))


def first_touches(touches: Iterable[Touched], roles: Mapping[str, Iterable[str]]) -> dict[str, Touched]:
    """The crucial moments `first_<role>` of one journey: the first touch by somebody with the role.

    `touches` are its signs of life in event time, `roles` those of each contact. Who starts a journey is no
    news in it: there is no `first_initiator`.
    """
    names = {contact: [f"first_{r}" for r in theirs if r != INITIATOR] for contact, theirs in roles.items()}
    moments: dict[str, Touched] = {}
    for touched in touches:
        for name in names.get(touched.contact, ()):
            kept = moments.setdefault(name, touched)
            if touched.at == kept.at and touched < kept:
                moments[name] = touched
    return moments


Told = dict[tuple[str, str], Role]  # role, source


class _Periods:
    def __init__(self, known: Sequence[Known]) -> None:
        self._of: dict[str, list[tuple[int, int]]] = {}  # contact -> since, index in `known`
        for i, member in enumerate(known):
            self._of.setdefault(member.contact, []).append((member.since, i))
        for periods in self._of.values():
            periods.sort()

    def of(self, contact: str, at: int) -> int | None:
        periods = self._of.get(contact)
        if periods is None:
            return None
        return max((p for p in periods if p[0] <= at), default=periods[0])[1]


def _told(rules: RoleRules, further: Further, member: Known) -> Told:
    """What a member's own facts and behaviour tell."""
    told: Told = {}
    crm = [fact for fact in member.roles if fact.rank <= ERP]
    others = [fact for fact in member.roles if fact.rank > ERP]  # as good as a title
    sources: tuple[tuple[Source, list[Fact]], ...] = (("crm", crm), ("title", others))
    for source, facts in sources:
        if facts:
            best = best_fact(facts)
            for role in named(best.value):
                at = min(fact.at for fact in facts if role in named(fact.value))
                said = f"{best.source} names {_quoted(best)}"
                _add(told, Role(role, source, rules.confidence[source], said, at, "", ""))
    if titles := [fact for fact in member.titles if isinstance(fact.value, str)]:
        best = titles[0] if len(titles) == 1 else best_fact(titles)
        for role, certainty, words in role_of(best.value, further):
            alike = (fact for fact in titles if any(h.role == role for h in role_of(fact.value, further)))
            at = best.at if len(titles) == 1 else min(fact.at for fact in alike)
            said = f"title {_quoted(best)} ({words})"
            _add(told, Role(role, "title", round(rules.confidence["title"] * certainty, 2), said, at, "", ""))
    if not member.refuses:
        for role, touched in member.shown.items():
            touch = touched.touch
            evidence = touch.type if rules.behaviour.get(touch.type) == role else f"topic {touch.topic}"
            _add(told, _by_touch(rules, role, touched, evidence))
    return told


def _by_touch(rules: RoleRules, role: str, touched: Touched, evidence: str) -> Role:
    at, source, event_id = touched[:3]
    return Role(role, "behaviour", rules.confidence["behaviour"], evidence, at, event_id, source)


def _by_command(rules: RoleRules, command: Assigned) -> Role:
    confidence = rules.confidence["command"]
    return Role(command.role, "command", confidence, "assigned by command", command.at, command.event_id, "")


def _quoted(fact: Fact) -> str:
    value = fact.value
    return f"“{'; '.join(map(str, value)) if isinstance(value, list) else value}”"


def _add(told: Told, role: Role) -> None:
    """Of one role by one source the more certain is kept, then the earlier."""
    key = (role.role, role.source)
    kept = told.get(key)
    if kept is None or _order(role) < _order(kept):
        told[key] = role


def _order(role: Role) -> tuple[float, int, str, str, str]:
    return (-role.confidence, role.since, role.event_source, role.event_id, role.evidence)


def _strongest(told: Told, removed: Collection[str]) -> list[Role]:
    found: dict[str, Role] = {}
    for role in sorted(told.values(), key=lambda role: (_RANK[role.source], _RANK[role.role])):
        if (first := found.get(role.role)) is not None:
            found[role.role] = first._replace(evidence=f"{first.evidence}; also {role.evidence}")
        elif role.role not in removed:
            found[role.role] = role
    return list(found.values())
