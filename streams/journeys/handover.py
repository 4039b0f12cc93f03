"""What sales is told of a hand-off: reasons in words, whom to call first, who else is there, what was before.

Contact data (addresses, numbers) only of those who may be approached: a member as consent allows; who asked
for a demo, a quote or a call about that, unless that was withdrawn later.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from schemas.events import CallFirst, HandoffRow
from schemas.handoff import Earlier, HandoffAccount, HandoffMember, Reason
from schemas.internal import kind_of
from schemas.times import DAY_MS, rfc3339
from streams.journeys.account import Account, Given
from streams.journeys.engagement import Score, score
from streams.journeys.handoffs import GROUP_READY, Handoff
from streams.journeys.stages import Touched
from streams.journeys.walk import Journey

MOST_MEMBERS: Final = 50  # that one hand-off lists, the most engaged first
_STEPS: Final = 3  # last steps shown of a member
_INTERESTS: Final = 5
_ASKED: Final = {"demo_requested": "a demo", "quote_requested": "a quote", "call_requested": "a call"}
_LONG: Final = 30  # days of silence that are worth telling

_json = msgspec.json.Encoder(order="sorted").encode


def handoff_id(account: str, handoff: Handoff) -> str:
    """`<account>.<journey>.<attempt>`."""
    return f"{account}.{handoff.key}"


def rows(account: Account, given: Given) -> list[HandoffRow]:
    """The hand-offs as they now stand, in event time."""
    return [_row(account, given, handoff) for handoff in account.desk.made]


def told(account: Account, given: Given, handoff: Handoff) -> dict[str, Any]:
    """What a message on `lead-handoffs` says, for the ledger.

    `news` is a hash of what is worth a message of its own: a new request or member, another state, whom to
    call. `who` are the identifiers it shows per contact, `causes` the events it names: what an erasure looks
    at.
    """
    journey = account.walked.journeys[handoff.journey - 1]
    then = _score_then(account, given, handoff)
    first = call_first(account, given, handoff, then)
    members = _members(account, journey, then)
    reasons = _reasons(account, handoff, journey)
    facts = account.facts
    content = {
        "handoff_id": handoff_id(given.account, handoff),
        "attempt": handoff.attempt,
        "status": handoff.state,
        "account": HandoffAccount(
            id=given.account,
            name=account.name,
            kind="organisation" if account.organisation else "person",
            keys=account.keys,
            stage=journey.stage,
            journey_id=f"{given.account}.{handoff.journey}",
            industry=_text(facts["industry"].value) if "industry" in facts else "",
            employees=_whole(facts["employees"].value) if "employees" in facts else None,
            country=_text(facts["country"].value) if "country" in facts else "",
        ),
        "stage": journey.stage,
        "score": handoff.score,
        "reasons": reasons,
        "call_first": first,
        "members": members,
        "contact_points": account.mailboxes,
        "roles_missing": account.group.complete.missing,
        "interests": interests(journey.touches),
        "earlier_handoffs": _earlier(account, given, handoff),
        "next_step": _next_step(handoff, first),
        "feedback_due": rfc3339(handoff.due(given.definition.handoff.feedback_days)),
    }
    shown = {first.contact, *(m.contact for m in members), *(t.contact for t in handoff.news)}
    news = [
        *(handoff.at, handoff.code, [t.event_id for t in handoff.news], handoff.state, first),
        *(sorted(m.contact for m in members), [o.event_id for o in handoff.outcomes]),
    ]
    return {
        "news": blake2b(_json(news), digest_size=8).hexdigest(),
        "content": msgspec.to_builtins(content),
        "who": {contact: account.identifiers(contact) for contact in sorted(shown) if contact},
        "causes": [[t.source, t.event_id] for t in handoff.news],
    }


def nameless(details: Mapping[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of `told` without anything that tells of people."""
    content = details.get("content", {})
    return {
        "news": details.get("news", ""),
        "content": {name: content[name] for name in ("status", "feedback_due") if name in content},
    }


