"""Whatever the order, repetition, batch cuts and restarts: what holds in the end is what naive rules say."""

from itertools import combinations, pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.internal import MACHINE, PERSON, AccountRecord, Fact, Mini, Snapshot, Tick
from schemas.times import rfc3339
from streams.core import Output
from streams.journeys.ledger import NUMBERED
from streams.session import pack_version
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    START,
    Driven,
    events,
    everything,
    folded,
    fragment,
    gone,
    of,
    profiles,
    touch,
)

CONSIDERATION = {"catalogue_requested", "sample_requested", "account_registered"}
EVALUATION = {"demo_requested", "quote_requested", "call_requested", "meeting_held"}
AFTER_SALES = {"app_used", "support_contacted", "faq_viewed", "howto_viewed", "review_posted"}
ORDERS = {"order_placed", "subscription_started"}
MOMENTS = {
    "catalogue_request": {"catalogue_requested"},
    "sample_request": {"sample_requested"},
    "account_creation": {"account_registered"},
    "first_order": ORDERS,
}
NAMES = ["awareness", "consideration", "evaluation", "purchase", "experience", "loyalty"]
STRENGTH = ["contact_id", "user_id", "email", "phone", "anonymous_id", "device_id", "account_id", "domain"]
OWNERS = {  # fragment -> whose it is
    "contact_id:7": "jane",
    "email:jane@acme.nl": "jane",
    "email:bram@acme.nl": "bram",
    "anonymous_id:c1": "bram",
    "domain:acme.nl": "",
}

touches = st.builds(
    lambda day, type, topic, number, order, actor: touch(
        START + day * 15 * DAY,
        type,
        topic=topic,
        event_id=f"e{number}-{type}",
        order=order,
        actor=actor,
    ),
    st.integers(0, 40),
    st.sampled_from(
        (
            *("page_viewed", "email_opened", "content_downloaded", "content_downloaded", "howto_viewed"),
            *("catalogue_requested", "account_registered", "quote_requested", "order_placed", "order_placed"),
        )
    ),
    st.sampled_from(["", "a", "b", "c"]),
    st.integers(0, 9),
    st.sampled_from(["", "o1", "o2"]),
    st.sampled_from([PERSON] * 9 + [MACHINE]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """All versions of all fragments of an account."""
    snapshots = []
    for identifier, owner in OWNERS.items():
        for seq in range(1, 1 + draw(st.integers(0, 3))):
            if draw(st.integers(0, 5)) == 0:
                snapshots.append(gone(identifier, seq))
                continue
            unique = {t.event_id: t for t in draw(st.lists(touches, max_size=6))}
            until = START + 300 * DAY if owner == "jane" and draw(st.booleans()) else None
            facts = {"name": Fact(3, START, "web", f"{owner} {seq}")}
            snapshots.append(
                fragment(identifier, of(owner, *unique.values(), until=until), seq=seq, facts=facts)
            )
    return snapshots


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Snapshot], list[list[Snapshot]], list[bool], list[int]]:
    """Histories, batches of them (shuffled, some twice), where to restart, the clock after each batch."""
    history = draw(histories())
    twice = draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    order = draw(st.permutations(history + twice))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=5)))
    batches = [order[a:b] for a, b in pairwise([0, *cuts, len(order)])]
    restarts = draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    clock = draw(st.lists(st.integers(0, 900), min_size=len(batches), max_size=len(batches)))
    return history, batches, restarts, sorted(clock)


@settings(max_examples=150, deadline=None)
@given(deliveries(), st.booleans(), st.integers(900, 1000))
def test_folded_outputs_are_those_of_a_naive_recomputation(delivery, live: bool, end: int):
    history, batches, restarts, clock = delivery
    driven = Driven(live=live)
    now = START
    for batch, restart, days in zip(batches, restarts, clock, strict=True):
        now += 1_500
        driven.feed(*batch, now=now)
        if restart:
            driven = driven.restarted()
        ticks = Tick(0, START + days * DAY, 0)
        if live:
            driven.feed(ticks, now=now)
        else:
            driven.drain(START + days * DAY, now)
    driven.feed(Tick(0, START + end * DAY, driven.drains + 1), now=now + 10_000)
    driven.feed(now=now + 20_000)

    latest: dict[str, Snapshot] = {}
    for snapshot in history:
        latest[snapshot.identifier] = snapshot  # versions ascend
    touched = naive_touches(latest)
    found = {
        (kind, key): (time, ... if kind == "moment" else contact)
        for (_, kind, key), (time, _, contact) in folded(driven.sent, events).items()
    }
    assert found == naive(touched, latest, START + end * DAY)

    again = Driven()  # in one piece: causes are the same too
    again.feed(*latest.values())
    again.drain(START + end * DAY)
    assert folded(again.sent) == folded(driven.sent)
    assert [content(p) for p in profiles(again.sent)][-1:] in (
        [],
        [content(p) for p in profiles(driven.sent)][-1:],
    )
    for profile in profiles(driven.sent)[-1:]:
        assert profile["touches"] == len(touched)
        assert profile["gone"] is all(s.withdrawn for s in latest.values())


