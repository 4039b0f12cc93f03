"""Whatever the order, repetition, batch cuts and restarts: what holds in the end is what naive rules say."""

from itertools import combinations, pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.internal import MACHINE, PERSON, AccountRecord, Command, Fact, Mini, Outcome, Snapshot, Tick
from schemas.times import rfc3339
from streams.core import Output
from streams.definition import default
from streams.journeys.ledger import NUMBERED
from streams.session import pack_version
from tests.unit.test_journeys_given import (
    ACCOUNT,
    DAY,
    KEY_OF,
    START,
    TENANT,
    Driven,
    command,
    events,
    everything,
    folded,
    fragment,
    gone,
    of,
    outcome,
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
BUYS = {"price_viewed", "quote_requested", "order_placed"}
ENDS = {"won", "lost", "recycled"}
FURTHER = {  # state -> what can be said then; the same again can always
    "open": {"accepted", "rejected", "working", *ENDS},
    "accepted": {"rejected", "working", *ENDS},
    "working": ENDS,
    "rejected": set(),
    "won": set(),
    "lost": set(),
    "recycled": set(),
    "expired": set(),
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
        START + int(day * 15 * DAY),
        type,
        topic=topic,
        event_id=f"e{number}-{type}",
        order=order,
        actor=actor,
    ),
    st.integers(0, 40) | st.sampled_from([5, 5.1, 5.2, 20, 20.5]),
    st.sampled_from(
        (
            *("page_viewed", "email_opened", "content_downloaded", "content_downloaded", "howto_viewed"),
            *("catalogue_requested", "account_registered", "quote_requested", "order_placed", "order_placed"),
            *("quote_requested", "quote_requested"),
            *("meeting_held", "meeting_held", "meeting_held"),
        )
    ),
    st.sampled_from(["", "a", "b", "c"]),
    st.integers(0, 9),
    st.sampled_from(["", "o1", "o2"]),
    st.sampled_from([PERSON] * 9 + [MACHINE]),
)


moments = st.builds(
    lambda day, later: START + day * 15 * DAY + later, st.integers(0, 45), st.sampled_from([0, DAY, 40 * DAY])
)


def outcomes(asked: list[int]) -> st.SearchStrategy[Outcome]:
    """Outcomes, most of them soon after something was asked for."""
    soon = st.builds(
        int.__add__, st.sampled_from(asked or [START]), st.sampled_from([0, DAY, 6 * DAY, 99 * DAY])
    )
    return st.builds(
        lambda kind, at, name, number: outcome(kind, at, name, event_id=f"o{number}"),
        st.sampled_from(["accepted", "working", "rejected", "recycled", "won", "won", "lost", "lost"]),
        soon | soon | moments,
        st.sampled_from(["", "", "", f"{ACCOUNT}.1.1", f"{ACCOUNT}.2.1", "aother.1.1"]),
        st.integers(0, 99),
    )


closings = st.builds(
    lambda at, number: command("close_journey", at, event_id=f"c{number}"), moments, st.integers(0, 9)
)
TITLES = {"jane": "directeur", "bram": "inkoper"}


