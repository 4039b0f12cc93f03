"""`journeys explain` in words: why a hand-off is as it is, and what a score is made of. Pure."""

from collections.abc import Iterator, Sequence
from math import fsum
from typing import Final

import msgspec

from schemas.events import Member, ScorePart
from schemas.times import DAY_MS, from_rfc3339
from streams.definition import Definition
from streams.dossier import Dossier, Handoff, Touch
from streams.journeys.handoffs import OVER, TABLE
from streams.show_report import engagement_by, first_call

LARGEST: Final = 10  # parts of a score that are shown


class Said(msgspec.Struct):
    """An outcome as it was told; `refused` and `error` where it became a dead letter."""

    event_id: str
    at: str
    outcome: str
    handoff_id: str  # empty: it named the account alone
    reason: str
    reason_code: str
    by: str
    refused: str = ""
    error: str = ""


class Effect(msgspec.Struct):
    """What an outcome did to a hand-off."""

    said: Said
    became: str  # the state after it; empty: nothing changed


class Valued(msgspec.Struct):
    """A part of a score and what it is worth."""

    part: ScorePart
    age_days: int
    value: float


def effects(found: Dossier, one: Handoff, said: Sequence[Said]) -> list[Effect]:
    """What each outcome that means this hand-off did to it, in the order of their times."""
    state, over = "open", False
    done: list[Effect] = []
    for told in sorted(said, key=lambda each: (each.at, each.event_id)):
        if not _means(found, one, told, over=over):
            continue
        after = TABLE[state].get(told.outcome, "") if told.at >= one.at else ""
        state = after or state
        over = over or state in OVER
        done.append(Effect(told, after))
    return done


def _means(found: Dossier, one: Handoff, told: Said, *, over: bool) -> bool:
    """Whether the outcome names it; else, where it names none of this account, came while it was open.

    What was refused stands at the hand-off before it, also when that was over: it may explain why.
    """
    if told.handoff_id.startswith(f"{found.account_id}.") and any(
        told.handoff_id == each.handoff_id for each in found.handoffs
    ):
        return told.handoff_id == one.handoff_id
    later = min((each.at for each in found.handoffs if each.at > one.at), default="9")
    return one.at <= told.at < later and (not over or bool(told.refused))


def evidence(found: Dossier, one: Handoff, touches: Sequence[Touch], rules: Definition) -> list[Touch]:
    """The touches that made the hand-off and the requests that came while it was open."""
    requests = rules.handoff.requests
    ended = one.outcome_at if one.status in OVER and one.outcome_at else "9"
    cause = [touch for touch in touches if touch.at == one.at]
    asked = [touch for touch in touches if one.at < touch.at <= ended and touch.type in requests]
    if any(touch.type in requests for touch in cause):
        return [*cause, *asked]
    entered = {
        stage.entered_at
        for journey in found.journeys
        if journey.number == one.journey
        for stage in journey.stages
        if stage.stage == rules.handoff.stage
    }
    compared = [touch for touch in touches if touch.at in entered and touch not in cause]
    return [*compared, *cause, *asked]


def handoff_in_words(
    found: Dossier, one: Handoff, touches: Sequence[Touch], done: Sequence[Effect], rules: Definition
) -> Iterator[str]:
    """Why a hand-off was made, whom it concerns, what came of it, what would change it; a line each."""
    yield f"hand-off {one.handoff_id} of {found.name or 'an account without a name'}: {one.status}"
    yield f"  made on {_minute(one.at)}, with an engagement of {one.score:g}"
    yield "  why"
    yield from (f"    {reason}" for reason in one.reasons or ["what made it does not hold any more"])
    if touches:
        yield "  evidence"
    for touch in touches:
        topic = f", {touch.topic}" if touch.topic else ""
        who = found.name_of(touch.contact_id)
        yield f"    {_minute(touch.at)} {who}: {touch.type.replace('_', ' ')}{topic} (event {touch.event_id})"
    yield "  whom to call, and why"
    yield f"    {first_call(one)}"
    for member in found.members:
        if member.valid_to is None:
            may = "may be approached" if member.reachable else "may not be approached"
            about = " about anything else" if _asked(one, member) and not member.reachable else ""
            yield f"    {found.name_of(member.contact_id)} {may}{about}: {member.reach or 'nothing was said'}"
    yield "  outcomes"
    yield from (f"    {line}" for line in _outcomes(one, done))
    yield "  what would change it"
    yield from (f"    {line}" for line in changes(one, rules))