def call_first(account: Account, given: Given, handoff: Handoff, then: Score) -> CallFirst:
    """Who asked; else, of those who may be approached, the highest role weight × engagement."""
    group, clock = account.group, max(given.clock, handoff.at)
    if handoff.asker:
        about = _ASKED.get(handoff.code, "us")
        may = group.known.may(handoff.asker, clock, handoff.at)
        return _call(account, handoff.asker, may, f"asked for {about} on {_day(handoff.at)}")
    best, most = "", -1.0
    for contact in sorted({spell.contact for spell in account.spells if spell.until > handoff.at}):
        if group.known.may(contact, handoff.at):
            value = then.of(contact, given.definition.score)
            if value > most:
                best, most = contact, value
    if not best:
        return CallFirst("", "", "", "", "nobody is known who may be approached")
    roles = ", ".join(role.role for role in group.roles.get(best, [])) or "no role known"
    why = f"the most engaged of those who may be approached ({roles}; {most:g} points)"
    return _call(account, best, group.known.may(best, clock), why)


def interests(touches: Iterable[Touched]) -> list[str]:
    """The topics, those with the most touches first; of equal ones the latest."""
    count: dict[str, tuple[int, int]] = {}
    for touched in touches:
        if topic := touched.touch.topic:
            known = count.get(topic, (0, 0))
            count[topic] = (known[0] + 1, touched.at)
    return sorted(count, key=lambda topic: (-count[topic][0], -count[topic][1], topic))[:_INTERESTS]


def _row(account: Account, given: Given, handoff: Handoff) -> HandoffRow:
    journey = account.walked.journeys[handoff.journey - 1]
    last = handoff.outcome
    return HandoffRow(
        handoff_id=handoff_id(given.account, handoff),
        journey=handoff.journey,
        attempt=handoff.attempt,
        at=rfc3339(handoff.at),
        score=handoff.score,
        reasons=[reason.text for reason in _reasons(account, handoff, journey)],
        call_first=call_first(account, given, handoff, _score_then(account, given, handoff)),
        status=handoff.state,
        outcome=last.outcome if last else "",
        outcome_reason=last.reason if last else "",
        outcome_code=last.reason_code if last else "",
        outcome_at=rfc3339(last.at) if last else None,
        outcome_by=last.by if last else "",
        responded_at=rfc3339(handoff.outcomes[0].at) if last else None,
        value=last.value if last else "",
        currency=last.currency if last else "",
        feedback_due=rfc3339(handoff.due(given.definition.handoff.feedback_days)),
        caused_by=[touched.event_id for touched in handoff.news],
    )


def _score_then(account: Account, given: Given, handoff: Handoff) -> Score:
    """Engagement when the hand-off was made."""
    before = [t for t in account.touches if t.at <= handoff.at]
    return score(
        given.definition.score, account.group.known.counted(before), account.group.known.weights, given.day_of
    )


def _reasons(account: Account, handoff: Handoff, journey: Journey) -> list[Reason]:
    reasons = []
    for touched in handoff.news:
        if touched.touch.type in _ASKED:
            who = account.name_of(touched.contact) or "somebody"
            text = f"{who} asked for {_ASKED[touched.touch.type]} on {_day(touched.at)}"
            reasons.append(Reason(touched.touch.type, text, [touched.event_id]))
    if handoff.code == GROUP_READY:
        stages = dict(journey.stages)
        entered = stages.get(journey.stage) or handoff.cause
        text = (
            f"the group compares ({journey.stage} since {_day(entered.at)})"
            f" and is engaged ({handoff.score:g} points on {_day(handoff.at)})"
        )
        reasons.append(Reason(GROUP_READY, text, [entered.event_id, handoff.cause.event_id]))
    before = [one for one in account.desk.made if one.at < handoff.at]
    if before:
        last = before[-1]
        became = f"{last.state}" + (f" on {_day(last.ended_at)}" if last.ended_at is not None else "")
        why = f": {last.outcome.reason}" if last.outcome and last.outcome.reason else ""
        text = f"handed over before, on {_day(last.at)} ({became}{why})"
        reasons.append(Reason("handed_over_before", text, []))
    quiet = _silence_before(account, handoff)
    if quiet >= _LONG:
        text = f"back after {quiet} days of silence"
        reasons.append(Reason("came_back", text, []))
    return reasons


