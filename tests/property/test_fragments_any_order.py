"""FRAGMENTS: whatever the order, repetition, cut or crash, the same rows and the same folded outputs."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identity import MapRow, Period, Span
from schemas.internal import (
    BARELY,
    Command,
    Employed,
    Link,
    Mini,
    Outcome,
    Owner,
    Owns,
    Profiling,
    Snapshot,
    Tick,
    Told,
    Touch,
)
from schemas.keys import erased_name, event_key, hasher, identifier_key
from schemas.times import DAY_MS, from_rfc3339, rfc3339
from streams.core import Output, Record, StepConfig
from streams.fragments import row
from streams.fragments.row import Fragment
from streams.fragments.statements import Statement, moments, statements
from streams.fragments.step import Fragments
from streams.fragments.thinning import Level, settle
from streams.session import Session, Work

KEY_OF = hasher("secret")
CONFIG = StepConfig(partition=0, partitions=2, generation=0, key_of=KEY_OF)
START = 1_735_689_600_000  # 2025-01-01
PACK = msgspec.msgpack.Encoder().encode
STATED = msgspec.msgpack.Decoder(Statement)
SENT = msgspec.msgpack.Decoder(Snapshot | Tick)

Message = Touch | Owner | Told | Tick | Outcome | Command | MapRow

STRONG = ["contact_id:1", "user_id:u", "email:a@x.nl"]
WEAK = ["phone:+31201234567", "anonymous_id:c"]
KEYS = ["account_id:7", "domain:x.nl"]
ISSUED = "journeys_account_id:a0123456789abcde"
TIMES = st.integers(0, 8).map(lambda n: START + n * DAY_MS // 3)
CONSENT = st.dictionaries(st.sampled_from(["email", "profiling"]), st.booleans(), min_size=1)
FACTS = st.dictionaries(st.sampled_from(["name", "job_title"]), st.sampled_from(["a", "b", 1]), max_size=2)


def subsets(values: list[str]) -> st.SearchStrategy[list[str]]:
    """In the order of strength."""
    return st.sets(st.sampled_from(values)).map(lambda chosen: [v for v in values if v in chosen])


@st.composite
def touches(
    draw: st.DrawFn,
    strongs: st.SearchStrategy[list[str]],
    weaks: st.SearchStrategy[list[str]],
    tenants: st.SearchStrategy[str],
) -> Touch:
    strong, weak, keys = draw(strongs), draw(weaks), draw(subsets(KEYS))
    kind = draw(st.sampled_from(["page_viewed", "order_placed", "identified", "consent_given"]))
    digest = draw(st.integers(0, 2))
    worth = {"order_id": "1", "order_namespace": "n", "value": str(digest)}
    return Touch(
        tenant=draw(tenants),
        source=draw(st.sampled_from(["web", "crm"])),
        event_id=draw(st.sampled_from("abc")),
        type=kind,
        type_name="",
        occurred_at=draw(TIMES),
        digest=digest,
        identifier=(strong + weak + keys + [""])[0],
        account=keys[0] if keys else "",
        strong=strong,
        weak=weak,
        actor=draw(st.sampled_from([0, 0, 2])),
        channel="",
        rank=draw(st.sampled_from([1, 3])),
        # One digest, one content: what the digest covers must follow from it.
        content={},
        commerce=worth if kind == "order_placed" else {},
        lines=[],
        campaign={},
        contact=draw(FACTS),
        organisation=draw(FACTS),
        consent=draw(CONSENT) if kind == "consent_given" else {},
        extra={},
    )


def with_true_digest(touch: Touch) -> Touch:
    """A copy has the digest of its content, as INGEST computes it."""
    content = (touch.type, touch.actor, touch.rank, touch.account, touch.digest, *touch.strong)
    touch.digest = int.from_bytes(KEY_OF(*map(str, content))[:7], "big")
    return touch


def owners(weak: list[str], strong: list[str]) -> st.SearchStrategy[Owner]:
    return st.builds(Owner, st.just("t"), st.sampled_from(weak), st.sampled_from(strong), TIMES)


tolds = st.builds(
    lambda keys, source, rank, at, facts: Told("t", keys[0], keys, source, rank, at, facts),
    subsets(KEYS).filter(bool),
    st.sampled_from(["erp", "crm"]),
    st.sampled_from([1, 2, 3]),
    TIMES,
    FACTS,
)
outcomes = st.builds(
    lambda event_id, what, account, at: Outcome("t", event_id, what, "", [account], *[""] * 4, at, ""),
    st.sampled_from("ab"),
    st.sampled_from(["lost", "won"]),
    st.sampled_from([*KEYS, ISSUED]),
    TIMES,
)
commands = st.builds(
    lambda event_id, account, at: Command(
        "t", event_id, "assign_role", [account], [STRONG[2]], "user", *[""] * 3, at, ""
    ),
    st.sampled_from("ab"),
    st.sampled_from([*KEYS, ISSUED]),
    TIMES,
)
ticks = st.builds(Tick, st.integers(0, 1), TIMES, st.integers(0, 2))
ids = st.sampled_from(["1", "2", "3", None])
spans = st.lists(
    st.tuples(st.none() | TIMES, ids, ids, st.booleans()), max_size=3, unique_by=lambda span: span[0]
).map(
    lambda drawn: [
        Span(
            None if at is None else rfc3339(at), contact and f"c{contact}", account and f"a{account}", placed
        )
        for at, contact, account, placed in sorted(drawn, key=lambda span: span[0] or 0)
    ]
)
periods = st.lists(
    st.tuples(st.none() | TIMES, TIMES).filter(lambda each: (each[0] or 0) < each[1]), max_size=2
)


def maps(identifiers: list[str], strong: list[str]) -> st.SearchStrategy[MapRow]:
    return st.builds(
        lambda identifier, spans, accounts, places, periods, forgotten: MapRow(
            "t",
            identifier,
            (0, 0, 0),
            spans,
            accounts,
            places,
            [Period(None if since is None else rfc3339(since), rfc3339(until)) for since, until in periods],
            {KEY_OF("t", name).hex(): rfc3339(until) for name, until in forgotten.items()},
        ),
        st.sampled_from(identifiers),
        spans,
        st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a1", "a2"])),
        st.dictionaries(st.just("domain:x.nl"), st.sampled_from(["a1", "a3"])),
        st.just([]) | periods,
        st.just({}) | st.dictionaries(st.sampled_from(strong), TIMES, max_size=2),
    )


def versioned(messages: list[Message]) -> list[Message]:
    """IDENTITY never gives one version twice, and what is erased stays so.

    Strong identifiers are erased from the beginning, weak ones also in periods, account keys not at all. What
    is erased altogether may have lost its name.
    """
    erased: dict[str, set[Period]] = {}
    forgotten: dict[str, dict[str, str]] = {}
    for seq, message in enumerate(messages):
        if not isinstance(message, MapRow):
            continue
        message.version = (0, 1, seq)
        name = message.identifier
        if name not in WEAK:
            message.erased = [Period(None, each.until) for each in message.erased if name in STRONG]
        message.erased = sorted(erased.setdefault(name, set()).union(message.erased), key=str)
        erased[name].update(message.erased)
        before = forgotten.setdefault(name, {})
        before |= {key: max(until, before.get(key, until)) for key, until in message.forgotten.items()}
        message.forgotten = dict(before)
        if any(each.since is None for each in message.erased) and seq % 2:
            message.identifier = erased_name(KEY_OF("t", name))
    return messages


def key_of_map(message: MapRow) -> bytes:
    return identifier_key(KEY_OF, message.tenant, message.identifier)


def latest_maps(messages: Sequence[Message]) -> dict[bytes, MapRow]:
    """The map rows that hold, by the key of the identifier."""
    latest: dict[bytes, MapRow] = {}
    for each in messages:
        if isinstance(each, MapRow):
            key = key_of_map(each)
            latest[key] = max(each, latest.get(key, each), key=lambda one: one.version)
    return latest


def floor(mapped: MapRow | None) -> int:
    """Up to before when (ms) the identifier of a map row is erased."""
    untils = [each.until or "" for each in mapped.erased if each.since is None] if mapped else []
    return max(map(from_rfc3339, untils), default=0)


def is_erased(mapped: MapRow | None, at: int) -> bool:
    if mapped is None or at == BARELY:
        return False
    said = rfc3339(at)  # of one length: texts compare as times
    return any((p.since or "") <= said < (p.until or "") for p in mapped.erased)


CRM, MAIL, COOKIE = STRONG[0], STRONG[2], WEAK[1]
mixed = st.one_of(
    touches(subsets(STRONG), subsets(WEAK), st.sampled_from(["t", "t", "u"])).map(with_true_digest),
    owners(WEAK, STRONG),
    tolds,
    ticks,
    outcomes,
    commands,
    maps([*STRONG, *WEAK, *KEYS, ISSUED], STRONG),
)
# Two fragments of which much is said and erased: few of the messages above ever meet in one row.
dense = st.one_of(
    touches(st.sampled_from([[CRM], [CRM, MAIL]]), st.just([]), st.just("t")).map(with_true_digest),
    touches(st.just([]), st.just([COOKIE]), st.just("t")).map(with_true_digest),
    owners([COOKIE], [CRM, MAIL]),
    maps([CRM, COOKIE], [CRM, MAIL]),
)
decided = st.one_of(outcomes, commands, tolds, ticks, maps([KEYS[0], ISSUED], STRONG))
inputs = st.one_of(
    st.lists(mixed, max_size=30),
    st.lists(dense, min_size=4, max_size=20),
    st.lists(decided, min_size=4, max_size=20),
).map(versioned)


def record(message: Message) -> Record:
    if isinstance(message, MapRow):
        return Record("identity-map", 0, 0, 0, key_of_map(message), msgspec.json.encode(message))
    about: tuple[str, ...] = ("nobody",)
    if isinstance(message, Touch):
        about = (message.tenant, message.identifier)
    elif isinstance(message, Owner):
        about = (message.tenant, message.weak)
    elif isinstance(message, Told):
        about = (message.tenant, message.account)
    elif isinstance(message, Outcome | Command):
        about = (message.tenant, message.account[0])
    return Record("touchpoints.valid", 0, 0, 0, KEY_OF(*about), PACK(message))


@dataclass
class World:
    """Sessions one after the other over one changelog, and everything that reached the topics."""

    changelog: list[tuple[bytes, bytes]] = field(default_factory=list)
    sent: list[Output] = field(default_factory=list)
    epoch: int = 0
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new session: rows read back, outputs owed sent."""
        self.epoch += 1
        self.session = Session(Fragments(CONFIG), 0, 0)
        self.session.claimed(self.epoch)
        self.done(self.session.recovered(self.changelog))

    def batch(self, messages: Sequence[Message], crash: int | None) -> None:
        """One batch; after a crash (0: before its rows are written, 1: after, 2: amid the outputs) again."""
        records = [record(message) for message in messages]
        if crash is not None:
            work = self.session.work(records, 0)
            self.changelog += work.rows if crash else []
            self.sent += work.outputs[: len(work.outputs) // 2] if crash == 2 else []
            self.start()
        self.done(self.session.work(records, 0))

    def done(self, work: Work) -> None:
        self.changelog += work.rows
        self.sent += work.outputs
        self.session.sent(work)

    def fragments(self) -> dict[bytes, Fragment]:
        """The rows, without the memory of what was sent: that tells what came first.

        So does, after an erasure, the first time of a link.
        """
        found = {}
        for group, value in self.values().items():
            fragment = row.decode(value)
            fragment.left, fragment.erased, fragment.refused = [], [], []
            if fragment.mapped is not None and (fragment.mapped.erased or fragment.mapped.forgotten):
                fragment.links = [(*each[:4], 0, each[5]) for each in fragment.links]
            found[group] = fragment
        return found

    def values(self) -> dict[bytes, bytes]:
        rows = self.session.rows
        return {
            g: value for g in rows.groups() if g != KEY_OF("clock") and (value := rows.get(g)) is not None
        }

    def clock(self) -> bytes | None:
        return self.session.rows.get(KEY_OF("clock"))

    def stored(self) -> dict[tuple[str, str, bytes], Snapshot]:
        """The snapshots that JOURNEYS holds at last; of one version the later."""
        stored: dict[tuple[str, str, bytes], Snapshot] = {}
        for sent in self.snapshots():
            of = sent.tenant, sent.account, identifier_key(KEY_OF, sent.tenant, sent.identifier)
            if of not in stored or sent.version >= stored[of].version:
                stored[of] = sent
        return stored

    def folded(self) -> dict[tuple[str, str, bytes], Snapshot]:
        """The snapshots that stand, without what tells the way."""
        standing = {of: each for of, each in self.stored().items() if not each.withdrawn}
        for each in standing.values():
            each.version, each.predecessors, each.erased = b"", {}, []
        return standing

    def letters(self, reason: str) -> set[bytes]:
        """The offsets of events that were refused."""
        headers = [dict(sent.headers) for sent in self.sent if sent.topic == "touchpoints.dead-letter"]
        return {each["offset"] for each in headers if each["reason"] == reason.encode()}

    def snapshots(self) -> list[Snapshot]:
        sent = [SENT.decode(out.value or b"") for out in self.sent if out.topic == "fragment-snapshots"]
        return [each for each in sent if isinstance(each, Snapshot)]

    def ticks(self) -> list[Tick]:
        sent = [
            SENT.decode(o.value or b"")
            for o in self.sent
            if o.topic == "fragment-snapshots" and o.partition == 0
        ]
        return [each for each in sent if isinstance(each, Tick)]

    def stated(self) -> set[Statement]:
        return {STATED.decode(out.value or b"") for out in self.sent if out.topic == "identity-links"}


def run(messages: Sequence[Message], seed: int) -> World:
    """Shuffled, partly repeated, cut and crashed as the seed says; seed 0: as it is, in one batch."""
    world, rnd = World(), Random(seed)
    if not seed:
        world.batch(messages, None)
        return world
    order = [*messages, *rnd.choices(messages, k=len(messages) // 3)] if messages else []
    rnd.shuffle(order)
    while order:
        size = rnd.randint(1, max(1, len(order) // 2))
        world.batch(order[:size], rnd.choice([None, None, None, 0, 1, 2]))
        order = order[size:]
    return world


def settled(stated: set[Statement], maps: dict[bytes, MapRow]) -> dict[Any, Any]:
    """What IDENTITY makes of statements that are not erased.

    The earliest of each, of a word on profiling the latest; of owners and employments the changes. Of links
    only that they were told, where anything is erased.
    """
    torn = any(mapped.erased or mapped.forgotten for mapped in maps.values())
    earliest: dict[Any, int] = {}
    words: dict[Any, tuple[int, bool]] = {}
    claims: dict[Any, set[row.Claim]] = {}
    for each in stated:
        own = getattr(each, "identifier", "") or getattr(
            each, "weak", ""
        )  # of links all are told, and judged
        mapped = maps.get(KEY_OF(each.tenant, own))
        if each.at < floor(mapped) or (not isinstance(each, Owns | Profiling) and is_erased(mapped, each.at)):
            continue
        match each:
            case Profiling(tenant, identifier, given, at):
                of = tenant, identifier, "profiling"
                words[of] = max((at, not given), words.get(of, (at, not given)))
            case Owns(tenant, weak, strong, at):
                claims.setdefault((tenant, weak), set()).add((at, strong, "", 0))
            case Employed(tenant, identifier, contact, source, rank, at, account):
                claims.setdefault((tenant, identifier, contact), set()).add((at, account, source, rank))
            case _:
                key = (type(each), *(getattr(each, name) for name in each.__struct_fields__ if name != "at"))
                at = 0 if torn and isinstance(each, Link) else each.at
                earliest[key] = min(at, earliest.get(key, at))
    changes = {of: first_of_each_moment(moments(sorted(told))) for of, told in claims.items()}
    return {**earliest, **changes, **{of: refused for of, (_, refused) in words.items()}}


def first_of_each_moment(claims: list[row.Claim]) -> list[tuple[int, str, str, int]]:
    """Of claims of one moment the smallest holds; then only changes count."""
    holds: list[row.Claim] = []
    firsts = {(claim[0], claim[2], claim[3]): claim for claim in reversed(claims)}
    last: dict[tuple[str, int], str] = {}
    for claim in sorted(firsts.values()):
        if last.get(claim[2:]) != claim[1]:
            holds.append(claim)
            last[claim[2:]] = claim[1]
    return holds


def naive(messages: Sequence[Message]) -> dict[tuple[str, str, bytes], Counter[str]]:
    """Event ids per (tenant, account, identifier), told touch by touch from all messages."""
    latest = latest_maps(messages)
    winners: dict[tuple[str, bytes, str, str], Touch] = {}
    for each in messages:
        if isinstance(each, Touch) and each.type not in ("identified", "consent_given"):
            key = KEY_OF(each.tenant, each.identifier)
            if not is_erased(latest.get(key), each.occurred_at):
                event = each.tenant, key, each.source, each.event_id
                winners[event] = min(each, winners.get(event, each), key=attrgetter("occurred_at", "digest"))
    decided = {each.account[0] for each in messages if isinstance(each, Outcome | Command)}
    found: dict[tuple[str, str, bytes], Counter[str]] = {
        (mapped.tenant, span.account_id, key): Counter()
        for key, mapped in latest.items()
        for span in mapped.spans
        if span.account_id and (mapped.identifier != ISSUED or ISSUED in decided)
    }
    for (tenant, key, _, event_id), touch in winners.items():
        mapped = latest.get(key)
        if mapped is None:
            continue
        if touch.account not in ("", touch.identifier):
            account = mapped.accounts.get(touch.account)
        else:
            at = rfc3339(touch.occurred_at)  # of one length: texts compare as times
            holding = [span for span in mapped.spans if span.since is None or span.since <= at]
            account = holding[-1].account_id if holding else None
            stronger = not touch.account and touch.identifier[:5] in ("conta", "user_")
            if holding and holding[-1].placed and stronger and "email:a@x.nl" in touch.strong:
                account = mapped.places.get("domain:x.nl", account)
        if account is not None:
            found.setdefault((tenant, account, key), Counter())[event_id] += 1
    return found


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(1, 1 << 30))
def test_any_order_repetition_cut_and_crash_end_the_same(messages: list[Message], seed: int) -> None:
    straight, crooked = run(messages, 0), run(messages, seed)
    assert crooked.fragments() == straight.fragments()
    assert crooked.clock() == straight.clock()
    assert crooked.folded() == straight.folded()
    assert crooked.ticks()[-1:] == straight.ticks()[-1:]
    assert crooked.ticks() == sorted(crooked.ticks(), key=lambda tick: (tick.at, tick.drain))
    stated, maps = crooked.stated(), latest_maps(messages)
    assert settled(stated, maps) == settled(straight.stated(), maps)
    for value in crooked.values().values():
        said = {each for each in statements(row.decode(value)) if not isinstance(each, Profiling)}
        assert stated.issuperset(said)


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(0, 1 << 30))
def test_every_touch_is_where_it_belongs_once(messages: list[Message], seed: int) -> None:
    found = {
        of: Counter(each.event_id for part in sent.parts for each in part.touches)
        for of, sent in run(messages, seed).folded().items()
    }
    assert found == naive(messages)


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(0, 1 << 30))
def test_what_is_erased_is_gone_and_whoever_had_it_is_told(messages: list[Message], seed: int) -> None:
    world, maps = run(messages, seed), latest_maps(messages)
    stored = world.stored()
    for sent in world.snapshots():
        key = identifier_key(KEY_OF, sent.tenant, sent.identifier)
        last = stored[sent.tenant, sent.account, key]
        for touch in (touch for part in sent.parts for touch in part.touches):
            if is_erased(maps.get(key), touch.at):
                assert event_key(KEY_OF, sent.tenant, touch.source, touch.event_id) in last.erased
    refused = set()
    for each in messages:
        if not isinstance(each, Touch) or not each.identifier:
            continue
        key = KEY_OF(each.tenant, each.identifier)
        if is_erased(maps.get(key), each.occurred_at):
            event = event_key(KEY_OF, each.tenant, each.source, each.event_id)
            refused.add(str(-1 - int.from_bytes(event[:6], "big")).encode())
    assert world.letters("erased") <= refused
    for key, value in world.values().items():
        fragment = row.decode(value)
        if fragment.identifier.startswith("#"):
            (plain,) = [name for name in STRONG + WEAK if KEY_OF("t", name) == key]
            assert plain.encode() not in value
            assert (fragment.touches, fragment.links) == ([], [])
            assert all(owner.startswith("#") for _, owner, _, _ in fragment.claims)  # of a device
            assert fragment.claims or not fragment.facts


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(0, 1 << 30))
def test_every_outcome_is_where_it_belongs_or_refused(messages: list[Message], seed: int) -> None:
    world, latest = run(messages, seed), latest_maps(messages)
    told: dict[tuple[str, str], Outcome] = {}
    for each in messages:
        if isinstance(each, Outcome):
            key = each.account[0], each.event_id
            told[key] = min(each, told.get(key, each), key=lambda one: (one.at, PACK(one)))
    expected: dict[tuple[str, bytes], set[bytes]] = {}
    nowhere = []
    for each in told.values():
        about = KEY_OF("t", each.account[0])
        spans = latest[about].spans if about in latest else []
        holding = [s for s in spans if s.since is None or s.since <= rfc3339(each.at)]
        if holding and holding[-1].account_id:
            expected.setdefault((holding[-1].account_id, about), set()).add(PACK(each))
        if each.account[0] == ISSUED and not any(span.account_id for span in spans):
            nowhere.append(each)
    found = {
        (account, key): {PACK(each) for each in sent.outcomes}
        for (_, account, key), sent in world.folded().items()
        if sent.outcomes
    }
    assert found == expected
    clock = world.ticks()[-1].at if world.ticks() else 0
    if clock:  # what came after the last tick is looked at with the next one
        world.batch([Tick(source, clock + 1, 0) for source in (0, 1)], None)
    refused = world.letters("no_handoff")
    for each in nowhere:
        key = event_key(KEY_OF, "t", "lead-outcomes", each.event_id)
        if each.at + DAY_MS < clock:
            assert str(-1 - int.from_bytes(key[:6], "big")).encode() in refused


@settings(max_examples=150, deadline=None)
@given(inputs, st.integers(0, 1 << 30))
def test_every_account_that_is_named_as_a_predecessor_answers(messages: list[Message], seed: int) -> None:
    world = run(messages, seed)
    withdrawals = [sent for sent in world.snapshots() if sent.withdrawn]
    for (tenant, account, key), snapshot in world.stored().items():
        for predecessor, version in snapshot.predecessors.items():
            assert any(
                (sent.tenant, sent.account) == (tenant, predecessor)
                and identifier_key(KEY_OF, tenant, sent.identifier) == key
                and sent.version >= version
                and account in sent.successors
                for sent in withdrawals
            )


def test_rows_of_the_same_messages_are_the_same_bytes() -> None:
    messages = [with_true_digest(touch) for n in range(20) for touch in [many(Random(n), n)]]
    forth, back = World(), World()
    for message in messages:
        forth.batch([message], None)
    back.batch(messages[::-1], None)
    assert forth.values() == back.values()


def many(rnd: Random, n: int) -> Touch:
    """A touch of one busy identifier over three years; one in nine event ids has two copies."""
    kind = rnd.choice(["page_viewed", "price_viewed", "email_sent", "order_placed", "faq_viewed"])
    return Touch(
        tenant="t", source="web", event_id=f"event-{n * 8 // 9:07d}", type=kind, type_name="",
        occurred_at=START + rnd.randrange(3 * 365 * DAY_MS), digest=rnd.getrandbits(62),
        identifier="email:a@x.nl", account=rnd.choice(["", "", "", "domain:x.nl"]), strong=["email:a@x.nl"],
        weak=[], actor=2 if kind == "email_sent" else 0, channel="web", rank=3,
        content={"topic": rnd.choice(["pumps", "valves", ""])}, commerce={}, lines=[], campaign={},
        contact={rnd.choice(["name", "job_title", "role"]): "x"}, organisation={}, consent={}, extra={},
    )  # fmt: skip


@pytest.mark.parametrize("number", [1_001, 1_500, 4_000])
def test_a_dense_fragment_does_not_depend_on_order(number: int) -> None:
    rnd = Random(number)
    messages: list[Message] = [many(rnd, n) for n in range(number)]
    spans = [Span(None, "c1", "a1"), Span(rfc3339(START + 400 * DAY_MS), "c1", "a2")]
    messages.append(MapRow("t", "email:a@x.nl", (0, 1, 1), spans, {"domain:x.nl": "a3"}))
    straight = run(messages, 0)
    (kept,) = straight.fragments().values()
    assert kept.level > 0
    assert len(next(iter(straight.values().values()))) < 65_536
    for seed in (1, 2):
        crooked = run(messages, seed)
        assert crooked.fragments() == straight.fragments()
        assert crooked.folded() == straight.folded()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(2, 1_200), st.sampled_from([7, 40, 1_000]), st.booleans())