def _asked(one: Handoff, member: Member) -> bool:
    """Whether the member is called first all the same, since it asked."""
    first = one.call_first
    return member.contact_id == first.contact and bool(first.email or first.phone)


def _outcomes(one: Handoff, done: Sequence[Effect]) -> Iterator[str]:
    for effect in done:
        said = effect.said
        by = f" by {said.by}" if said.by else ""
        why = ", ".join(filter(None, (said.reason_code, said.reason)))
        told = f"{_minute(said.at)} {said.outcome}{by}" + (f" ({why})" if why else "")
        if effect.became:
            yield f"{told}: it became {effect.became}"
        elif said.refused:
            yield f"{told}: refused ({said.refused}), {said.error}"
        else:
            yield f"{told}: changed nothing, it is not possible there"
    if not done:
        due = f"; feedback is due on {one.feedback_due[:10]}" if one.feedback_due else ""
        yield f"none yet{due if one.status == 'open' else ''}"


def changes(one: Handoff, rules: Definition) -> Iterator[str]:
    """What would change a hand-off from now on."""
    rule = rules.handoff
    requests = " or ".join(name.replace("_", " ") for name in rule.requests)
    ready = f"in {rule.stage} by {rule.engagement:g} points of later touches"
    if one.status == "withdrawn":
        yield "nothing: what made it is taken apart, erased, or of somebody who refuses profiling"
        return
    possible = [outcome for outcome in TABLE[one.status] if outcome != one.status]
    if one.status in OVER:
        yield f"it is over; another one is made by {requests}, or {ready}"
    else:
        yield f"an outcome: {', '.join(possible)} (journeys outcome {one.handoff_id} {possible[0]})"
        yield "a further request, or a new member, is news for this hand-off and makes no other"
        yield f"it expires when {rules.journey.gap_days} days pass without a touch"
    yield "what comes late, is taken apart or erased: it is withdrawn when the touch that made it is gone"


def valued(found: Dossier) -> list[Valued]:
    """The parts of the engagement with their value on its day, the largest first."""
    if found.engagement_at is None:
        return []
    last = from_rfc3339(found.engagement_at) // DAY_MS
    made = []
    for part in found.score_parts:
        age = last - from_rfc3339(f"{part.day}T00:00:00Z") // DAY_MS
        made.append(Valued(part, age, _worth(part, age, found.half_life_days)))
    return sorted(made, key=lambda one: (-one.value, one.part.day, one.part.contact_id))


def _worth(part: ScorePart, age: int, half_life_days: float) -> float:
    return float(part.points * part.weight * 0.5 ** (age / half_life_days))


def score_in_words(found: Dossier, now: int) -> Iterator[str]:
    """What the engagement is made of: its ten largest parts, and that all add up; `now` in ms."""
    name = found.name or "an account without a name"
    if found.engagement_at is None:
        yield f"engagement of {name}: none, no touch with points is known"
        return
    half = f"{found.half_life_days:g}"
    by_now = f"{engagement_by(found, now):.2f} by now"
    yield f"engagement of {name}: {found.engagement:.2f} on {found.engagement_at[:10]}, {by_now}"
    yield f"  points of a person on a day × weight of the role × 0.5^(days ago / {half})"
    parts = valued(found)
    for one in parts[:LARGEST]:
        part = one.part
        types = ", ".join(f"{n} {kind.replace('_', ' ')}" for kind, n in sorted(part.types.items()))
        sum_ = f"{part.points:g} × {part.weight:g} × 0.5^({one.age_days}/{half}) = {one.value:.3f}"
        yield f"  {part.day}  {found.name_of(part.contact_id):<24} {sum_:<37} {types}"
    rest = parts[LARGEST:]
    if rest:
        yield f"  {len(rest)} smaller ones together = {fsum(one.value for one in rest):.3f}"
    together = fsum(one.value for one in parts)
    if abs(together - found.engagement) < 0.01:
        yield f"  all together = {together:.3f}"
    else:
        yield f"  all together = {together:.3f}; the rest is of people of whom something is erased"


def _minute(time: str) -> str:
    """A time without what nobody reads."""
    return f"{time[:10]} {time[11:16]}"
