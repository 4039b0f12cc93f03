"""What is known of an account and what follows: facts that count, the next question, the next best action."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from schemas.events import Action, Question
from schemas.internal import ERP, PER_EMPLOYMENT, Fact, kind_of
from streams.journeys import actions, facts, handover
from streams.journeys.account import Account, Given
from streams.journeys.actions import Person, Situation, next_best_action
from streams.journeys.contacts import EVER
from streams.journeys.facts import Held
from streams.journeys.orders import months_before
from streams.journeys.questions import next_question
from streams.journeys.roles import told_during
from streams.journeys.walk import Spell

_KEYS: Final = ("vat_number", "customer_number")  # account keys that are facts too


_NOBODY: Final = Person("", "", (), (), 0.0, None)


class Outlook(NamedTuple):
    """What follows from an account at a time."""

    facts: list[Held]
    question: Question | None
    action: Action | None


def outlook(account: Account, given: Given) -> Outlook:
    """The outlook of an account; the clock in `given` says what has expired."""
    rules, group = given.definition, account.group
    here = {spell.contact: spell for spell in account.spells if spell.until > given.clock}
    members = {contact: _told(account, spell) for contact, spell in here.items()}
    held = facts.used(rules.facts, given.account, _firm(account), members, given.clock)
    people = [_person(account, given, spell, held) for spell in here.values()]
    journeys = account.walked.journeys
    journey = journeys[-1] if journeys else None
    standing = account.desk.open
    first = ""
    if standing is not None:
        first = handover.call_first(account, given, standing).contact
    stage = journey.stage if journey else ""
    since = _since(account)
    situation = Situation(
        stage=stage,
        status=group.rhythm.status,
        missing=group.complete.missing,
        interests=handover.interests(journey.touches) if journey else [],
        members=people,
        name=account.name,
        handoff=standing.state if standing else "",
        call_first=first,
        # As of then, like the day of the action: neither changes while nothing is heard of the account.
        customer=account.trading.since(months_before(since or 0, rules.orders.customer_months)),
        since_day=None if since is None else given.day_of(since),
    )
    asked = first or max(people, key=_engaged, default=_NOBODY).contact
    roles = [role.role for role in group.roles.get(asked, ())]
    return Outlook(
        held,
        next_question(rules.facts, stage, held, asked, roles),
        None if account.gone else next_best_action(rules.actions, situation),
    )


def _firm(account: Account) -> Mapping[str, Fact]:
    """The firm's facts; a key that is known needs not be asked for, whoever told it."""
    at = account.walked.first_seen or 0
    keys = [key.partition(":") for key in account.keys if kind_of(key) in _KEYS]
    return {**{kind: Fact(ERP, at, "", value) for kind, _, value in keys}, **account.facts}


def _told(account: Account, spell: Spell) -> Mapping[str, Sequence[Fact]]:
    known = account.contacts[spell.contact]
    while_here = {
        attribute: told
        for attribute in PER_EMPLOYMENT
        if (told := told_during(known.history.get(attribute, ()), spell.since, spell.until))
    }
    return {**known.facts, **while_here}


def _person(account: Account, given: Given, spell: Spell, held: list[Held]) -> Person:
    """Who asked for a demo, a quote or a call may be approached about that while the hand-off is open."""
    contact, group, standing = spell.contact, account.group, account.desk.open
    requests = given.definition.handoff.requests
    news = standing.news if standing is not None else []
    asked = max((t.at for t in news if t.contact == contact and t.touch.type in requests), default=None)
    ways = group.known.may(contact, EVER, asked)
    return Person(
        contact=contact,
        name=account.name_of(contact),
        roles=[role.role for role in group.roles.get(contact, ())],
        channels=actions.channels(ways, refuses_profiling=contact in group.known.refusing),
        engagement=account.score.of(contact),
        last_touch=spell.last,
        prefers=facts.values(held, contact).get("preferred_channel", ""),
    )


def _engaged(person: Person) -> tuple[float, int, str]:
    return person.engagement, person.last_touch or 0, person.contact


def _since(account: Account) -> int | None:
    """When it became so (ms): at the alarm of the silence that lasts, else at the last touch."""
    lasting = [spell for spell in account.group.rhythm.spells if spell.ended_at_ms is None]
    return lasting[-1].since_ms if lasting else account.walked.last_seen