def _silence_before(account: Account, handoff: Handoff) -> int:
    """The longest silence (days) since the hand-off before it, up to the journey's own touches."""
    since = max((one.at for one in account.desk.made if one.at < handoff.at), default=None)
    ended = [
        (s.last_touch_ms, s.ended_at_ms) for s in account.group.rhythm.spells if s.ended_at_ms is not None
    ]
    lengths = [end - last for last, end in ended if end <= handoff.at and (since is None or end > since)]
    return max(lengths, default=0) // DAY_MS


def _members(account: Account, journey: Journey, then: Score) -> list[HandoffMember]:
    group = account.group
    steps = last_steps([journey])
    points: dict[str, float] = {}
    for part in then.parts:
        points[part.contact] = points.get(part.contact, 0.0) + part.points * part.weight
    now = [spell for spell in account.spells if spell.until > journey.last.at]
    now.sort(key=lambda spell: (-points.get(spell.contact, 0.0), spell.contact))
    members: dict[str, HandoffMember] = {}
    for spell in now[:MOST_MEMBERS]:
        contact = spell.contact
        may = group.known.may(contact, journey.last.at)
        first = _call(account, contact, may, "")
        members[contact] = HandoffMember(
            contact=contact,
            name=first.name,
            job_title=account.title_of(contact),
            roles=[role.role for role in group.roles.get(contact, [])],
            stage=spell.stage,
            last_steps=steps.get(contact, []),
            reachable=bool(may),
            email=first.email,
            phone=first.phone,
        )
    return list(members.values())


def last_steps(journeys: Iterable[Journey]) -> dict[str, list[str]]:
    """The last steps of each contact in these journeys, the latest first."""
    taken: dict[str, list[Touched]] = {}
    for journey in journeys:
        for touched in journey.touches:
            if touched.contact:
                taken.setdefault(touched.contact, []).append(touched)
    return {contact: [step(t) for t in reversed(theirs[-_STEPS:])] for contact, theirs in taken.items()}


def step(touched: Touched) -> str:
    """A touch in words.

    >>> from schemas.internal import Mini
    >>> seen = Mini(0, 0, "e1", "web", "price_viewed", 0, 3, "", "pumps", "", "", "web")
    >>> step(Touched(0, "web", "e1", "c1", seen))
    'price viewed, pumps (1970-01-01)'
    """
    topic = f", {touched.touch.topic}" if touched.touch.topic else ""
    return f"{touched.touch.type.replace('_', ' ')}{topic} ({_day(touched.at)})"


def _call(account: Account, contact: str, may: Iterable[str], why: str) -> CallFirst:
    known = account.contacts.get(contact)
    allowed = set(may)
    email = phone = ""
    if known is not None and "email" in allowed:
        addresses = [i for i in known.identifiers if kind_of(i) == "email"]
        firm = {key.partition(":")[2] for key in account.keys}
        addresses.sort(key=lambda i: (i.rpartition("@")[2] not in firm, i))
        email = addresses[0].partition(":")[2] if addresses else ""
    if known is not None and "phone" in allowed:
        phone = known.phones[0].partition(":")[2] if known.phones else ""
    return CallFirst(contact, account.name_of(contact), phone, email, why)


def _earlier(account: Account, given: Given, handoff: Handoff) -> list[Earlier]:
    return [
        Earlier(
            handoff_id=handoff_id(given.account, one),
            at=rfc3339(one.at),
            outcome=one.state,
            reason=one.outcome.reason if one.outcome else "",
        )
        for one in account.desk.made
        if one.at < handoff.at
    ]


def _next_step(handoff: Handoff, first: CallFirst) -> str:
    who = first.name or ("the member" if first.contact else "")
    if not who:
        return "find out who may be approached; nobody has given leave yet"
    by = "call" if first.phone else "write to" if first.email else "reach"
    if handoff.code in _ASKED:
        return f"{by} {who} about {_ASKED[handoff.code]}"
    return f"{by} {who}: the group compares"


def _day(ms: int) -> str:
    return rfc3339(ms)[:10]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