def test_an_account_with_touches_never_becomes_withdrawn_by_thinning(
    seed: int, firms: int, most: int, heavy: bool
) -> None:
    """At every level each account that counts keeps its first and last touch of every type and actor.

    Where that is too heavy, of every actor.
    """
    rnd = Random(seed)
    messages: list[Message] = [many(rnd, n) for n in range(1_600)]
    for n, each in enumerate(messages):
        assert isinstance(each, Touch)
        each.event_id = str(n)
        each.account = each.account and f"domain:{rnd.randrange(firms):04d}.nl"
    known = {f"domain:{n:04d}.nl": f"a{n}" for n in range(firms)}
    messages.append(MapRow("t", "email:a@x.nl", (0, 1, 1), [Span(None, "c1", "home")], known))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row, "NAMED", most)
        patch.setattr(row, "ACCOUNTS_BYTES", 0 if heavy else row.ACCOUNTS_BYTES)
        straight, crooked = run(messages, 0), run(messages, seed + 1)
    assert crooked.fragments() == straight.fragments()
    assert crooked.folded() == straight.folded()
    (kept,) = straight.fragments().values()
    assert kept.level > 0
    expected: dict[tuple[str, str, int], list[int]] = {}
    counting = sorted({each.account for each in messages if isinstance(each, Touch) and each.account})[:most]
    for each in messages:
        if isinstance(each, Touch) and each.account in ("", *counting):
            of = known.get(each.account, "home"), "" if heavy else each.type, each.actor
            expected.setdefault(of, []).append(each.occurred_at)
    found: dict[tuple[str, str, int], list[int]] = {}
    for (_, account, _), sent in straight.folded().items():
        for touch in sent.parts[0].touches:
            found.setdefault((account, "" if heavy else touch.type, touch.actor), []).append(touch.at)
    assert {of: (min(at), max(at)) for of, at in found.items()} == {
        of: (min(at), max(at)) for of, at in expected.items()
    }