@st.composite
def saying(draw: st.DrawFn, snapshot: Snapshot, owner: str, asked: list[int]) -> Snapshot:
    """The snapshot with titles and words of its person, or with what is said of the account.

    `asked`: when something was asked for, ms.
    """
    if snapshot.identifier.startswith("email"):
        words = sorted(
            draw(st.lists(st.tuples(moments, st.booleans()), max_size=2, unique_by=lambda w: w[0]))
        )
        if draw(st.booleans()):  # a day of meetings, of somebody who may be approached
            day = draw(moments)
            held = [touch(day + i, "meeting_held", event_id=f"{owner}{day}-{i}") for i in range(3)]
            snapshot.parts[0].touches.extend(held)
            asked.append(day)
            words = [(START - DAY, True), *words]
        snapshot.words = {"email": words} if words else {}
        if draw(st.booleans()):
            snapshot.history = {"job_title": [Fact(3, START - DAY, "web", TITLES[owner])]}
        if draw(st.integers(0, 7)) == 0:
            snapshot.facts["consent.profiling"] = Fact(3, START, "web", False)
    if snapshot.identifier.startswith("domain"):
        snapshot.outcomes = draw(st.lists(outcomes(asked), max_size=5, unique_by=lambda said: said.event_id))
        snapshot.commands = draw(st.lists(closings, max_size=1))
    return snapshot


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    """All versions of all fragments of an account."""
    snapshots = []
    asked: list[int] = []
    for identifier, owner in OWNERS.items():
        for seq in range(1, 1 + draw(st.integers(0, 3))):
            if draw(st.integers(0, 5)) == 0:
                snapshots.append(gone(identifier, seq))
                continue
            unique = {t.event_id: t for t in draw(st.lists(touches, max_size=6))}
            until = START + 300 * DAY if owner == "jane" and draw(st.booleans()) else None
            facts = {"name": Fact(3, START, "web", f"{owner} {seq}")}
            told = fragment(identifier, of(owner, *unique.values(), until=until), seq=seq, facts=facts)
            asked += [t.at for t in unique.values() if t.type in ("quote_requested", "meeting_held")]
            snapshots.append(draw(saying(told, owner, asked)))
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
    driven.failing = True  # some outcomes are refused
    now = START
    for batch, restart, days in zip(batches, restarts, clock, strict=True):
        now += 1_500
        driven.feed(*batch, now=now)
        if restart:
            driven = driven.restarted()
            driven.failing = True
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
    walk = Naive(touched, latest, START + end * DAY)
    assert found == naive(touched, latest, walk)
    assert naive_handoffs(driven.sent) == walk.handoffs
    told = {key: at for (_, kind, key), (at, *_) in folded(driven.sent).items() if kind == "handoff"}
    assert told == {f"{one[0]}/{one[1]}": one[2] for one in walk.handoffs}
    value = driven.rows.get(KEY_OF(TENANT, "account", ACCOUNT), b"letters")
    letters = {(said[0][2], said[1]) for said in msgspec.msgpack.decode(value or b"\x90")}
    assert letters == {
        (said.event_id, reason)
        for said, reason in walk.refused
        if not live or reason != "no_handoff" or START + end * DAY > said.at + DAY
    }

    again = Driven()  # in one piece: causes are the same too
    again.failing = True
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
    driven.failing = True
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
    alone.failing = True
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
    all_told = everything(outputs)
    said = {(e["subject"], e["kind"], e["natural_key"]) for e in all_told}
    # What is corrected under another key does not hold under its own.
    corrected = {e["corrects"] for e in all_told if e["subject"] == ACCOUNT and "corrects" in e}
    last = {(e["subject"], e["kind"], e["natural_key"]): e["id"] for e in all_told}
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
        if here and (ACCOUNT, kind, here) not in said and last[subject, kind, key] not in corrected:
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