@settings(max_examples=100, deadline=None)
@given(histories(), st.lists(st.booleans(), min_size=5, max_size=5), st.booleans(), st.integers(0, 1000))
def test_what_two_accounts_told_that_become_one_is_what_one_account_tells(
    history: list[Snapshot], here: list[bool], back: bool, end: int
):
    latest = {snapshot.identifier: snapshot for snapshot in history}
    going = {identifier for identifier, stays in zip(OWNERS, here, strict=True) if not stays}
    driven = Driven()
    for snapshot in latest.values():
        driven.feed(other(snapshot) if snapshot.identifier in going else snapshot)
    driven.drain(START + end * DAY)
    version = pack_version(1, 1, 50)
    asked = []
    for identifier in sorted(going & latest.keys(), reverse=back):
        moved = msgspec.structs.replace(latest[identifier], version=version)
        if not moved.withdrawn:
            moved.predecessors = {"aother": version}
        left = other(gone(identifier, 50))
        left.successors = [] if moved.withdrawn else [ACCOUNT]
        asked += driven.feed(left, moved)
    driven.drain(START + end * DAY)
    answers = [o.value or b"" for o in asked if o.topic == topics.RECORDS.name]
    driven.feed(*map(msgspec.msgpack.Decoder(AccountRecord).decode, answers))
    driven.drain(START + end * DAY)

    alone = Driven()
    alone.feed(*latest.values())
    alone.drain(START + end * DAY)
    assert read(driven.sent) == folded(alone.sent)
    shown = {p["subject"]: content(p) for p in profiles(driven.sent)}
    expected = {p["subject"]: content(p) for p in profiles(alone.sent)}
    assert shown.get(ACCOUNT) == expected.get(ACCOUNT) or shown[ACCOUNT]["gone"]
    assert shown.get("aother", {}).get("gone", True)


def other(snapshot: Snapshot) -> Snapshot:
    return msgspec.structs.replace(snapshot, account="aother")


def read(outputs: list[Output]) -> dict[tuple[str, str, str], Any]:
    """What holds, as `docs/journeys.md` says: what `from` told counts for `into`, which has the last word."""
    said = {(e["subject"], e["kind"], e["natural_key"]) for e in everything(outputs)}
    merged = [e["details"] for e in events(outputs) if e["type"] == "account_merged"]
    journeys = {origin: into for details in merged for origin, into in details["journeys"].items()}
    held: dict[tuple[str, str, str], Any] = {}
    told = [
        each for each in folded(outputs).items() if each[0][1] not in ("account_change", "contact_change")
    ]
    for (subject, kind, key), value in sorted(told, key=lambda each: each[0][2].zfill(40)):
        if subject == ACCOUNT or not merged:
            held[subject, kind, key] = value
            continue
        number, slash, item = key.partition("/")
        into = journeys.get(f"{subject}.{number}", "").partition(".")[2]
        here = key if kind not in NUMBERED else f"{into}{slash}{item}" if into else ""
        if here and (ACCOUNT, kind, here) not in said:
            held.setdefault((ACCOUNT, kind, here), value)
    return held


def content(profile: dict[str, Any]) -> dict[str, Any]:
    loose = {"id", "emitted_at", "version"} | ({"occurred_at"} if profile["last_seen"] is None else set())
    for journey in profile["journeys"]:
        for stage in journey["stages"]:
            stage.pop("corrected", None)  # tells what was told before
    profile["handoffs"] = [h for h in profile["handoffs"] if h["status"] != "withdrawn"]  # likewise
    return {name: value for name, value in profile.items() if name not in loose}


# ---- the rules once more, by brute force


def naive_touches(latest: dict[str, Snapshot]) -> list[tuple[Mini, str]]:
    taken: dict[tuple[str, str], tuple[Mini, str]] = {}
    for identifier in sorted(latest, key=lambda i: (STRENGTH.index(i.partition(":")[0]), i)):
        for part in latest[identifier].parts:
            for one in part.touches:
                taken.setdefault((one.source, one.event_id), (one, part.contact))
    return sorted(taken.values(), key=lambda pair: pair[0].at)