@settings(max_examples=300, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 99), st.integers(1, 9)), min_size=1), st.randoms())
def test_thinning_is_a_function_of_the_set(items: set[tuple[int, int]], rnd: Random) -> None:
    def by(bucket: int, kind: int) -> Callable[[tuple[int, int]], int]:
        return lambda item: item[0] // bucket * 1000 + item[1] // kind

    ladder: list[Level[tuple[int, int]]] = [
        Level((), 2, 12, 90),
        Level((by(5, 1),), 2, 10, 60),
        Level((by(10, 2), by(20, 1)), 2, 10, 60),
        Level((by(20, 4), by(20, 2)), 1, 10, 60),
        Level((by(100, 4),), 1, 10, 60),
    ]

    def all_at_once() -> tuple[int, list[tuple[int, int]]]:
        return settle(ladder, 0, sorted(items), max(item[1] for item in items))

    level, kept, widest = 0, list[tuple[int, int]](), 1
    order = sorted(items)
    rnd.shuffle(order)
    while order:
        size = rnd.randint(1, 4)
        widest = max(widest, *(item[1] for item in order[:size]))
        level, kept = settle(ladder, level, sorted({*kept, *order[:size]}), widest)
        order = order[size:]
    assert (level, kept) == all_at_once()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from("abc")), min_size=1, max_size=50), st.randoms()
)
def test_owners_beyond_their_bound_do_not_depend_on_order(drawn: list[tuple[int, str]], rnd: Random) -> None:
    pairs = [(at * 3_600_000 + minute * 60_000, who) for at, who in drawn for minute in range(12)]
    messages: list[Message] = [Owner("t", WEAK[1], f"email:{who}@x.nl", START + at) for at, who in pairs]
    straight = World()
    straight.batch(messages, None)
    rnd.shuffle(messages)
    crooked = World()
    for cut in range(0, len(messages), 100):
        crooked.batch(messages[cut : cut + 100], None)
    assert crooked.values() == straight.values()
    (kept,) = crooked.fragments().values()
    assert len(kept.claims) <= row.CLAIMS
    assert crooked.stated().issuperset(statements(kept))