class Naive:
    """Journeys and hand-offs, event by event, every number counted anew each time."""

    def __init__(self, touched: list[tuple[Mini, str]], latest: dict[str, Snapshot], clock: int) -> None:
        self.latest = latest
        self.journeys: list[list[tuple[Mini, str]]] = []
        self.ends: list[int | None] = []
        self.handoffs: list[list[Any]] = []  # journey, attempt, at, state, outcome
        self.refused: list[tuple[Outcome, str]] = []
        self.current: list[Any] | None = None
        self.newest: list[tuple[Mini, str]] = []  # touches since the last hand-off ended
        refuses = [o for i, o in OWNERS.items() if i in latest and "consent.profiling" in latest[i].facts]
        alive = [(t, c) for t, c in touched if t.actor == PERSON and t.type != "email_opened"]
        self.weights = {
            c: max(
                [1.5] * (c == "jane" and self.titled(c))
                + [1.3] * (c == "bram" and self.titled(c))
                + [
                    1.3
                    for t, o in touched
                    if o and o == c not in refuses and t.actor == PERSON and t.type in BUYS
                ]
                + [1.0]
            )
            for c in ("jane", "bram", "")
        }
        domain = latest.get("domain:acme.nl")
        said = [*domain.outcomes, *domain.commands] if domain else []
        events = [(t.at, 0, t.source, t.event_id, (t, c)) for t, c in alive]
        events += [(s.at, 1 + isinstance(s, Command), "", s.event_id, s) for s in said]
        for at, order, _, _, event in sorted(events, key=lambda e: e[:4]):
            self.pass_gap(at if order == 0 else min(at, clock))
            if order == 0:
                self.touch(*event, refuses=event[1] in refuses)
            elif order == 1:
                self.hear(event)
            elif self.lasts:
                self.end(at)
        self.pass_gap(clock)

    @property
    def lasts(self) -> bool:
        return bool(self.ends) and self.ends[-1] is None

    def titled(self, contact: str) -> bool:
        return any("job_title" in s.history for i, s in self.latest.items() if OWNERS[i] == contact)

    def pass_gap(self, at: int) -> None:
        if self.lasts and at > self.journeys[-1][-1][0].at + 180 * DAY:
            self.end(self.journeys[-1][-1][0].at + 180 * DAY)

    def end(self, at: int) -> None:
        self.ends[-1] = at
        self.over("expired")

    def over(self, state: str) -> None:
        if self.current is not None:
            self.current[3] = state
            self.current = None
            self.newest = []

    def touch(self, touch: Mini, contact: str, *, refuses: bool) -> None:
        if not self.lasts:
            self.journeys.append([])
            self.ends.append(None)
        self.journeys[-1].append((touch, contact))
        if refuses:
            return
        self.newest.append((touch, contact))
        stages = naive_stages(self.journeys[-1])
        compares = max(stages, key=NAMES.index) == "evaluation"
        wanted = compares and self.points(touch.at) >= 40 and self.anybody(touch.at)
        if self.current is None and (touch.type == "quote_requested" or wanted):
            number = len(self.journeys)
            attempt = 1 + sum(one[0] == number for one in self.handoffs)
            self.current = [number, attempt, rfc3339(touch.at), "open", ""]
            self.handoffs.append(self.current)

    def hear(self, said: Outcome) -> None:
        account, _, name = said.handoff.partition(".")
        named = [h for h in self.handoffs if account == ACCOUNT and f"{h[0]}.{h[1]}" == name]
        one = named[0] if named else self.current
        if one is None:
            self.refused.append((said, "no_handoff"))
        elif said.outcome not in FURTHER[one[3]] and said.outcome != one[3]:
            self.refused.append((said, "impossible_outcome"))
        else:
            one[4] = said.outcome
            standing, one[3] = one is self.current, said.outcome
            if standing and said.outcome in ("rejected", "won", "lost", "recycled"):
                self.over(said.outcome)
                if said.outcome == "lost":
                    self.end(said.at)

    def points(self, at: int) -> float:
        days: dict[tuple[int, str], float] = {}
        for seen, contact in self.newest:
            key = (seen.at // DAY, contact)
            days[key] = min(40, days.get(key, 0) + default().score.points.get(seen.type, 0))
        return round(
            sum(p * self.weights[c] * 0.5 ** ((at // DAY - d) / 14) for (d, c), p in days.items()), 2
        )

    def anybody(self, at: int) -> bool:
        for contact in ("jane", "bram"):
            mail = self.latest.get(f"email:{contact}@acme.nl")
            words = [given for when, given in mail.words.get("email", ()) if when <= at] if mail else []
            untils = [
                p.until
                for i, s in self.latest.items()
                if i[0] != "a"
                for p in s.parts
                if p.contact == contact
            ]
            here = None in untils or at < max(untils, default=0)
            if words and words[-1] and here:
                return True
        return False


def naive_handoffs(sent: list[Output]) -> list[list[Any]]:
    rows = [p["handoffs"] for p in profiles(sent)][-1:]
    return [
        [row["journey"], row["attempt"], row["at"], row["status"], row["outcome"]]
        for row in (rows[0] if rows else [])
        if row["status"] != "withdrawn"
    ]


def naive(touched: list[tuple[Mini, str]], latest: dict[str, Snapshot], walk: Naive) -> dict[Any, Any]:
    held: dict[Any, Any] = {}
    for number, (journey, end) in enumerate(zip(walk.journeys, walk.ends, strict=True), 1):
        first = journey[0][0].at
        held["journey", f"{number}"] = (rfc3339(first), None)
        if end is not None:
            held["journey_end", f"{number}"] = (rfc3339(end), None)
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