def naive(touched: list[tuple[Mini, str]], latest: dict[str, Snapshot], clock: int) -> dict[Any, Any]:
    held: dict[Any, Any] = {}
    alive = [(t, c) for t, c in touched if t.actor == PERSON and t.type != "email_opened"]
    journeys: list[list[tuple[Mini, str]]] = []
    for pair in alive:
        if not journeys or pair[0].at - journeys[-1][-1][0].at > 180 * DAY:
            journeys.append([])
        journeys[-1].append(pair)
    for number, journey in enumerate(journeys, 1):
        first, last = journey[0][0].at, journey[-1][0].at
        held["journey", f"{number}"] = (rfc3339(first), None)
        if clock > last + 180 * DAY or number < len(journeys):
            held["journey_end", f"{number}"] = (rfc3339(last + 180 * DAY), None)
        complete = naive_stages(journey)
        for stage, at in complete.items():
            further = [complete[s] for s in NAMES[NAMES.index(stage) + 1 :] if s in complete]
            if any(other < at for other in further):
                held["moment", f"{number}/{stage}"] = (rfc3339(at), ...)
            else:
                held["stage", f"{number}/{stage}"] = (rfc3339(at), None)
        order = min((t.at for t, _ in journey if t.type in ORDERS), default=None)
        moments = {name: [t for t, _ in journey if t.type in types] for name, types in MOMENTS.items()}
        moments["first_after_sales"] = [
            t for t, _ in journey if t.type in AFTER_SALES and order is not None and t.at > order
        ]
        for name, those in moments.items():
            if those:
                held["moment", f"{number}/{name}"] = (rfc3339(min(t.at for t in those)), ...)
    for contact in ("jane", "bram"):
        parts = [p for s in latest.values() for p in s.parts if p.contact == contact]
        strong = [p for i, s in latest.items() if i[0] != "a" for p in s.parts if p.contact == contact]
        seen = [t.at for t, c in touched if c == contact and t.actor == PERSON]
        if parts and seen:
            held["member", f"{contact}/1"] = (rfc3339(min(seen)), contact)
            if strong and all(p.until for p in strong):
                held["member_end", f"{contact}/1"] = (rfc3339(max(p.until or 0 for p in strong)), contact)
    return held


def naive_stages(journey: list[tuple[Mini, str]]) -> dict[str, int]:
    """When the first clause of each stage is complete."""
    orders: dict[str, int] = {}
    for t, _ in journey:
        if t.type in ORDERS:
            orders.setdefault(t.order or t.event_id, t.at)
    later = sorted(orders.values())
    found = {
        "awareness": [journey[0][0].at],
        "consideration": naive_consideration(journey),
        "evaluation": [t.at for t, _ in journey if t.type in EVALUATION] + naive_together(journey),
        "purchase": later[:1],
        "experience": [t.at for t, _ in journey if t.type in AFTER_SALES and later and t.at > later[0]],
        "loyalty": later[2:3] if len(later) > 2 and later[2] - later[0] <= 365 * DAY else [],
    }
    return {stage: min(times) for stage, times in found.items() if times}


def naive_consideration(journey: list[tuple[Mini, str]]) -> list[int]:
    times = [t.at for t, _ in journey if t.type in CONSIDERATION]
    downloads = [t.at for t, _ in journey if t.type == "content_downloaded"]
    times += [b for a, b in combinations(downloads, 2) if b - a <= 30 * DAY]
    for three in combinations([t for t, _ in journey if t.topic], 3):
        if len({t.topic for t in three}) == 3 and three[2].at - three[0].at <= 30 * DAY:
            times.append(three[2].at)
    return times


def naive_together(journey: list[tuple[Mini, str]]) -> list[int]:
    since: dict[str, int] = {}
    for contact in {c for _, c in journey if c}:
        own = [(t, c) for t, c in journey if c == contact]
        reached = naive_consideration(own) + [t.at for t, _ in own if t.type in EVALUATION | ORDERS]
        if reached:
            since[contact] = min(reached)
    return [
        t.at
        for a, b in combinations(since, 2)
        for t, c in journey
        if c in (a, b)
        and t.at >= max(since[a], since[b])
        and any(o.at <= t.at <= o.at + 30 * DAY for o, d in journey if d in (a, b) and d != c)
    ]
