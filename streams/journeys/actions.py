"""What to do next with an account: the first rule that fits, for somebody who may be approached so.

Nothing here needs the clock: an action is due so many days after what made it fit.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from schemas.events import Action
from schemas.times import day_text
from streams.definition.model import ActionRule

CALL_FIRST, LAST_ACTIVE, ACCOUNT = "call_first", "last_active", "account"  # addressees that are no role

_FILLED: Final = re.compile(r"\{(topic|role|name)\}")


class Person(NamedTuple):
    """A member who is here now."""

    contact: str
    name: str  # empty: unknown
    roles: Collection[str]
    channels: Collection[str]  # `channels` of this person
    engagement: float
    last_touch: int | None  # ms; None: never seen
    prefers: str = ""  # the channel told in `preferred_channel`


class Situation(NamedTuple):
    """What is known of an account, as far as rules ask for it."""

    stage: str
    status: str  # active, quiet, silent, unknown
    missing: Sequence[str]  # roles
    interests: Sequence[str]  # topics, the strongest first
    members: Sequence[Person]
    name: str = ""  # of the account
    handoff: str = ""  # state of the hand-off that is not over; empty: there is none
    call_first: str = ""  # its contact
    customer: bool = False
    since_day: int | None = (
        None  # since 1970, of what made it so: the last touch, or the alarm; None: neither
    )


def channels(ways: Iterable[str], *, refuses_profiling: bool) -> frozenset[str]:
    """The channels for a person who may be approached in these ways (`email`, `phone`).

    Post and an invitation to meet are for those who may be approached at all; what the site shows someone on
    the next visit, for all who do not refuse profiling.

    >>> sorted(channels({"phone"}, refuses_profiling=False)), sorted(channels((), refuses_profiling=True))
    (['meeting', 'phone', 'post', 'web'], [])
    """
    allowed = frozenset(ways)
    if allowed:
        allowed |= {"post", "meeting"}
    return allowed if refuses_profiling else allowed | {"web"}


def next_best_action(rules: Iterable[ActionRule], situation: Situation) -> Action | None:
    """What the first rule says that fits; None: none does.

    >>> from streams.definition import default
    >>> jo = Person("c1", "Jo Visser", ["user"], {"email"}, 30.0, 0)
    >>> compares = Situation("evaluation", "active", ["decider"], [], [jo], "Acme", since_day=20_000)
    >>> found = next_best_action(default().actions, compares)
    >>> found.to, found.channel, found.when, found.why.partition(" (")[2]
    ('c1', 'email', '2024-10-07', 'evaluation; no decider seen)')
    """
    for rule in rules:
        reasons = _reasons(rule, situation)
        if reasons is None or (chosen := _chosen(rule, situation)) is None:
            continue
        person, channel = chosen
        name = person.name if person else situation.name
        message = _filled(rule, situation, name)
        if message:
            due = "" if situation.since_day is None else day_text(situation.since_day + rule.within_days)
            why = f"{rule.why} ({'; '.join(reasons)})" if reasons else rule.why
            return Action(person.contact if person else "", name, channel, message, due, why)
    return None


def _reasons(rule: ActionRule, situation: Situation) -> list[str] | None:
    """What of the situation makes the rule fit, in words; None: it does not fit."""
    reasons = []
    for allowed, value, words in (
        (rule.stages, situation.stage, situation.stage),
        (rule.statuses, situation.status, situation.status),
        (rule.handoff, situation.handoff, f"hand-off {situation.handoff}"),
    ):
        if allowed:
            if value not in allowed:
                return None
            reasons.append(words)
    if rule.customer:
        if situation.customer != (rule.customer == "yes"):
            return None
        reasons.append("a customer" if situation.customer else "no customer")
    if rule.missing:
        missing = [role for role in situation.missing if role in rule.missing]
        if not missing:
            return None
        reasons.append(f"no {' or '.join(missing)} seen")
    if rule.topics:
        if not (topic := _topic(rule, situation)):
            return None
        reasons.append(f"interest in {topic}")
    return reasons


def _filled(rule: ActionRule, situation: Situation, name: str) -> str:
    """The message with its names filled in; empty: a topic or role that it names is not known."""
    missing = [role for role in situation.missing if not rule.missing or role in rule.missing]
    words = {
        "topic": _topic(rule, situation),
        "role": missing[0] if missing else "",
        "name": name or situation.name or "them",
    }
    if not all(words[found] for found in _FILLED.findall(rule.message)):
        return ""
    return _FILLED.sub(lambda found: words[found[1]], rule.message)


def _topic(rule: ActionRule, situation: Situation) -> str:
    """The strongest interest, of those that the rule names."""
    named = {topic.casefold() for topic in rule.topics}
    return next((topic for topic in situation.interests if not named or topic.casefold() in named), "")


def _chosen(rule: ActionRule, situation: Situation) -> tuple[Person | None, str] | None:
    """Whom the rule is for (None: the account), and by which channel; None: nobody may be approached so."""
    if rule.to == ACCOUNT:
        return None, rule.channels[0]
    able = [(person, channel) for person in situation.members if (channel := _channel(rule, person))]
    if rule.to == CALL_FIRST:
        named = [pair for pair in able if pair[0].contact == situation.call_first]
        return next(iter(named), None) or max(able, key=_engaged, default=None)
    if rule.to == LAST_ACTIVE:
        return max((pair for pair in able if pair[0].last_touch is not None), key=_seen, default=None)
    return max((pair for pair in able if rule.to in pair[0].roles), key=_engaged, default=None)


def _channel(rule: ActionRule, person: Person) -> str:
    """The one that the person prefers, else the first allowed; empty: none is."""
    allowed = [channel for channel in rule.channels if channel in person.channels]
    if person.prefers in allowed:
        return person.prefers
    return allowed[0] if allowed else ""


def _seen(pair: tuple[Person, str]) -> tuple[int, str]:
    return (pair[0].last_touch or 0, pair[0].contact)


def _engaged(pair: tuple[Person, str]) -> tuple[float, int, str]:
    return (pair[0].engagement, *_seen(pair))