def test_a_level_groups_what_the_level_before_groups() -> None:
    """What thinning rests on: each grouping is made of whole groups of some grouping of the level before."""
    rnd = Random(7)
    sample = [sampled(rnd, n) for n in range(3_000)]
    for finer, coarser in zip(row.TOUCH_LADDER[1:], row.TOUCH_LADDER[2:], strict=False):
        for grouping in coarser.groupings:
            assert any(refines(fine, grouping, sample) for fine in finer.groupings)


def sampled(rnd: Random, n: int) -> Mini:
    kind, topic = rnd.choice(["page_viewed", "order_placed"]), rnd.choice(["", "pumps"])
    actor, account = rnd.choice([0, 2]), rnd.choice(["", "domain:x.nl"])
    month = START // row.MONTH_MS + rnd.randrange(30)  # half of them at the very edge of a bucket
    at = month * row.MONTH_MS + rnd.choice([rnd.randrange(row.MONTH_MS), rnd.randrange(-2, 2)])
    return Mini(at, n, str(n), "web", kind, actor, 3, account, topic, "", "", "web")


def refines(fine: Callable[[Mini], Any], coarse: Callable[[Mini], Any], sample: list[Mini]) -> bool:
    """Whether every group of `coarse` is a union of groups of `fine`."""
    into: dict[Any, Any] = {}
    for each in sample:
        if (group := coarse(each)) is None:
            continue
        if fine(each) is None or into.setdefault(fine(each), group) != group:
            return False
    return True
