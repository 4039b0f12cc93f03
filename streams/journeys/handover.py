"""What sales is told of a hand-off: reasons in words, whom to call first, who else is there, what was before.

Contact data (addresses, numbers) only of those who may be approached: a member as consent allows; who asked
for a demo, a quote or a call about that, unless that was withdrawn later.
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any, Final

import msgspec

from schemas.events import CallFirst, HandoffRow
from schemas.handoff import Earlier, HandoffAccount, HandoffMember, Reason
from schemas.internal import kind_of
from schemas.times import DAY_MS, day_text, rfc3339
from streams.journeys import facts
from streams.journeys.account import Account, Given
from streams.journeys.contacts import EVER
from streams.journeys.handoffs import GROUP_READY, OVER, Handoff
from streams.journeys.stages import Touched
from streams.journeys.walk import Journey, Spell

MOST_MEMBERS: Final = 50  # that one hand-off lists, the most engaged first
_STEPS: Final = 3  # last steps shown of a member
_INTERESTS: Final = 5
_ASKED: Final = {"demo_requested": "a demo", "quote_requested": "a quote", "call_requested": "a call"}
_SAID_NO: Final = "and has said no since; nobody else may be approached"
_LONG: Final = 30  # days of silence that are worth telling

_json = msgspec.json.Encoder(order="sorted").encode

DayOf = Callable[[int], int]  # from ms to the number of the day in the tenant's time zone


def handoff_id(account: str, handoff: Handoff) -> str:
    """`<account>.<journey>.<attempt>`."""
    return f"{account}.{handoff.key}"


def rows(account: Account, given: Given) -> list[HandoffRow]:
    """The hand-offs as they now stand, in event time."""
    return [_row(account, given, handoff) for handoff in account.desk.made]


def news(account: Account, given: Given, handoff: Handoff) -> str:
    """A hash of what is worth a message of its own.

    A new request or outcome, another state; as long as it is not over, also another id of the account, whom
    to call and how, and who is there.
    """
    what: list[object] = [handoff.at, handoff.code, handoff.state]
    what += [[touched.event_id for touched in handoff.news], [said.event_id for said in handoff.outcomes]]
    if handoff.state not in OVER:
        first = call_first(account, given, handoff)
        what += [given.account, first.contact, first.phone, first.email]
        what.append(sorted({spell.contact for spell in _there(account, given, handoff)}))
    return blake2b(_json(what), digest_size=8).hexdigest()


def told(account: Account, given: Given, handoff: Handoff) -> dict[str, Any]:
    """What a message on `lead-handoffs` says, for the ledger; `causes` are the events it follows from."""
    journey = account.walked.journeys[handoff.journey - 1]
    first = call_first(account, given, handoff)
    held = facts.used(given.definition.facts, given.account, account.facts, {}, given.clock)
    firm = facts.values(held, given.account)
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
            industry=firm.get("industry", ""),
            employees=facts.count(firm.get("employees", "")),
            country=firm.get("country", ""),
        ),
        "stage": journey.stage,
        "score": handoff.score,
        "reasons": _reasons(account, given, handoff),
        "call_first": first,
        "members": _members(account, given, handoff),
        "contact_points": account.mailboxes,
        "roles_missing": account.group.complete.missing,
        "interests": interests(journey.touches),
        "orders": account.trading.number,
        "revenue": account.trading.revenue,
        "currency": given.definition.orders.currency,
        "assigned_to": account.owner,
        "earlier_handoffs": _earlier(given, handoff),
        "next_step": _next_step(handoff, first),
        "feedback_due": rfc3339(handoff.due(given.definition.handoff.feedback_days)),
    }
    return {"content": msgspec.to_builtins(content), "causes": [touched.event_id for touched in handoff.news]}


def call_first(account: Account, given: Given, handoff: Handoff) -> CallFirst:
    """Who asked; else, of those who may be approached, the highest role weight × engagement then.

    Who asked and has said no to all of it since is named only where nobody else may be approached. Of a
    request without a name it is a mailbox.
    """
    known = account.group.known
    asked = _askers(handoff)
    for contact, request in asked.items():
        ways = known.may(contact, EVER, request.at)
        if ways or not known.refuses(contact, request.at):
            return _call(account, contact, ways, _asked(given, request))
    if handoff.code != GROUP_READY and not asked and account.mailboxes:
        about = f"{_asked(given, handoff.news[-1])}, without a name"
        return CallFirst("", "", "", account.mailboxes[0], about)
    there = {spell.contact for spell in _there(account, given, handoff)}
    open_to = [c for c in known.open_to if c in there and known.consents(c, EVER)]
    # First those of whom an address or a number is known that works.
    found = [(c, known.may(c, EVER)) for c in open_to]
    for contact, ways in sorted(found, key=lambda f: (not f[1], -handoff.shares.get(f[0], 0.0), f[0])):
        roles = ", ".join(role.role for role in account.group.roles.get(contact, [])) or "no role known"
        points = f"{handoff.shares.get(contact, 0.0):g} points"
        how = "" if ways else "; no address or number that works is known here"
        why = f"the most engaged of those who may be approached ({roles}; {points}){how}"
        return _call(account, contact, ways, why)
    if asked:  # named, so that sales knows whose request it was
        contact, request = next(iter(asked.items()))
        return _call(account, contact, (), f"{_asked(given, request)}, {_SAID_NO}")
    return CallFirst("", "", "", "", "nobody is known who may be approached")


def interests(touches: Iterable[Touched]) -> list[str]:
    """The topics, those with the most touches first; of equal ones the latest."""
    count: dict[str, tuple[int, int]] = {}
    for touched in touches:
        if topic := touched.touch.topic:
            known = count.get(topic, (0, 0))
            count[topic] = (known[0] + 1, touched.at)
    return sorted(count, key=lambda topic: (-count[topic][0], -count[topic][1], topic))[:_INTERESTS]


def _row(account: Account, given: Given, handoff: Handoff) -> HandoffRow:
    last = handoff.outcome
    return HandoffRow(
        handoff_id=handoff_id(given.account, handoff),
        journey=handoff.journey,
        attempt=handoff.attempt,
        at=rfc3339(handoff.at),
        score=handoff.score,
        reasons=[reason.text for reason in _reasons(account, given, handoff)],
        call_first=call_first(account, given, handoff),
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


def _there(account: Account, given: Given, handoff: Handoff) -> Iterable[Spell]:
    """Who is there now, or was when it ended."""
    ended = handoff.ended_at
    if ended is None:
        now = max(given.clock, handoff.at)
        return (spell for spell in account.spells if spell.until > now)
    return (s for s in account.spells if (s.appeared or 0) <= ended < s.until)


def _askers(handoff: Handoff) -> dict[str, Touched]:
    """Who asked, the first one first, and the latest request of each."""
    requests = handoff.news[1:] if handoff.code == GROUP_READY else handoff.news
    return {touched.contact: touched for touched in requests if touched.contact}


def _asked(given: Given, request: Touched) -> str:
    return f"asked for {_ASKED.get(request.touch.type, 'it')} on {_day(given, request.at)}"


def _reasons(account: Account, given: Given, handoff: Handoff) -> list[Reason]:
    reasons = []
    for touched in handoff.news:
        if touched.touch.type in _ASKED:
            who = _name(account, touched.contact) or "somebody"
            text = f"{who} asked for {_ASKED[touched.touch.type]} on {_day(given, touched.at)}"
            reasons.append(Reason(touched.touch.type, text, [touched.event_id]))
    if handoff.code == GROUP_READY:
        stage = given.definition.handoff.stage
        journey = account.walked.journeys[handoff.journey - 1]
        entered = dict(journey.stages).get(stage, handoff.cause)
        text = (
            f"the group compares ({stage} since {_day(given, entered.at)})"
            f" and is engaged ({handoff.score:g} points on {_day(given, handoff.at)})"
        )
        shown = [
            t.event_id for t in (entered, handoff.cause) if t.contact not in account.group.known.refusing
        ]
        reasons.append(Reason(GROUP_READY, text, list(dict.fromkeys(shown))))
    if handoff.former is not None:
        reasons.append(Reason("handed_over_before", _before(account, given, handoff.former), []))
    quiet = _silence_before(account, handoff)
    if quiet >= _LONG:
        reasons.append(Reason("came_back", f"back after {quiet} days of silence", []))
    return reasons


def _before(account: Account, given: Given, former: Handoff) -> str:
    """What became of the hand-off before, and who was to be called."""
    became = former.state if former.ended_at is None else f"{former.state} on {_day(given, former.ended_at)}"
    why = f": {former.outcome.reason}" if former.outcome and former.outcome.reason else ""
    first = call_first(account, given, former)
    roles = ", ".join(role.role for role in account.group.roles.get(first.contact, []))
    who = f"; then it was about {first.name}" + (f" ({roles})" if roles else "") if first.name else ""
    return f"handed over before, on {_day(given, former.at)} ({became}{why}){who}"


def _silence_before(account: Account, handoff: Handoff) -> int:
    """The longest silence of the account (days) that ended since the hand-off before it."""
    since = handoff.former.at if handoff.former is not None else -EVER
    lengths = [
        spell.ended_at_ms - spell.last_touch_ms
        for spell in account.group.rhythm.spells
        if spell.ended_at_ms is not None and since < spell.ended_at_ms <= handoff.at
    ]
    return max(lengths, default=0) // DAY_MS


def _members(account: Account, given: Given, handoff: Handoff) -> list[HandoffMember]:
    group, asked = account.group, _askers(handoff)
    steps = last_steps([account.walked.journeys[handoff.journey - 1]], given.day_of)
    there = {spell.contact: spell for spell in _there(account, given, handoff)}
    order = sorted(there, key=lambda contact: (-handoff.shares.get(contact, 0.0), contact))
    members = []
    for contact in order[:MOST_MEMBERS]:
        request = asked.get(contact)
        ways = group.known.may(contact, EVER, request.at if request else None)
        how = _call(account, contact, ways, "")
        members.append(
            HandoffMember(
                contact=contact,
                name=how.name,
                job_title=account.title_of(contact, there[contact]),
                roles=[role.role for role in group.roles.get(contact, [])],
                stage=there[contact].stage,
                last_steps=steps.get(contact, []),
                reachable=bool(ways),
                email=how.email,
                phone=how.phone,
            )
        )
    return members


def last_steps(journeys: Iterable[Journey], day_of: DayOf) -> dict[str, list[str]]:
    """The last steps of each contact in these journeys, the latest first."""
    taken: dict[str, list[Touched]] = {}
    for journey in journeys:
        for touched in journey.touches:
            if touched.contact:
                taken.setdefault(touched.contact, []).append(touched)
    return {
        c: [step(touched, day_of) for touched in theirs[: -_STEPS - 1 : -1]] for c, theirs in taken.items()
    }


def step(touched: Touched, day_of: DayOf) -> str:
    """A touch in words.

    >>> from schemas.internal import Mini
    >>> seen = Mini(0, 0, "e1", "web", "price_viewed", 0, 3, "", "pumps", "", "", "web")
    >>> step(Touched(0, "web", "e1", "c1", seen), lambda at: at // DAY_MS)
    'price viewed, pumps (1970-01-01)'
    """
    topic = f", {touched.touch.topic}" if touched.touch.topic else ""
    return f"{touched.touch.type.replace('_', ' ')}{topic} ({day_text(day_of(touched.at))})"


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
    return CallFirst(contact, _name(account, contact), phone, email, why)


def _earlier(given: Given, handoff: Handoff) -> list[Earlier]:
    """Those before it, in event time."""
    found: list[Earlier] = []
    one = handoff.former
    while one is not None:
        reason = one.outcome.reason if one.outcome else ""
        found.append(Earlier(handoff_id(given.account, one), rfc3339(one.at), one.state, reason))
        one = one.former
    return found[::-1]


def _next_step(handoff: Handoff, first: CallFirst) -> str:
    who = first.name or ("the member" if first.contact else first.email)
    if not who or first.why.endswith(_SAID_NO):
        return "find out who may be approached; nobody has given leave yet"
    by = "call" if first.phone else "write to" if first.email else "reach"
    request = _askers(handoff).get(first.contact)
    about = request.touch.type if request else handoff.code
    if about in _ASKED:
        return f"{by} {who} about {_ASKED[about]}"
    return f"{by} {who}: the group compares"


def _name(account: Account, contact: str) -> str:
    """The contact's name; not where an address was told for one: that is contact data."""
    name = account.name_of(contact)
    return "" if "@" in name else name


def _day(given: Given, at: int) -> str:
    return day_text(given.day_of(at))
