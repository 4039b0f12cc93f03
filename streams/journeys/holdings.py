"""All that holds of an account, each under its kind and natural key, to compare with what was told."""

from collections.abc import Iterable, Iterator
from functools import partial

from schemas.times import rfc3339
from streams.journeys.account import Account, Given
from streams.journeys.contacts import EVER
from streams.journeys.handover import news, told
from streams.journeys.ledger import (
    CHAMPION,
    CROSSING,
    FEEDBACK,
    HANDOFF,
    JOURNEY,
    JOURNEY_END,
    MEMBER,
    MEMBER_END,
    MOMENT,
    ROLE,
    SILENCE,
    STAGE,
    Holding,
)
from streams.journeys.silence import Rhythm
from streams.journeys.stages import Touched
from streams.journeys.walk import Journey

_WENT = {"quiet": "went_quiet", "silent": "went_silent"}


def holdings(account: Account, given: Given) -> list[Holding]:
    """All of them; the clock in `given` says what is over by now."""
    held: list[Holding] = []
    for journey in account.walked.journeys:
        held += _journey(journey, account.group.moments(journey))
    held += _members(account)
    held += _roles(account)
    for number, shared in account.group.crossings:
        key = f"{number}/{shared.type}/{shared.topic}"
        who = list(shared.contacts[:2])  # those who made it a crossing: later ones are no news
        details = {"type": shared.type, "topic": shared.topic, "contacts": who}
        event_id, source = shared.event_ids[1], shared.sources[1]
        held.append(Holding(CROSSING, key, "paths_crossed", shared.at, event_id, "", source, details))
    held += _silences("", account.group.rhythm)
    for contact, rhythm in sorted(account.group.rhythms.items()):
        held += _silences(contact, rhythm)
    held += _handoffs(account, given)
    return held


def _journey(journey: Journey, moments: Iterable[tuple[str, Touched]]) -> Iterator[Holding]:
    number = str(journey.number)
    at, source, event_id, _, _ = journey.opened
    yield Holding(JOURNEY, number, "journey_opened", at, event_id, "", source)
    for stage, (at, source, event_id, _, _) in journey.stages:
        yield Holding(STAGE, f"{number}/{stage}", "stage_entered", at, event_id, "", source)
    for moment, (at, source, event_id, contact, _) in moments:
        yield Holding(MOMENT, f"{number}/{moment}", "crucial_moment", at, event_id, contact, source)
    if journey.ended is not None:
        at, by, cause = journey.ended
        source = journey.last.source if by in ("gap", "won") else ""
        yield Holding(JOURNEY_END, number, "journey_closed", at, cause, "", source, {"closed_by": by})


def _members(account: Account) -> Iterator[Holding]:
    periods: dict[str, int] = {}
    for spell in sorted(account.spells, key=lambda s: (s.contact, s.since)):
        periods[spell.contact] = number = periods.get(spell.contact, 0) + 1
        if (appeared := spell.appeared) is None:
            continue
        key = f"{spell.contact}/{number}"
        joined = spell.since != -EVER  # an employment began; else the touches made the contact known
        event_type = "contact_joined" if joined else "contact_identified"
        first = None if joined else spell.first
        cause, source = (first.event_id, first.source) if first else ("", "")
        yield Holding(MEMBER, key, event_type, appeared, cause, spell.contact, source)
        if spell.until != EVER:
            yield Holding(MEMBER_END, key, "contact_left", spell.until, "", spell.contact)
        moves = [
            move for move in account.moves.get(spell.contact, ()) if spell.since <= move[0] < spell.until
        ]
        if moves:
            at, origin = min(moves)
            details = {"from_account": origin}
            yield Holding(CHAMPION, key, "champion_moved", at, "", spell.contact, details=details)


def _roles(account: Account) -> Iterator[Holding]:
    for contact, roles in sorted(account.group.roles.items()):
        for role in roles:
            details = {"role": role.role, "source": role.source, "confidence": role.confidence}
            yield Holding(
                ROLE,
                f"{contact}/{role.role}",
                "role_identified",
                role.since,
                role.event_id,
                contact,
                role.event_source,
                details,
            )


def _silences(contact: str, rhythm: Rhythm) -> Iterable[Holding]:
    ends: dict[int, Holding] = {}
    for spell in rhythm.spells:
        last = spell.last_touch_ms
        details = {
            "level": spell.level,
            "last_touch": rfc3339(last),
            "expected_gap_days": spell.expected_gap_days,
            "p_active": spell.p_active,
        }
        key = f"{contact}/{last}/{spell.level}"
        yield Holding(SILENCE, key, _WENT[spell.level], spell.since_ms, "", contact, details=details)
        if (ended := spell.ended_at_ms) is not None:  # of one gap the heavier level, which comes later
            ends[last] = Holding(
                SILENCE, f"{contact}/{last}/revived", "revived", ended, "", contact, details=details
            )
    yield from ends.values()


def _handoffs(account: Account, given: Given) -> Iterator[Holding]:
    days = given.definition.handoff.feedback_days
    for handoff in account.desk.made:
        key = f"{handoff.journey}/{handoff.attempt}"
        cause = handoff.cause
        yield Holding(
            HANDOFF,
            key,
            "handoff_made",
            handoff.at,
            cause.event_id,
            handoff.asker,
            cause.source,
            {"news": news(account, given, handoff)},
            partial(told, account, given, handoff),
        )
        due = handoff.due(days)
        if given.clock > due and handoff.lacks_answer(days):
            details = {"due": rfc3339(due)}
            yield Holding(FEEDBACK, key, "feedback_overdue", due, "", "", details=details)
